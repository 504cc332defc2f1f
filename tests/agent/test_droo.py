import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from agent import DROO, Choice, MemoryDNN, checkpoint
from agent.quantization import Candidates
from agent.scoring import Score
from droo_core.arrays import Ints
from env import QueueingMEC
from tests.conftest import ROOT

N = 4


def new_droo(adapt_every: int | None = 32, mode: str = "OP", seed: int = 0) -> DROO:
    agent = MemoryDNN([N, 32, 16, N], training_interval=5, memory_size=256, seed=seed)
    return DROO(agent, mode=mode, adapt_every=adapt_every)


def prefer(index: int) -> Score:
    """Return a critic for which the candidate with this index is the best."""
    return lambda decisions: -np.abs(np.arange(len(decisions)) - index)


def test_it_learns_a_problem_with_a_known_solution() -> None:
    droo = new_droo()
    rng = np.random.default_rng(1)
    right = []
    for _ in range(3000):
        state = rng.exponential(size=N)
        choice = droo.decide(state, lambda x, best=state > 1: -np.abs(x - best).sum(axis=1))  # type: ignore[misc]
        right.append(choice.reward == 0)
    assert np.mean(right[-500:]) > 0.98
    assert np.mean(right[:100]) < 0.9


def test_the_best_candidate_is_carried_out_and_stored() -> None:
    droo = new_droo()
    scored: list[Ints] = []

    def score(decisions: Ints) -> Ints:
        scored.append(decisions)
        return -np.abs(np.arange(len(decisions)) - 2)

    state = np.arange(1.0, N + 1)
    choice = droo.decide(state, score)
    assert len(scored) == 1
    assert choice.candidate == 2
    assert choice.reward == 0
    assert choice.num_candidates == len(scored[0]) == N
    assert (choice.decision == scored[0][2]).all()
    assert droo.agent.memory[0].tolist() == [*state, *choice.decision]


@pytest.mark.parametrize("newest", [0, 1, 2, 3])
def test_k_follows_the_largest_winner_the_newest_frame_included(newest: int) -> None:
    droo = new_droo(adapt_every=8)
    for winner in [0] * 7 + [newest]:
        assert droo.k == N
        droo.decide(np.ones(N), prefer(winner))
    assert droo.k == min(newest + 2, N)


def test_k_stays_between_its_updates() -> None:
    droo = new_droo(adapt_every=8)
    seen = []
    for t in range(32):
        seen.append(droo.k)
        droo.decide(np.ones(N), prefer((t // 8) % 2))
    assert seen == [4] * 8 + [2] * 8 + [3] * 8 + [2] * 8


def test_k_follows_the_rank_of_a_winner_that_only_noise_proposed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    droo = new_droo(mode="OPN", adapt_every=8)
    decisions = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
    proposal = Candidates(decisions, np.array([0, 1, 1]))  # plain, plain, noisy
    monkeypatch.setattr(droo.agent, "propose", lambda *_: proposal)
    for _ in range(8):
        droo.decide(np.ones(N), prefer(2))
    assert droo.k == 3


def test_a_critic_cannot_change_what_is_stored() -> None:
    def score(decisions: Ints) -> NDArray[np.float64]:
        decisions[:] = 1 - decisions
        return np.arange(len(decisions), 0.0, -1.0)

    droo = new_droo()
    expected = droo.agent.decode(np.ones(N))[0]
    assert (droo.decide(np.ones(N), score).decision == expected).all()
    assert (droo.agent.memory[0, N:] == expected).all()


def test_k_is_constant_without_adaptation() -> None:
    droo = new_droo(adapt_every=None)
    for _ in range(100):
        droo.decide(np.ones(N), prefer(0))
    assert droo.k == N


def test_k_shrinks_and_grows_under_the_noisy_quantizer_too() -> None:
    droo = new_droo(mode="OPN")
    for _ in range(64):
        droo.decide(np.ones(N), prefer(0))
    assert droo.k == 2
    for _ in range(64):
        droo.decide(np.ones(N), prefer(1))
    assert droo.k == 3


def test_infeasible_candidates_are_passed_over() -> None:
    choice = new_droo().decide(np.ones(N), lambda x: [-np.inf] * (len(x) - 1) + [1.0])
    assert choice.candidate == choice.num_candidates - 1


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([1.0, 2.0], r"score must return one reward per candidate, shape \[4\], got \[2\]"),
        ([[1.0], [2.0], [3.0], [4.0]], r"shape \[4\], got \[4, 1\]"),
        ([1.0, 2.0, np.nan, 4.0], "score must return finite rewards .* got nan"),
        ([1.0, 2.0, np.inf, 4.0], "score must return finite rewards .* got inf"),
        ([-np.inf] * 4, "score must return finite rewards .* got -inf"),
    ],
)
def test_bad_rewards_are_named_and_nothing_is_learned(rewards: object, message: str) -> None:
    droo = new_droo()
    with pytest.raises(ValueError, match=message):
        droo.decide(np.ones(N), lambda _: rewards)  # type: ignore[arg-type,return-value]
    assert droo.agent.memory_counter == 0


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("num_candidates", 0, ValueError),
        ("num_candidates", 1.5, TypeError),
        ("adapt_every", 0, ValueError),
        ("refine_every", 0, ValueError),
        ("refine_every", 1.5, TypeError),
    ],
)
def test_bad_arguments_are_named(name: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{name} must be"):
        DROO(MemoryDNN([N, N]), **{name: value})  # type: ignore[arg-type]


def nearest_to(target: Ints) -> Score:
    """Return a critic whose score is the number of devices that decide as in the target."""
    return lambda decisions: -np.abs(decisions - target).sum(axis=1)


def test_refinement_ends_where_no_single_change_helps() -> None:
    rng = np.random.default_rng(0)
    droo = DROO(MemoryDNN([N, N], seed=0), refine_every=8)
    for _ in range(8):
        table = rng.normal(size=(2,) * N)
        choice = droo.decide(np.ones(N), lambda x, table=table: table[tuple(x.T)])  # type: ignore[misc]
        assert choice.reward == table[tuple(choice.decision)]
        changed = choice.decision ^ np.eye(N, dtype=np.int64)
        assert (table[tuple(changed.T)] <= choice.reward).all()
        assert (droo.agent.memory[droo.agent.memory_counter - 1, N:] == choice.decision).all()


def test_decisions_scored_by_refinement_come_after_the_candidates() -> None:
    droo = DROO(MemoryDNN([N, N], seed=0), num_candidates=1, refine_every=8)
    own = droo.agent.decode(np.ones(N))[0]
    target = own.copy()
    target[[0, 2]] ^= 1
    choice = droo.decide(np.ones(N), nearest_to(target))
    assert (choice.decision == target).all()
    assert choice.reward == 0
    # One candidate, two changes that help, and one round that finds none.
    assert choice.num_candidates == 1 + 3 * N
    assert choice.candidate == 1 + N + 2


def test_refinement_is_tried_as_long_as_it_helps_and_now_and_then_afterwards() -> None:
    droo = DROO(MemoryDNN([N, N], seed=0), num_candidates=1, adapt_every=None, refine_every=4)
    own = droo.agent.decode(np.ones(N))[0]
    other = own ^ np.array([1, 0, 0, 0])
    droo.agent.training_interval = 1000  # the policy stays as it is

    def refined(target: Ints, frames: int) -> list[bool]:
        choices = [droo.decide(np.ones(N), nearest_to(target)) for _ in range(frames)]
        return [choice.num_candidates > 1 for choice in choices]

    assert refined(other, 10) == [True] * 10  # it helps in each
    # Four tries in vain, then every fourth frame.
    assert refined(own, 12) == [True] * 4 + [False, False, False, True] * 2
    # It helps again in the frame in which it is next tried, and from then on.
    assert refined(other, 8) == [False, False, False] + [True] * 5


def test_without_refinement_the_critic_is_asked_once() -> None:
    calls: list[int] = []
    droo = new_droo()
    droo.decide(np.ones(N), lambda x: calls.append(len(x)) or np.zeros(len(x)))  # type: ignore[func-returns-value]
    assert calls == [N]


def test_a_frame_that_failed_uses_up_no_try() -> None:
    droo = DROO(MemoryDNN([N, N], seed=0), num_candidates=1, refine_every=2)

    def fail(decisions: Ints) -> NDArray[np.float64]:
        return np.full(len(decisions), np.nan if len(decisions) > 1 else 0.0)

    for _ in range(3):
        with pytest.raises(ValueError, match="got nan"):
            droo.decide(np.ones(N), fail)
    assert droo.agent.memory_counter == 0
    assert droo.decide(np.ones(N), lambda x: np.zeros(len(x))).num_candidates == 1 + N


def test_equal_decisions_are_not_exchanged_for_ever() -> None:
    droo = DROO(MemoryDNN([N, N], seed=0), refine_every=2)
    assert droo.decide(np.ones(N), lambda x: np.full(len(x), 0.1 + 0.2)).candidate == 0


def test_a_change_that_is_infeasible_is_passed_over() -> None:
    droo = DROO(MemoryDNN([N, N], seed=0), num_candidates=1, refine_every=2)
    own = droo.agent.decode(np.ones(N))[0]
    score = lambda x: np.where((x == own).all(axis=1), 1.0, -np.inf)  # noqa: E731
    assert (droo.decide(np.ones(N), score).decision == own).all()


def test_training_falls_on_every_frame_in_which_the_policy_was_wrong() -> None:
    agent = MemoryDNN([N, 16, N], training_interval=10, seed=0)
    droo = DROO(agent, learn_when_wrong=True, adapt_every=None)
    for frame in range(1, 41):
        before = agent.updates
        choice = droo.decide(np.ones(N), prefer(frame % 2))
        assert agent.updates - before == (choice.candidate > 0 or frame % 10 == 0)


@pytest.mark.parametrize("every", [1, 7])
def test_learn_later_trains_only_in_learn_due(every: int, tmp_path: Path) -> None:
    def play(droo: DROO, first: int, last: int) -> list[float]:
        rewards = []
        for t in range(first, last):
            state = np.random.default_rng(t).exponential(size=N)
            before = droo.agent.updates
            choice = droo.decide(state, lambda x, s=state: (x * (s - 1)).sum(axis=1))  # type: ignore[misc]
            rewards.append(choice.reward)
            if droo.learn_later:
                assert droo.agent.updates == before
                if t % every == 0:
                    droo.learn_due()
                    assert droo.due == 0
        return rewards

    def new(*, learn_later: bool) -> DROO:
        agent = MemoryDNN([N, 32, 16, N], training_interval=5, memory_size=256, seed=0)
        return DROO(agent, learn_when_wrong=True, learn_later=learn_later)

    later, at_once = new(learn_later=True), new(learn_later=False)
    rewards = play(later, 0, 300)
    assert play(new(learn_later=True), 0, 300) == rewards
    assert (play(at_once, 0, 300) == rewards) == (every == 1)
    assert later.agent.updates + later.due >= 300 // 5

    stopped = new(learn_later=True)
    play(stopped, 0, 104)
    assert (stopped.due > 0) == (every > 1)
    stopped.save(tmp_path / "droo")
    assert play(DROO.load(tmp_path / "droo"), 104, 300) == rewards[104:]


def test_k_continues_to_adapt_after_the_window_is_shortened() -> None:
    droo = new_droo(adapt_every=32)
    for _ in range(20):
        droo.decide(np.ones(N), prefer(0))
    droo.adapt_every = 8
    for _ in range(9):
        droo.decide(np.ones(N), prefer(0))
    assert droo.k == 2


def test_an_unknown_mode_is_named() -> None:
    with pytest.raises(ValueError, match="mode must be one of OP, OPN, KNN, got 'XX'"):
        new_droo(mode="XX")


@pytest.mark.parametrize("mode", ["OP", "OPN", "KNN"])
def test_a_loaded_droo_continues_as_if_never_stopped(mode: str, tmp_path: Path) -> None:
    def play(droo: DROO, frames: range) -> list[tuple[int, float, int]]:
        trace = []
        for t in frames:
            state = np.random.default_rng(t).exponential(size=N)
            choice = droo.decide(state, lambda x, s=state: (x * (s - 1)).sum(axis=1))  # type: ignore[misc]
            trace.append((choice.candidate, choice.reward, droo.k))
        return trace

    def new() -> DROO:
        agent = MemoryDNN([N, 32, 16, N], training_interval=5, memory_size=256, seed=0)
        return DROO(agent, mode=mode, adapt_every=3, refine_every=5, learn_when_wrong=True)

    unbroken = play(new(), range(300))
    assert len({k for *_, k in unbroken}) > 1
    for stop in (4, 137, 150):
        droo = new()
        play(droo, range(stop))
        droo.save(tmp_path / "droo")
        assert play(DROO.load(tmp_path / "droo"), range(stop, 300)) == unbroken[stop:]


def test_a_memory_dnn_alone_is_no_droo(tmp_path: Path) -> None:
    MemoryDNN([N, N]).save(tmp_path / "agent")
    with pytest.raises(ValueError, match=r"load it with MemoryDNN.load"):
        DROO.load(tmp_path / "agent")


def test_importing_the_agent_imports_nothing_it_does_not_need() -> None:
    code = "import sys, agent; print({'matplotlib', 'gymnasium'} & sys.modules.keys())"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("from_local", [False, True])
def test_a_problems_own_refinement_leads_to_the_same_decisions(from_local: bool) -> None:
    played = []
    for own in (False, True):
        env = QueueingMEC(6)
        agent = MemoryDNN([18, 16, 6], training_interval=5, seed=0)
        droo = DROO(agent, refine_every=8, refine_from_local=from_local)
        env.reset(seed=0)
        choices = []
        for _ in range(150):
            choices.append(droo.decide(env.state, env.score, env.climb if own else None))
            env.step(choices[-1].decision)
        played.append((choices, agent.memory.copy(), droo.k))
    (plain, memory, k), (own_way, own_memory, own_k) = played
    for one, other in zip(plain, own_way, strict=True):
        assert (one.decision == other.decision).all()
        assert one.reward == pytest.approx(other.reward, rel=1e-12)
    assert (memory == own_memory).all()
    assert k == own_k


def crowded(decisions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score decisions; above three offloading devices, removing one of them lowers the score."""
    number = decisions.sum(axis=1)
    value: NDArray[np.float64] = (decisions * [5.0, 4.0, 3.0, 2.0, 1.0]).sum(axis=1)
    return np.where(number <= 2, value, number - 10.0)


def test_refining_from_local_too_escapes_a_crowded_local_optimum() -> None:
    def chosen(**options: Any) -> Choice:
        agent = MemoryDNN([5, 5], seed=0)
        with torch.no_grad():
            for parameter in agent.network.parameters():
                parameter.fill_(1.0)  # all devices are sure to offload
        return DROO(agent, num_candidates=1, refine_every=1, **options).decide(np.ones(5), crowded)

    stuck, found = chosen(), chosen(refine_from_local=True)
    assert stuck.decision.sum() == 5
    assert found.decision.tolist() == [1, 1, 0, 0, 0]
    assert found.reward == 9
    assert 0 < found.candidate < found.num_candidates
    # Own decision and its 5 changes; computing locally and 5 changes after each of 3 steps.
    assert (stuck.num_candidates, found.num_candidates) == (1 + 5, 1 + 5 + 1 + 3 * 5)


@pytest.mark.parametrize(
    ("found", "reward"), [(np.zeros(4, dtype=int), 1.0), (np.zeros(5, dtype=int), np.nan)]
)
def test_a_climb_that_returns_nonsense_is_refused(found: NDArray[np.int64], reward: float) -> None:
    droo = DROO(MemoryDNN([5, 5], seed=0), refine_every=1)
    with pytest.raises(ValueError, match="climb must return a decision"):
        droo.decide(np.ones(5), crowded, lambda _: (found, reward, 1))
    assert droo.agent.memory_counter == 0


def test_a_checkpoint_from_before_refining_from_local_loads(tmp_path: Path) -> None:
    file = tmp_path / "droo.safetensors"
    DROO(MemoryDNN([5, 5], seed=0), refine_every=4, refine_from_local=True).save(file)
    assert DROO.load(file).refine_from_local
    tensors, meta = checkpoint.restore(file, lambda tensors, meta: (tensors, meta))
    del meta["droo"]["refine_from_local"]
    checkpoint.write(file, tensors, meta)
    assert not DROO.load(file).refine_from_local
