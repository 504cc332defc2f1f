"""The registry: generic code finds the environments and critics that problems register."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, MultiBinary

import env
from env import ProblemSpec, register, registered_problems
from env.labels import label
from env.registry import spec_of_critic
from env.schemes import full_enumeration


class Toy(gymnasium.Env[Any, Any]):
    """A problem of another package: each device that offloads earns its gain minus 1/2."""

    num_devices = 3
    action_space = MultiBinary(3)
    observation_space = Box(0, 1, (3,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        self.state = self.np_random.random(3)
        return self.state, {}

    def step(self, action: Any) -> Any:
        reward = float(self.score(np.asarray(action)[None])[0])
        self.state = self.np_random.random(3)
        return self.state, reward, False, False, {}

    def score(self, decisions: Any) -> Any:
        return decisions @ (self.state - 0.5)


TOY = ProblemSpec("toy", "Toy-v0", Toy)


@pytest.fixture
def toy() -> Iterator[None]:
    register(TOY)
    yield
    env.registry._registered.pop("toy")
    gymnasium.registry.pop("Toy-v0")


def test_every_problem_of_the_package_is_registered() -> None:
    assert [*registered_problems()] == ["wpmec", "queueing"]
    for spec in registered_problems().values():
        made = gymnasium.make(spec.environment_id, num_devices=4)
        assert type(made.unwrapped) is spec.environment
        vector: Any = gymnasium.make_vec(spec.environment_id, 2, num_devices=4)
        assert spec.vector_environment is not None
        assert type(vector.unwrapped) is spec.vector_environment


@pytest.mark.parametrize("name", [*registered_problems()])
def test_the_optimum_of_a_problem_is_the_best_of_all_decisions(name: str) -> None:
    spec = registered_problems()[name]
    problem: Any = spec.environment(num_devices=6)  # type: ignore[call-arg]
    problem.reset(seed=0)
    assert spec.optimum is not None
    assert spec.certified_optimum is not None
    for _ in range(20):
        certified = spec.certified_optimum(problem)
        assert (spec.optimum(problem) == certified.decision).all()
        best = problem.score(full_enumeration(problem)[None])[0]
        assert certified.reward == pytest.approx(best, rel=1e-9)
        assert best <= certified.upper_bound * (1 + 1e-11)
        bound = (1 + certified.gap) * certified.reward
        assert certified.upper_bound == pytest.approx(bound, rel=1e-12)
        problem.step(certified.decision)


@pytest.mark.usefixtures("toy")
def test_a_problem_from_elsewhere_can_be_registered() -> None:
    assert registered_problems()["toy"] is TOY
    made = gymnasium.make("Toy-v0")
    report = env.check_problem(made.unwrapped)  # type: ignore[arg-type]
    assert report.num_devices == 3


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (TOY, "name toy must not be registered twice"),
        (ProblemSpec("other", "WPMEC-v0", Toy), "environment_id WPMEC-v0 must not be registered"),
    ],
)
def test_a_name_is_registered_once(spec: ProblemSpec, message: str) -> None:
    before = registered_problems()
    with pytest.raises(ValueError, match=message):
        register(spec)
    assert registered_problems() == before


def test_a_critic_belongs_to_the_problem_that_registered_it() -> None:
    for name, critic in (
        ("wpmec", env.WPMECCritic([1.0])),
        ("queueing", env.QueueingCritic([1.0])),
    ):
        spec = spec_of_critic(critic)
        assert spec is not None
        assert spec.name == name
    assert spec_of_critic(object()) is None


def test_critics_whose_frames_cannot_be_labelled_are_refused() -> None:
    class Critic:
        num_devices = 2
        labelled = env.WPMECCritic.labelled

        def frame(self, gain: Any) -> Any:
            return gain

    for critic in (Critic(), env.QueueingCritic([1.0, 1.5])):
        with pytest.raises(TypeError, match="critic must be of a registered problem whose frames"):
            label(np.ones((1, 2)), critic)  # type: ignore[arg-type]
