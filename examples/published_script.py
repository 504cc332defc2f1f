"""The main loop of a script for the published `MemoryDNN`, with the import replaced by `agent`.

Such scripts call `decode` for K candidates, score them one by one, pass the best to `encode`, and
adapt K themselves. This one uses only members of the published class; only the import differs. Run
it with `python examples/published_script.py`; it writes cost.png to the current folder.
"""

import matplotlib.pyplot as plt
import numpy as np

from agent import MemoryDNN  # published: from memoryPyTorch import MemoryDNN
from env import WPMECCritic, WPMECFrame, default_channel, default_weights
from env.schemes import certified_optimum

N = 10  # devices
FRAMES = 2000
ADAPT_EVERY = 32


def main() -> None:
    """Learn online, print the normalized rate, and plot the training loss."""
    channel = default_channel(N).sample(np.random.default_rng(0), FRAMES)
    critic = WPMECCritic(default_weights(N))
    mem = MemoryDNN(
        net=[N, 120, 80, N],
        learning_rate=0.01,
        training_interval=10,
        batch_size=128,
        memory_size=1024,
    )

    k = N
    k_idx_his: list[int] = []
    rate_his, optimal_rate = np.empty((2, FRAMES))
    for i, gain in enumerate(channel):
        if i > 0 and i % ADAPT_EVERY == 0:
            k = min(max(k_idx_his[-ADAPT_EVERY:]) + 2, N)
        h = gain * 1e6  # scales the network's inputs to about 1
        m_list = mem.decode(h, k, "OP")
        r_list = [critic.score(gain, m[np.newaxis])[0] for m in m_list]
        best = int(np.argmax(r_list))
        mem.encode(h, m_list[best])
        k_idx_his.append(best)
        rate_his[i] = r_list[best]
        optimal_rate[i] = certified_optimum(WPMECFrame(critic, gain)).computation_rate

    normalized = rate_his / optimal_rate
    for first in range(0, FRAMES, 500):
        print(f"frames {first + 1} to {first + 500}: {normalized[first : first + 500].mean():.4f}")
    print(
        f"K ended at {k}; {len(mem.cost_his)} training steps, the last loss {mem.cost_his[-1]:.3f}"
    )
    mem.plot_cost()
    plt.savefig("cost.png")


if __name__ == "__main__":
    main()
