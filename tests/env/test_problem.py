"""`check_problem` finds and names every mistake, and reports nothing about good problems."""

import types
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from agent import DROO, MemoryDNN
from droo_core.arrays import Floats, Ints
from env import QueueingMEC, WirelessPoweredMEC, WPMECCritic, WPMECFrame, check_problem
from env.problem import Problem
from experiments.simulation import simulate

N = 4


class Good:
    """A problem without mistakes: devices gain by offloading, but share a band."""

    num_devices: Any = N

    def __init__(self) -> None:
        self.rng = np.random.default_rng()
        self.gain = np.ones(N)
        self.buffer = np.zeros(100)  # for problems that keep a buffer between calls

    @property
    def state(self) -> Any:
        return self.gain.copy()

    def score(self, decisions: Ints) -> Any:
        return decisions @ self.gain / (1 + decisions.sum(axis=1))

    def reset(self, *, seed: int | None = None) -> Any:
        self.rng = np.random.default_rng(seed)
        self.gain = self.rng.uniform(0.5, 2, N)
        return self.state, {}

    def step(self, decision: Ints) -> Any:
        reward = float(self.score(decision[None])[0])
        self.gain = self.rng.uniform(0.5, 2, N)
        return self.state, reward, False, False, {}


def broken(member: str, value: Any) -> Any:
    """Return an instance of `Good` in which one member is replaced."""
    return type("Broken", (Good,), {member: value})()


def in_single_precision(self: Good, decisions: Ints) -> Any:
    """Score as by a learned model, whose rounding may depend on the batch size."""
    gain, sign = self.gain.astype(np.float32), 1 if len(decisions) > 1 else -1
    return decisions.astype(np.float32) @ gain * np.float32(1 + sign * 2e-6)


def score_remembers(self: Good, decisions: Ints) -> Any:
    rewards = Good.score(self, decisions) + self.buffer[0]
    if len(decisions) > 1 and decisions[0].all():
        self.buffer[0] = 1  # like a bracket that is kept between calls
    return rewards


def score_writes(self: Good, decisions: Ints) -> Any:
    decisions[:, 0] = 0
    return Good.score(self, decisions)


def score_moves_the_state(self: Good, decisions: Ints) -> Any:
    self.gain = self.gain + 0.1
    return decisions.sum(axis=1)


def score_is_relative(self: Good, decisions: Ints) -> Any:
    rewards = Good.score(self, decisions)
    return rewards - rewards.max()


def step_writes(self: Good, decision: Ints) -> Any:
    result = Good.step(self, decision)
    decision[:] = 7
    return result


DEPENDS = "score must not depend on"
OTHER_FRAMES = r"reset\(seed=0\) must bring the same frames for the same decisions, frame"
ERRORS: list[tuple[str, Any, type[Exception], str]] = [
    ("num_devices", 2.5, TypeError, "num_devices must be an integer"),
    (
        "state",
        property(lambda self: self.gain[None]),
        ValueError,
        r"shape \[inputs\], got \[1, 4\]",
    ),
    ("state", property(lambda self: 1e39 * self.gain), ValueError, "state must be finite"),
    (
        "state",
        property(lambda self: np.ones(N + int(self.gain[0] * 1e6) % 7)),
        ValueError,
        "state must keep its size, had . entries in frame 0 and",
    ),
    ("state", property(lambda self: self.rng.normal(size=N)), ValueError, "must stay as it is"),
    ("score", lambda self, x: x @ self.nowhere, ValueError, "an int64 array .* AttributeError"),
    (
        "score",
        lambda self, x: self.gain[x],
        ValueError,
        r"the result of score must have shape \[10\]",
    ),
    ("score", lambda _, x: np.where(x.any(1), 0.0, np.nan), ValueError, "finite.* nan for 0000"),
    ("score", lambda _, x: np.where(x.all(1), np.inf, 0.0), ValueError, "finite.* inf for 1111"),
    ("score", lambda _, x: np.full(len(x), -np.inf), ValueError, "must leave something feasible"),
    (
        "score",
        lambda self, x: self.rng.normal(size=len(x)),
        ValueError,
        f"{DEPENDS} the number of calls",
    ),
    ("score", lambda self, x: np.cumsum(Good.score(self, x)), ValueError, f"{DEPENDS} the order"),
    ("score", score_is_relative, ValueError, f"{DEPENDS} the other decisions in the call"),
    ("score", score_remembers, ValueError, f"{DEPENDS} earlier calls"),
    ("score", score_writes, ValueError, "score must not write into the decisions"),
    ("score", score_moves_the_state, ValueError, "score must not change the state"),
    # For bool another reward, and an error.
    ("score", lambda self, x: ~x @ self.gain, ValueError, f"{DEPENDS} the type"),
    ("score", lambda self, x: -x @ self.gain, ValueError, "type bool too .* it raised TypeError"),
    (
        "score",
        lambda self, x: np.matmul(x, self.gain, out=self.buffer[: len(x)]),
        ValueError,
        "score must return a new array",
    ),
    (
        "score",
        lambda self, x: Good.score(self, x) + 0 * self.rng.normal(),
        ValueError,
        f"{OTHER_FRAMES} 1",
    ),
    ("reset", lambda self: Good.reset(self, seed=0), TypeError, "reset must take seed=0"),
    ("reset", lambda self, seed: Good.reset(self, seed=seed)[0], TypeError, "reset must return"),
    ("reset", lambda self, **_: Good.reset(self), ValueError, f"{OTHER_FRAMES} 0"),
    (
        "step",
        lambda self, x: Good.step(self, x)[:4],
        TypeError,
        r"step must return \(state, reward",
    ),
    (
        "step",
        lambda self, x: (self.state, *Good.step(self, x)[1:]),
        ValueError,
        "step must return the state of the coming frame",
    ),
    ("step", step_writes, ValueError, "step must not write into the decision"),
    (
        "step",
        lambda self, x: (Good.step(self, x)[0], "much", False, False, {}),
        TypeError,
        "the reward of step must hold real numbers",
    ),
]


@pytest.mark.parametrize(("member", "value", "error", "message"), ERRORS)
def test_a_mistake_is_found_and_named(
    member: str, value: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_problem(broken(member, value))


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        (
            "state",
            property(lambda self: np.append(self.gain, 1e6)),
            "1 of 5 entries above 100 .* 4",
        ),
        (
            "state",
            property(lambda self: np.append(self.gain, 1e-6)),
            "1 of 5 .* never above 0.0001",
        ),
        ("state", np.ones(N), "state is the same in all frames"),
        ("score", lambda _, x: np.zeros(len(x)), "score gives all decisions the same reward"),
        (
            "step",
            lambda self, x: (Good.step(self, x)[0], 0.0, False, False, {}),
            "step returned the reward 0.0 for",
        ),
        ("step", property(), "only one of reset and step"),  # hasattr is False
    ],
)
def test_a_suspicious_problem_gets_a_warning_and_no_error(
    member: str, value: Any, message: str
) -> None:
    with pytest.warns(UserWarning, match=message) as caught:
        check_problem(broken(member, value))
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "problem",
    [
        Good(),
        broken("score", in_single_precision),
        WirelessPoweredMEC(6),
        WirelessPoweredMEC(1, features=("log_gain", "weight", "active", "gain@2")),
        QueueingMEC(6),
        QueueingMEC(6, features=("log_price", "airtime", "ahead")),
        QueueingMEC(6, allocation="myopic"),
    ],
)
def test_a_good_problem_passes(problem: Problem) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = check_problem(problem)
    assert report.num_devices == problem.num_devices
    assert report.num_inputs == len(problem.state)
    assert (report.num_frames, report.infeasible) == (10, 0)


def test_a_problem_of_a_single_frame_is_checked_and_left_unchanged() -> None:
    calls = []

    def score(x: Ints) -> Floats:
        calls.append(x)
        return np.where(x[:, 0] == 1, -np.inf, x.sum(axis=1))

    plain = types.SimpleNamespace(num_devices=3, state=[0.5, 2, -1], score=score)
    report = check_problem(plain)
    assert report[:5] == (3, 3, 1, -1, 2)
    tried = calls[0]
    assert report.infeasible == np.mean(tried[:, 0])
    assert plain.state == [0.5, 2, -1]


def test_the_same_seed_scores_the_same_decisions() -> None:
    asked: list[list[bytes]] = []
    for seed in (1, 1, 2):
        calls: list[bytes] = []

        class Recorded(Good):
            def score(self, decisions: Ints, calls: list[bytes] = calls) -> Any:
                calls.append(decisions.tobytes())
                return super().score(decisions)

        check_problem(Recorded(), seed=seed)
        asked.append(calls)
    assert asked[0] == asked[1]
    assert asked[0] != asked[2]


def test_a_problem_whose_episodes_end_is_reset_and_continued() -> None:
    class Episodes(Good):
        frames = 0
        resets = 0

        def reset(self, *, seed: int | None = None) -> Any:
            self.resets += 1
            self.rng = self.rng if seed is None else np.random.default_rng(seed)
            self.gain = self.rng.uniform(0.5, 2, N)
            return self.state, {}

        def step(self, decision: Ints) -> Any:
            state, reward, *_ = super().step(decision)
            self.frames += 1
            return state, reward, self.frames % 3 == 0, False, {}

    problem = Episodes()
    check_problem(problem, num_frames=6)
    assert problem.resets == 2 * (1 + 2)
    problem = Episodes()
    agent = MemoryDNN([N, 8, N], seed=0)
    assert len(list(simulate(DROO(agent), problem, 7, seed=0))) == 7
    assert problem.resets == 1 + 2


@settings(max_examples=40)
@given(
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
    st.floats(1e-12, 1e12),
    st.floats(0, 1),
)
def test_no_scale_of_rewards_and_no_share_of_infeasible_ones_is_a_mistake(
    n: int, seed: int, scale: float, feasible: float
) -> None:
    rng = np.random.default_rng(seed)
    worth, barred = scale * rng.normal(size=n), rng.random(n) > feasible

    def score(x: ArrayLike) -> Floats:
        decisions = np.asarray(x, dtype=np.float64)
        return np.where(decisions @ barred > 0, -np.inf, decisions @ worth)

    problem = types.SimpleNamespace(num_devices=n, state=rng.normal(size=n), score=score)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "state has")
        warnings.filterwarnings("ignore", "score gives all")  # only all local is feasible
        assert check_problem(problem).num_devices == n


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (types.SimpleNamespace(state=np.ones(2), score=lambda x: x[:, 0]), "must have num_devices"),
        (types.SimpleNamespace(num_devices=2, state=np.ones(2)), r"must have score\(decisions\)"),
        (types.SimpleNamespace(num_devices=2, score=lambda x: x[:, 0]), "must have a state"),
        (WPMECFrame(WPMECCritic([1.0, 1.0]), [1e-6, 1e-6]), "must have a state"),
        (gymnasium.make("WPMEC-v0"), "of gymnasium.make take the .unwrapped"),
    ],
)
def test_a_missing_member_is_named(wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        check_problem(wrong)


def test_simulate_plays_any_problem() -> None:
    problem = Good()
    agent = MemoryDNN([N, 8, N], seed=0)
    frames = list(simulate(DROO(agent), problem, 5, seed=3))
    problem.reset(seed=3)
    for frame in frames:
        assert frame.choice is not None
        assert frame.reward == problem.score(frame.choice.decision[None])[0]
        problem.step(frame.choice.decision)


def test_an_agent_for_another_number_of_devices_is_named() -> None:
    agent = MemoryDNN([N, 8, N + 1], seed=0)
    with pytest.raises(ValueError, match="for 5 devices, the problem has 4"):
        next(simulate(DROO(agent), Good(), 1))
