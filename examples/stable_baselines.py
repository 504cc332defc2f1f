"""PPO of Stable-Baselines3 on wireless powered MEC, and DROO on the same frames.

PPO observes the state and receives the computation rate as its reward. DROO observes the same
state, and also asks the critic for the scores of several decisions. The example takes about 10 s.
"""

import gymnasium
import numpy as np
import torch

from agent import DROO, MemoryDNN
from env import WirelessPoweredMEC
from env.schemes import optimum

try:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
except ModuleNotFoundError as error:
    raise SystemExit(
        'this example needs pip install "droo[sb3]", in a checkout pip install ".[sb3]"'
    ) from error

DEVICES, FRAMES, TEST_FRAMES = 8, 5000, 500
FEATURES = ("log_gain", "weight")


def train_ppo() -> tuple[PPO, VecNormalize]:
    """Return PPO trained for `FRAMES` frames, and the wrapper that normalizes its observations."""
    env = DummyVecEnv([lambda: gymnasium.make("WPMEC-v0", num_devices=DEVICES, features=FEATURES)])
    env.seed(0)
    normalized = VecNormalize(env, gamma=0.0)
    # gamma = 0: a decision has no effect on later frames.
    model = PPO("MlpPolicy", normalized, learning_rate=3e-3, n_steps=256, gamma=0.0, seed=0)
    return model.learn(FRAMES), normalized


def train_droo() -> DROO:
    """Return DROO trained on the same frames."""
    mec = WirelessPoweredMEC(DEVICES, features=FEATURES)
    mec.reset(seed=0)
    size = [len(FEATURES) * DEVICES, 32, 32, DEVICES]
    droo = DROO(MemoryDNN(size, policy="equivariant", features=FEATURES, seed=0))
    for _ in range(FRAMES):
        mec.step(droo.decide(mec.state, mec.score).decision)
    return droo


def main() -> None:
    """Train both, and compare their policies on the same new frames, without exploration."""
    torch.set_num_threads(1)  # more threads slow down networks of this size
    ppo, normalized = train_ppo()
    droo = train_droo()
    mec = WirelessPoweredMEC(DEVICES, features=FEATURES)
    mec.reset(seed=1)
    rates = []
    for _ in range(TEST_FRAMES):
        by_ppo, _ = ppo.predict(normalized.normalize_obs(mec.state), deterministic=True)
        by_droo = droo.agent.decode(mec.state)[0]
        best = optimum(mec)
        rates.append(mec.score(np.array([by_ppo, by_droo, best])))
        mec.step(best)
    ppo_rate, droo_rate, best_rate = np.array(rates).T
    print(f"Normalized computation rate in {TEST_FRAMES} test frames, after {FRAMES} for training")
    print(f"  PPO              {np.mean(ppo_rate / best_rate):.4f}")
    print(f"  DROO's policy    {np.mean(droo_rate / best_rate):.4f}")


if __name__ == "__main__":
    main()
