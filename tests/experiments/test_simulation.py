"""The generator of frames, with an agent and with a scheme, on any problem."""

import runpy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent import DROO, Fleet, MemoryDNN
from env import PlayableProblem, QueueingMEC, WirelessPoweredMEC
from env.schemes import all_offloading, coordinate_descent
from experiments.simulation import simulate, simulate_fleet
from tests.conftest import ROOT

N = 4
CUSTOM = runpy.run_path(str(ROOT / "examples" / "custom_environment.py"))["DeadlineOffloading"]
PROBLEMS: dict[str, Callable[[], Any]] = {
    "wpmec": lambda: WirelessPoweredMEC(N),
    "queueing": lambda: QueueingMEC(N),
    "custom": lambda: CUSTOM(N),
}


def agent_for(problem: PlayableProblem, seed: int = 0, **settings: Any) -> DROO:
    problem.reset(seed=0)
    net = [problem.state.size, 16, N]
    agent = MemoryDNN(net, 0.01, 5, 16, 32, seed=seed)
    return DROO(agent, **{"refine_every": 8, "learn_when_wrong": True} | settings)


@pytest.fixture(params=PROBLEMS)
def new(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return PROBLEMS[request.param]


def test_an_agent_plays_as_in_a_loop_by_hand(new: Callable[[], Any]) -> None:
    problem, by_hand = new(), new()
    droo, other = agent_for(problem), agent_for(by_hand)
    by_hand.reset(seed=3)
    losses = []
    steps = simulate(droo, problem, 40, seed=3, climb=getattr(problem, "climb", None))
    for number, step in enumerate(steps, start=1):
        k, updates = other.k, other.agent.updates
        climb = getattr(by_hand, "climb", None)
        choice = other.decide(by_hand.state, by_hand.score, climb)
        _, reward, *_ = by_hand.step(choice.decision)
        assert (step.frame, step.k, step.reward) == (number, k, reward)
        assert step.decision.tolist() == choice.decision.tolist()
        assert step.choice is not None
        assert step.choice.own_reward == choice.own_reward
        assert step.choice.num_candidates == choice.num_candidates
        assert (step.cost is None) == (other.agent.updates == updates)
        losses += [step.cost] if step.cost is not None else []
        assert step.decision_us > 0
        np.testing.assert_array_equal(problem.state, by_hand.state)
    assert losses == other.agent.cost_his
    assert len(losses) >= 8  # at the interval at least


@pytest.mark.parametrize("scheme", [all_offloading, coordinate_descent])
def test_a_scheme_plays_as_in_a_loop_by_hand(
    new: Callable[[], Any], scheme: Callable[[Any], NDArray[np.int64]]
) -> None:
    problem, by_hand = new(), new()
    by_hand.reset(seed=3)
    for step in simulate(scheme, problem, 20, seed=3):
        decision = scheme(by_hand)
        assert step.decision.tolist() == decision.tolist()
        assert step.reward == by_hand.step(decision)[1]
        assert (step.choice, step.k, step.cost) == (None, 0, None)
    np.testing.assert_array_equal(problem.state, by_hand.state)


class Counting:
    """A problem whose info counts its frames, and whose episodes end after three."""

    num_devices = 2

    def __init__(self) -> None:
        self.resets: list[tuple[int | None, object]] = []
        self.count = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self.resets.append((seed, options))
        self.count = 100 * len(self.resets)
        return self.state, {"frame": self.count}

    @property
    def state(self) -> NDArray[np.float64]:
        return np.full(2, self.count / 1000)

    def score(self, decisions: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(decisions.sum(axis=1) + self.count, np.float64)

    def step(self, decision: NDArray[np.int64]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(self.score(decision[None])[0])
        self.count += 1
        return self.state, reward, False, self.count % 100 == 3, {"frame": self.count}


@pytest.mark.parametrize("agent", [True, False])
def test_a_frame_has_its_own_infos_and_options_reach_every_reset(agent: bool) -> None:
    problem, options = Counting(), {"queue": 3}
    decider = DROO(MemoryDNN([2, 4, 2], seed=0)) if agent else all_offloading
    steps = list(simulate(decider, problem, 8, seed=7, options=options))
    first = [100, 101, 102, 200, 201, 202, 300, 301]
    assert [step.before["frame"] for step in steps] == first
    assert [step.info["frame"] for step in steps] == [each + 1 for each in first]
    assert [step.reward - step.decision.sum() for step in steps] == first
    assert problem.resets == [(7, options), (None, options), (None, options)]


def test_a_problem_whose_reset_takes_no_options_is_played() -> None:
    (step,) = simulate(all_offloading, CUSTOM(N), 1, seed=0)
    assert step.before == {}
    with pytest.raises(TypeError, match="options"):
        next(simulate(all_offloading, CUSTOM(N), 1, options={"queue": 3}))


def test_the_queues_of_an_info_are_those_of_its_frame() -> None:
    env, queue = QueueingMEC(N), np.arange(1.0, N + 1)
    expected, gains = {"data_queue": queue, "energy_queue": np.zeros(N)}, []
    for step in simulate(all_offloading, env, 10, seed=0, options={"data_queue": queue}):
        for name, values in expected.items():
            np.testing.assert_array_equal(step.before[name], values)
        served = step.before["data_queue"] - step.info["rate"]
        expected["data_queue"] = np.maximum(served + step.info["arrival"], 0)
        np.testing.assert_array_equal(step.info["data_queue"], expected["data_queue"])
        expected["energy_queue"] = step.info["energy_queue"]
        gains.append(step.before["channel_gain"])
    assert len({tuple(gain) for gain in gains}) == 10


def test_the_caller_may_change_the_problem_between_two_frames() -> None:
    env = WirelessPoweredMEC(N)
    frames = simulate(all_offloading, env, 2, seed=0)
    next(frames)
    env.weights = np.array([1.0, 2.0, 3.0, 4.0])
    (expected,) = env.score([[1] * N])
    assert next(frames).reward == pytest.approx(expected, rel=1e-12)


def test_a_fleet_does_what_its_agents_would_alone(new: Callable[[], Any]) -> None:
    settings = {"refine_every": None, "learn_when_wrong": False}
    problems = [new(), new()]
    droos = [agent_for(problem, b, **settings) for b, problem in enumerate(problems)]
    together = list(zip(*simulate_fleet(Fleet(droos), problems, 30), strict=True))
    for b, of_agent in enumerate(together):
        problem = new()
        alone = list(simulate(agent_for(problem, b, **settings), problem, 30))
        assert [step.decision.tolist() for step in of_agent] == [
            step.decision.tolist() for step in alone
        ]
        for name in ("frame", "k", "reward"):
            assert [getattr(step, name) for step in of_agent] == [
                getattr(step, name) for step in alone
            ]
        for one, other in zip(of_agent, alone, strict=True):
            assert one.before.keys() == other.before.keys()
            assert (one.cost is None) == (other.cost is None)


def test_a_fleet_resets_each_problem_with_its_own_options() -> None:
    problems = [Counting(), Counting()]
    droos = [DROO(MemoryDNN([2, 4, 2], seed=seed)) for seed in range(2)]
    options = [{"queue": 1}, None]
    for _ in simulate_fleet(Fleet(droos), problems, 4, options=options):
        pass
    assert [problem.resets for problem in problems] == [[(None, each)] * 2 for each in options]
    with pytest.raises(ValueError, match="problems must be 2, one an agent, got 1"):
        next(simulate_fleet(Fleet(droos), problems[:1], 4))


class Episodes:
    """A problem whose episodes have three frames."""

    num_devices = N

    def __init__(self) -> None:
        self.played = 0
        self.state = np.ones(N)

    def reset(self, *, seed: int | None = None) -> tuple[NDArray[np.float64], dict[str, Any]]:  # noqa: ARG002
        self.played = 0
        return self.state, {}

    def score(self, decisions: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(decisions.sum(axis=1), np.float64)

    def step(
        self, decision: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        self.played += 1
        return self.state, float(decision.sum()), self.played == 3, False, {}


def test_an_episode_that_ended_is_reset_before_the_caller_may_change_the_problem() -> None:
    alone, together = Episodes(), [Episodes(), Episodes()]
    seen = [alone.played for _ in simulate(agent_for(alone), alone, 4)]
    fleet = Fleet([agent_for(each, seed) for seed, each in enumerate(together)])
    of_fleet = [together[0].played for _ in simulate_fleet(fleet, together, 4)]
    assert seen == of_fleet == [1, 2, 0, 1]
