"""The frame loop of MEC with queues: an agent or a scheme, and the environment, take turns."""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from agent import DROO, Choice
from droo_core.validation import in_range
from env import QueueingCritic, QueueingFrame, QueueingMEC
from env.schemes import certified_lyapunov_optimum
from experiments.droo import no_bar, timing_of
from experiments.loops.event_log import LOGGED, EventLog
from experiments.problems.queueing.history import Learned, QueueingHistory
from experiments.runs.results import cost_columns
from experiments.simulation import decide

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MAX_NODES = 10_000  # for the optimum of a frame: some milliseconds

Scheme: TypeAlias = Callable[[QueueingMEC], Ints]


class Step(NamedTuple):
    """What one frame came to.

    Attributes:
        before: gains, data queues and energy queues at its start, `[N]` each.
        decision: what was done `[N]`.
        info: what the environment tells of the frame carried out.
        decision_us: how long the decision took, the training step included, in microseconds.
        frames: how many were played until now.
        choice: of an agent, what it knows of its decision; else None.
        k: of an agent, K when the frame began; else 0.
        cost: the training loss if a training step fell in this frame, else None.
    """

    before: tuple[Floats, Floats, Floats]
    decision: Ints
    info: dict[str, Any]
    decision_us: float
    frames: int
    choice: Choice | None = None
    k: int = 0
    cost: float | None = None


def play(
    env: QueueingMEC, decider: DROO | Scheme, frames: int, energy_reserve: float = 0.0
) -> Iterator[Step]:
    """Yield the frames that an agent, or a scheme, plays in an environment, which is reset first.

    The energy queues begin with `energy_reserve`, J.

    Raises:
        ValueError: if that is negative, NaN or infinite.
    """
    env.reset(options=reset_options(env, energy_reserve))
    for number in range(1, frames + 1):
        before = env.gain, env.data_queue, env.energy_queue
        if isinstance(decider, DROO):
            choice, k, cost, decision_us = decide(decider, env.state, env.score, env.climb)
            *_, info = env.step(choice.decision)
            yield Step(before, choice.decision, info, decision_us, number, choice, k, cost)
        else:
            start = time.perf_counter_ns()
            decision = decider(env)
            decision_us = (time.perf_counter_ns() - start) / 1000
            *_, info = env.step(decision)
            yield Step(before, decision, info, decision_us, number)


def reset_options(env: QueueingMEC, energy_reserve: float) -> dict[str, Any]:
    """Return the options of a reset after which each device has an energy reserve, J.

    Raises:
        ValueError: if that is negative, NaN or infinite.
    """
    in_range("energy_reserve", energy_reserve, 0, math.inf, ())
    reserve = np.full(env.num_devices, env.parameters.energy_queue_scale * energy_reserve)
    return {"energy_queue": reserve}


def warm_up(env: QueueingMEC, decider: DROO | Scheme) -> None:
    """Play two frames with a copy of an agent, and learn: all is compiled afterwards."""
    trial = copy.deepcopy(decider)
    for _ in play(env, trial, 2):
        pass
    if isinstance(trial, DROO):
        trial.agent.learn()


def record(
    env: QueueingMEC,
    decider: DROO | Scheme,
    frames: int,
    energy_reserve: float = 0.0,
    *,
    progress: bool,
    log: EventLog | None = None,
) -> tuple[QueueingHistory, dict[str, float]]:
    """Play frames; return them, and how long they took, compilation not included.

    Args:
        env: the environment.
        decider: an agent, or a scheme.
        frames: how many to play.
        energy_reserve: as in `LyDROOConfig`, J.
        progress: whether to show a progress bar, on a terminal.
        log: where its curves go, if anywhere.
    """
    gain, data_queue, energy_queue, arrival, rate, energy = np.empty((6, frames, env.num_devices))
    decision, decision_us = np.empty((frames, env.num_devices), dtype=np.int64), np.empty(frames)
    learned = Learned.empty(frames) if isinstance(decider, DROO) else None
    costs = []
    critic = QueueingCritic(env.weights, env.parameters)
    warm_up(env, decider)
    start = time.perf_counter()
    steps = with_progress(play(env, decider, frames, energy_reserve), frames, progress=progress)
    if log is not None:
        steps = log.follow(steps, frames, lambda block, _: means(block, critic))
    for t, step in enumerate(steps):
        gain[t], data_queue[t], energy_queue[t] = step.before
        arrival[t], rate[t] = step.info["arrival"], step.info["rate"]
        energy[t], decision[t], decision_us[t] = (
            step.info["energy"],
            step.decision,
            step.decision_us,
        )
        if learned is not None and step.choice is not None:
            learned.own_objective[t], learned.k[t] = step.choice.own_reward, step.k
            learned.best_candidate[t] = step.choice.candidate
            learned.scored[t] = step.choice.num_candidates
        if step.cost is not None:
            costs.append((t + 1, step.cost))
    seconds = time.perf_counter() - start
    cost_frame, cost = cost_columns(costs)
    history = QueueingHistory(
        gain=gain,
        arrival=arrival,
        data_queue=data_queue,
        energy_queue=energy_queue,
        decision=decision,
        weights=env.weights,
        rate=rate,
        energy=energy,
        objective=objective_of(critic, data_queue, energy_queue, rate, energy),
        optimal_objective=optima(critic, gain, data_queue, energy_queue),
        learned=learned,
        cost_frame=cost_frame,
        cost=cost,
    )
    if log is not None:
        log_optimality(history.normalized_objective, log)
    return history, timing_of(seconds, decision_us)


def objective_of(
    critic: QueueingCritic, data_queue: Floats, energy_queue: Floats, rate: Floats, energy: Floats
) -> Floats:
    """Return the drift plus penalty `[T]` of frames `[T, N]`, as it was carried out."""
    worth = data_queue + critic.parameters.tradeoff * critic.weights
    price = critic.parameters.energy_price * energy_queue
    objective: Floats = (worth * rate - price * energy).sum(axis=1)
    return objective


def optima(
    critic: QueueingCritic, gain: Floats, data_queue: Floats, energy_queue: Floats
) -> Floats:
    """Return an upper bound of the objective of each frame `[T]`, as a rule tight to 1e-11."""
    frames = (
        QueueingFrame(critic, *frame) for frame in zip(gain, data_queue, energy_queue, strict=True)
    )
    optima = (certified_lyapunov_optimum(frame, max_nodes=MAX_NODES) for frame in frames)
    return np.array([found.upper_bound for found in optima])


def with_progress(
    steps: Iterator[Step], frames: int, *, progress: bool, every: int = 200
) -> Iterator[Step]:
    """Pass frames on, under a progress bar with the last one's mean queue, K and loss."""
    loss = math.nan
    with tqdm(total=frames, unit="frame", disable=no_bar(progress)) as bar:
        for step in steps:
            loss = loss if step.cost is None else step.cost
            if step.frames % every == 0 or step.frames == frames:
                queue = step.before[1].mean()
                bar.set_postfix(queue=f"{queue:.1f}", K=step.k, loss=f"{loss:.4f}", refresh=False)
                bar.update(step.frames - bar.n)
            yield step


def means(block: Sequence[Step], critic: QueueingCritic) -> dict[str, float]:
    """Return the means over some frames, under the names that the columns of a run's files have."""
    _, data_queue, energy_queue = (
        np.array(each) for each in zip(*(step.before for step in block), strict=True)
    )
    rate, energy = (np.array([step.info[name] for step in block]) for name in ("rate", "energy"))
    objective = objective_of(critic, data_queue, energy_queue, rate, energy)
    columns: dict[str, Any] = {
        "mean_data_queue": data_queue,
        "mean_energy_queue": energy_queue,
        "mean_energy": energy,
        "mean_rate": rate,
        "objective": objective,
        "own_objective": [step.choice.own_reward for step in block if step.choice],
        "k": [step.k for step in block if step.choice],
        "scored": [step.choice.num_candidates for step in block if step.choice],
        "cost": [step.cost for step in block if step.cost is not None],
    }
    return {name: float(np.mean(values)) for name, values in columns.items() if len(values)}


def log_optimality(normalized_objective: Floats, log: EventLog) -> None:
    """Log the means of what was sought when all was played: objective over optimum `[T]`."""
    frames = len(normalized_objective)
    for begin in range(0, frames, LOGGED):
        end = min(begin + LOGGED, frames)
        log.scalars(end, {"normalized_objective": float(normalized_objective[begin:end].mean())})
