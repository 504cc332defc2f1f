"""Kernel of single-change ascent in wireless powered MEC.

The arithmetic is that of `env.common.local_search.climb` with the critic's kernel as score.
"""

from droo_core.arrays import Floats, Ints
from droo_core.ascent import improves
from droo_core.numeric import index_of_largest
from env.wpmec.kernels import kernel
from env.wpmec.kernels.allocation import score


@kernel
def climb(
    gain: Floats,
    class_of: Ints,
    class_weights: Floats,
    constants: tuple[float, float, float],
    decision: Ints,
    reward: float,
    neighbours: Ints,
    rewards: Floats,
) -> tuple[float, int, float]:
    """Change the one device whose change gains most, again and again, until none gains.

    Args:
        gain: channel gains `[N]`.
        class_of: weight class of each device `[N]`.
        class_weights: weight of each class `[C]`.
        constants: as for `allocation.score`.
        decision: in and out, zeros and ones `[N]`.
        reward: score of the decision, bit/s.
        neighbours: buffer `[N, N]`.
        rewards: buffer `[N]`.

    Returns:
        The reward of the decision reached, the number of decisions scored, and the largest error of
        a score.
    """
    scored, worst = 0, 0.0
    while True:
        for i in range(len(decision)):
            for j in range(len(decision)):  # numba takes a second to compile the same with slices
                neighbours[i, j] = decision[j]
            neighbours[i, i] = 1 - decision[i]
        error = score(gain, class_of, class_weights, constants, neighbours, rewards)
        worst = max(worst, error)
        best = index_of_largest(rewards, len(decision))
        scored += len(decision)
        if not improves(rewards[best], reward):
            return reward, scored, worst
        reward = rewards[best]
        decision[best] = 1 - decision[best]
