"""`check_problem`: every mistake is found and named, and nothing else is."""

import types
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from agent import DROO, MemoryDNN
from env import QueueingMEC, WirelessPoweredMEC, WPMECCritic, WPMECFrame, check_problem
from env.problem import Problem
from experiments.simulation import simulate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
N = 4


class Good:
    """Gains against crowding; the subclasses each break one thing."""

    num_devices: Any = N

    def __init__(self) -> None:
        self.rng = np.random.default_rng()
        self.gain = np.ones(N)
        self.calls = 0

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


class NoCount(Good):
    num_devices = 2.5


class StateOfText(Good):
    state = property(lambda self: [str(g) for g in self.gain])


class StateIsMethod(Good):
    def state(self) -> Floats:
        return self.gain


class StateIsMatrix(Good):
    state = property(lambda self: self.gain[None])


class StateIsComplex(Good):
    state = property(lambda self: self.gain + 1j)


class StateIsNaN(Good):
    state = property(lambda self: np.where(self.gain == self.gain.max(), np.nan, self.gain))


class StateIsInfinite(Good):
    state = property(lambda self: np.append(self.gain, -np.inf))


class StateIsBeyondSingle(Good):
    state = property(lambda self: 1e39 * self.gain)


class StateFails(Good):
    state = property(lambda self: self.nowhere)

    def reset(self, *, seed: int | None = None) -> Any:  # noqa: ARG002
        return np.ones(N), {}


class StateGrows(Good):
    @property
    def state(self) -> Any:
        return np.ones(N + int(self.gain.sum() * 1e6) % 7)


class StateDrifts(Good):
    @property
    def state(self) -> Any:
        self.gain = self.gain * 1.01
        return self.gain.copy()


class ScoreFails(Good):
    def score(self, decisions: Ints) -> Any:
        raise KeyError(len(decisions))


class ScoreIsColumn(Good):
    def score(self, decisions: Ints) -> Any:
        return super().score(decisions)[:, None]


class ScoreIsComplex(Good):
    def score(self, decisions: Ints) -> Any:
        return super().score(decisions) + 0j


class ScoreIsNothing(Good):
    def score(self, decisions: Ints) -> Any:
        super().score(decisions)


class ScoreIsNaN(Good):
    def score(self, decisions: Ints) -> Any:
        ones = decisions.sum(axis=1)
        return np.divide(
            decisions @ self.gain, ones, out=np.full(len(ones), np.nan), where=ones > 0
        )


class ScoreIsInfinite(Good):
    def score(self, decisions: Ints) -> Any:
        return np.where(decisions.all(axis=1), np.inf, 0.0)


class NothingFeasible(Good):
    def score(self, decisions: Ints) -> Any:
        return np.full(len(decisions), -np.inf)


class ScoreTakesNoSingle(Good):
    def score(self, decisions: Ints) -> Any:
        return (decisions.squeeze() @ self.gain) if len(decisions) > 1 else np.zeros(0)


class ScoreIsRelative(Good):
    def score(self, decisions: Ints) -> Any:
        rewards = super().score(decisions)
        return rewards - rewards.max()


class ScoreIsCumulative(Good):
    def score(self, decisions: Ints) -> Any:
        return np.cumsum(super().score(decisions))


class ScoreIsRandom(Good):
    def score(self, decisions: Ints) -> Any:
        return super().score(decisions) + np.random.default_rng().normal(size=len(decisions))


class ScoreCounts(Good):
    def score(self, decisions: Ints) -> Any:
        self.calls += 1
        return super().score(decisions) + self.calls


class ScoreRemembers(Good):
    offset = 0

    def score(self, decisions: Ints) -> Any:
        rewards = super().score(decisions) + self.offset
        if len(decisions) > 1 and decisions[0].all():
            self.offset = 1  # as a bracket that is kept from call to call
        return rewards


class ScoreWrites(Good):
    def score(self, decisions: Ints) -> Any:
        decisions[:, 0] = 0
        return super().score(decisions)


class ScoreReusesItsResult(Good):
    buffer = np.empty(100)

    def score(self, decisions: Ints) -> Any:
        rewards = super().score(decisions)
        self.buffer[: len(rewards)] = rewards
        return self.buffer[: len(rewards)]


class ScoreMovesTheState(Good):
    def score(self, decisions: Ints) -> Any:
        rewards = decisions @ np.ones(N)
        self.gain = self.gain + 0.1
        return rewards


class ScoreIndexes(Good):
    def score(self, decisions: Ints) -> Any:
        return np.array([self.gain[x].sum() for x in decisions])  # right for bool, not for int64


class ScoreDrawsFromTheFrames(Good):
    def score(self, decisions: Ints) -> Any:
        self.rng.normal()
        return super().score(decisions)


class ResetTakesNoSeed(Good):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


class ResetReturnsState(Good):
    def reset(self, *, seed: int | None = None) -> Any:
        return super().reset(seed=seed)[0]


class ResetReturnsAnother(Good):
    def reset(self, *, seed: int | None = None) -> Any:
        return super().reset(seed=seed)[0] + 1, {}


class ResetForgetsItsSeed(Good):
    def reset(self, *, seed: int | None = None) -> Any:  # noqa: ARG002
        return super().reset()


class StepForgetsTheSeed(Good):
    def step(self, decision: Ints) -> Any:
        self.rng = np.random.default_rng()
        return super().step(decision)


class StepIsOld(Good):
    def step(self, decision: Ints) -> Any:
        state, reward, *_ = super().step(decision)
        return state, reward, False, {}


class StepReturnsTheOldState(Good):
    def step(self, decision: Ints) -> Any:
        before = self.state
        return before, *super().step(decision)[1:]


class StepWrites(Good):
    def step(self, decision: Ints) -> Any:
        result = super().step(decision)
        decision[:] = 7
        return result


class StepPaysText(Good):
    def step(self, decision: Ints) -> Any:
        state, _, *rest = super().step(decision)
        return state, "much", *rest


ERRORS: dict[type[Good], tuple[type[Exception], str]] = {
    NoCount: (TypeError, "num_devices must be an integer"),
    StateOfText: (TypeError, "state must hold real numbers"),
    StateIsMethod: (TypeError, "state must hold real numbers, got <bound method"),
    StateIsMatrix: (ValueError, r"state must have shape \[inputs\], got \[1, 4\]"),
    StateIsComplex: (TypeError, "state must hold real numbers"),
    StateIsNaN: (ValueError, "state must be finite"),
    StateIsInfinite: (ValueError, "state must be finite"),
    StateIsBeyondSingle: (ValueError, "state must be finite"),
    StateFails: (TypeError, "must have a state, reading it raised AttributeError"),
    StateGrows: (ValueError, "state must keep its size, had . entries in frame 0 and"),
    StateDrifts: (ValueError, "state must stay as it is until the next step"),
    ScoreFails: (ValueError, "score must take an int64 array .* it raised KeyError"),
    ScoreIsColumn: (ValueError, r"score returns must have shape \[10\], got \[10, 1\]"),
    ScoreIsComplex: (TypeError, "score returns must hold real numbers"),
    ScoreIsNothing: (TypeError, "score returns must hold real numbers, got None"),
    ScoreIsNaN: (ValueError, "finite rewards .* got nan for 0000"),
    ScoreIsInfinite: (ValueError, "finite rewards .* got inf for 1111"),
    NothingFeasible: (ValueError, "must leave something feasible"),
    ScoreTakesNoSingle: (ValueError, r"score returns must have shape \[1\], got \[0\]"),
    ScoreIsRelative: (ValueError, "must not depend on the other decisions in the call"),
    ScoreIsCumulative: (ValueError, "must not depend on the order of the decisions"),
    ScoreIsRandom: (ValueError, "must not depend on how often it is asked"),
    ScoreCounts: (ValueError, "must not depend on how often it is asked"),
    ScoreRemembers: (ValueError, "must not depend on what it was asked before"),
    ScoreWrites: (ValueError, "score must not write into the decisions"),
    ScoreReusesItsResult: (ValueError, "score must return a new array"),
    ScoreMovesTheState: (ValueError, "score must not change the state"),
    ScoreIndexes: (ValueError, "must not depend on the type of the decisions"),
    ScoreDrawsFromTheFrames: (ValueError, r"reset\(seed=0\) must bring the same frames .* frame 1"),
    ResetTakesNoSeed: (TypeError, "reset must take seed=0"),
    ResetReturnsState: (TypeError, r"reset must return \(state, info\)"),
    ResetReturnsAnother: (ValueError, "reset must return the state of the coming frame"),
    ResetForgetsItsSeed: (ValueError, r"reset\(seed=0\) must bring the same frames .* frame 0"),
    StepForgetsTheSeed: (ValueError, r"reset\(seed=0\) must bring the same frames .* frame 1"),
    StepIsOld: (TypeError, r"step must return \(state, reward, terminated, truncated, info\)"),
    StepReturnsTheOldState: (ValueError, "step must return the state of the coming frame"),
    StepWrites: (ValueError, "step must not write into the decision"),
    StepPaysText: (TypeError, "the reward of step must hold real numbers"),
}


class LargeState(Good):
    state = property(lambda self: np.concatenate([self.gain, 1e6 * self.gain]))


class TinyState(Good):
    state = property(lambda self: np.concatenate([self.gain, 1e-6 * self.gain]))


class StateTellsNothing(Good):
    state = np.ones(N)


class NothingToDecide(Good):
    def score(self, decisions: Ints) -> Any:
        return np.zeros(len(decisions))


class ScoreIsAModel(Good):
    def step(self, decision: Ints) -> Any:
        state, reward, *rest = super().step(decision)
        return state, reward * 0.99, *rest


class ScoreSubtracts(Good):
    def score(self, decisions: Ints) -> Any:
        return (decisions - (decisions > 1)) @ self.gain if decisions.dtype != bool else 1 - "x"  # type: ignore[operator]


class ResetAlone(Good):
    step = property()  # hasattr says no


WARNINGS: dict[type[Good], str] = {
    LargeState: "4 of 8 entries above 100 in magnitude, as .* at 4",
    TinyState: "4 of 8 entries never above 0.0001 in magnitude, as .* at 4",
    StateTellsNothing: "state is the same in all frames",
    NothingToDecide: "score gives all decisions the same reward",
    ScoreIsAModel: "step paid .* where score had promised",
    ScoreSubtracts: "score raises TypeError.* for decisions of type bool",
    ResetAlone: "only one of reset and step",
}


@pytest.mark.parametrize("broken", ERRORS, ids=lambda broken: broken.__name__)
def test_a_mistake_is_found_and_named(broken: type[Good]) -> None:
    error, message = ERRORS[broken]
    with pytest.raises(error, match=message):
        check_problem(broken())


@pytest.mark.parametrize("suspicious", WARNINGS, ids=lambda suspicious: suspicious.__name__)
def test_what_is_suspicious_is_a_warning_and_no_error(suspicious: type[Good]) -> None:
    with pytest.warns(UserWarning, match=WARNINGS[suspicious]) as caught:
        check_problem(suspicious())
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "problem",
    [
        Good(),
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


def test_a_problem_of_a_single_frame_is_looked_at_and_left_alone() -> None:
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


def test_the_same_seed_asks_the_same() -> None:
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


def test_a_problem_whose_episodes_end_is_reset_and_goes_on() -> None:
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
def test_what_is_missing_is_named(wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        check_problem(wrong)


def test_simulate_plays_any_problem() -> None:
    problem = Good()
    agent = MemoryDNN([N, 8, N], seed=0)
    frames = list(simulate(DROO(agent), problem, 5, seed=3))
    problem.reset(seed=3)
    for frame in frames:
        assert frame.reward == problem.score(frame.choice.decision[None])[0]
        problem.step(frame.choice.decision)


def test_an_agent_for_another_number_of_devices_is_named() -> None:
    agent = MemoryDNN([N, 8, N + 1], seed=0)
    with pytest.raises(ValueError, match="for 5 devices, the problem has 4"):
        next(simulate(DROO(agent), Good(), 1))
