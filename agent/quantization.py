"""Quantizers: from one relaxed decision in [0, 1]^N to at most K binary candidates.

Every quantizer returns distinct rows, the rounded decision first.
"""

import heapq
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from agent.kernels import quantization as quantization_kernels
from droo_core.validation import positive_int

Decisions = NDArray[np.int64]
MODES = ("OP", "OPN", "KNN")


class Candidates(NamedTuple):
    """The candidates that a quantizer proposes.

    Attributes:
        decisions: distinct decisions `[K, N]`.
        ranks: `[K]`; with equal noise, candidate i is proposed exactly if `k > ranks[i]`.
    """

    decisions: Decisions
    ranks: NDArray[np.int64]


def quantize(logits: ArrayLike, k: int, mode: str, rng: np.random.Generator) -> Candidates:
    """Quantize a relaxed decision, given by its logits, with the quantizer that `mode` names.

    Args:
        logits: `[N]`, finite.
        k: the most candidates to propose (for OPN: twice that).
        mode: "OP" (`order_preserving`), "OPN" (`noisy_order_preserving`) or "KNN"
            (`nearest_neighbours`).
        rng: source of the noise.

    Raises:
        ValueError: if `k < 1`, or `mode` is unknown.
        TypeError: if `k` is not an integer.
    """
    logits, k = np.asarray(logits, dtype=np.float64), positive_int("k", k)
    check_mode(mode)
    if mode == "OP":
        return _thresholds(logits, 0.0, k)
    if mode == "OPN":
        noisy = logits + rng.standard_normal(logits.size)
        return _joined(_thresholds(logits, 0.0, k), _thresholds(noisy, 0.0, k))
    nearest = nearest_neighbours(scipy.special.expit(logits), k)
    return Candidates(nearest, np.arange(len(nearest)))


def check_mode(mode: str, num_places: int = 2) -> None:
    """Check the name of a quantizer.

    Raises:
        ValueError: if there is no quantizer of this name, or it is not for so many places.
    """
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if num_places > 2 and mode != "KNN":
        raise ValueError(f"mode must be KNN for {num_places} places, got {mode!r}")


def order_preserving(relaxed: ArrayLike, k: int) -> Decisions:
    """Quantize with the thresholds nearest to 1/2 (DROO eq. 8 and 9).

    The first candidate rounds at 1/2. Each further candidate takes as its threshold the relaxed
    entry next nearest to 1/2, and moves that device to the other side. If a candidate offloads a
    device, it offloads every device with a larger relaxed entry: hence the name, and at most N + 1
    candidates.

    Args:
        relaxed: relaxed decision `[N]`, entries in [0, 1].
        k: the most candidates to return.

    Returns:
        Distinct decisions `[K, N]` of zeros and ones, `K <= min(k, N + 1)`; fewer than that only
        where relaxed entries are equal, which makes thresholds coincide.

    Raises:
        ValueError: if `relaxed` is not a finite vector in [0, 1], or `k < 1`.
        TypeError: if `k` is not an integer.
    """
    return _thresholds(_relaxed_vector(relaxed), 0.5, positive_int("k", k)).decisions


def noisy_order_preserving(relaxed: ArrayLike, k: int, rng: np.random.Generator) -> Decisions:
    """Quantize the relaxed decision and a noisy copy of it, each order-preserving.

    Standard normal noise is added to the logits, so that confident devices seldom flip. The
    candidates go beyond the N + 1 of `order_preserving` (LyDROO).

    Args:
        relaxed: relaxed decision `[N]`, entries in [0, 1].
        k: the most candidates to take from each of the two.
        rng: source of the noise.

    Returns:
        Distinct decisions `[K, N]`, `K <= 2 min(k, N + 1)`: first those of `order_preserving`, then
        those that the noisy copy adds.

    Raises:
        ValueError: if `relaxed` is not a finite vector in [0, 1], or `k < 1`.
        TypeError: if `k` is not an integer.
    """
    return quantize(scipy.special.logit(_relaxed_vector(relaxed)), k, "OPN", rng).decisions


def nearest_neighbours(relaxed: ArrayLike, k: int) -> Decisions:
    """Return the k binary decisions nearest to the relaxed one, exactly, for any N.

    Moving device i away from its rounded value adds `|1 - 2 relaxed_i|` to the squared distance, so
    the k nearest decisions are the k smallest subset sums of these penalties. With the penalties
    sorted, a heap lists the subsets in order of their sums: from a subset whose largest member is
    number j come two more: with member j + 1 added, and with j + 1 in place of j. This takes
    O(N log N + k log k) steps, not 2^N.

    Args:
        relaxed: relaxed decision `[N]`, entries in [0, 1].
        k: the most candidates to return.

    Returns:
        Distinct decisions `[min(k, 2^N), N]` in order of their distance.

    Raises:
        ValueError: if `relaxed` is not a finite vector in [0, 1], or `k < 1`.
        TypeError: if `k` is not an integer.
    """
    relaxed, k = _relaxed_vector(relaxed), positive_int("k", k)
    penalty = np.abs(1 - 2 * relaxed)
    order = np.argsort(penalty, kind="stable")
    penalties = penalty[order].tolist()
    last = len(penalties) - 1

    flips: list[tuple[int, ...]] = [()]
    heap: list[tuple[float, tuple[int, ...]]] = [(penalties[0], (0,))]
    while heap and len(flips) < k:
        total, subset = heapq.heappop(heap)
        flips.append(subset)
        j = subset[-1]
        if j < last:
            heapq.heappush(heap, (total + penalties[j + 1], (*subset, j + 1)))
            step = penalties[j + 1] - penalties[j]
            heapq.heappush(heap, (total + step, (*subset[:-1], j + 1)))

    candidates = np.tile((relaxed > 0.5).astype(np.int64), (len(flips), 1))
    for candidate, subset in zip(candidates, flips, strict=True):
        candidate[order[list(subset)]] ^= 1
    return candidates


def likeliest(probabilities: ArrayLike, k: int) -> Decisions:
    """Return the k likeliest joint decisions, exactly, where devices choose independently.

    Device by device, the k likeliest of the devices so far are extended by every place of the next.

    Args:
        probabilities: of every place, for each device `[N, P]`.
        k: the most candidates to return.

    Returns:
        Distinct decisions `[min(k, P^N), N]` of places, the likeliest first; none is impossible.

    Raises:
        ValueError: if `probabilities` is not of that shape in [0, 1], or `k < 1`.
        TypeError: if `k` is not an integer.
    """
    probabilities, k = np.asarray(probabilities, dtype=np.float64), positive_int("k", k)
    if probabilities.ndim != 2 or probabilities.size == 0:
        raise ValueError(f"probabilities must have shape [N, P], got {list(probabilities.shape)}")
    if not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError("probabilities must lie in [0, 1]")
    with np.errstate(divide="ignore"):
        unlikely = -np.log(probabilities)
    totals, decisions = np.zeros(1), np.empty((1, 0), dtype=np.int64)
    for of_device in unlikely:
        extended = totals[:, None] + of_device
        best = np.argsort(extended, axis=None, kind="stable")[:k]
        best = best[np.isfinite(extended.ravel()[best])]
        rows, places = np.unravel_index(best, extended.shape)
        totals, decisions = extended[rows, places], np.column_stack((decisions[rows], places))
    return decisions


def without(candidates: Candidates, silent: NDArray[np.bool_]) -> Candidates:
    """Return candidates with the devices of a mask `[N]` at place 0, without duplicates."""
    decisions = np.where(silent, 0, candidates.decisions)
    _, first = np.unique(decisions, axis=0, return_index=True)
    kept = np.sort(first)
    return Candidates(decisions[kept], candidates.ranks[kept])


def with_probe(
    candidates: Candidates,
    num_places: int,
    active: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> Candidates:
    """Return the candidates and a probe: the first one with one random device changed.

    The quantizers propose only changes that the policy finds likely. A probe tries any device,
    whatever the policy's order is.

    Args:
        candidates: of a quantizer.
        num_places: the number of places that a device chooses from.
        active: mask `[N]` of the devices that may change; None for all.
        rng: source of the random device and place.

    Returns:
        The candidates, the probe last with rank 0, since every K proposes it. There is no probe if
        it would be a duplicate, or no device may change.
    """
    own = candidates.decisions[0]
    devices = np.arange(len(own)) if active is None else np.flatnonzero(active)
    if len(devices) == 0:
        return candidates
    probe, device = own.copy(), devices[rng.integers(len(devices))]
    probe[device] = (probe[device] + rng.integers(1, num_places)) % num_places
    if (candidates.decisions == probe).all(axis=1).any():
        return candidates
    return Candidates(
        np.concatenate((candidates.decisions, probe[None])), np.append(candidates.ranks, 0)
    )


def _relaxed_vector(relaxed: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(relaxed, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"relaxed must have shape [N], got {list(array.shape)}")
    smallest, largest = array.min(), array.max()  # NaN if any is, and then the comparison fails
    if not (smallest >= 0 and largest <= 1):
        raise ValueError(f"relaxed must lie in [0, 1], got entries from {smallest} to {largest}")
    return array


def _thresholds(values: NDArray[np.float64], center: float, k: int) -> Candidates:
    """Return the candidates of `order_preserving`, where the first threshold is `center`."""
    k = min(k, len(values) + 1)
    decisions, ranks = np.empty((k, len(values)), dtype=np.int64), np.empty(k, dtype=np.int64)
    count = quantization_kernels.order_preserving(values, center, k, decisions, ranks)
    return Candidates(decisions[:count], ranks[:count])


def _joined(*lists: Candidates) -> Candidates:
    """Join candidates; a decision that is there twice stays at its first index, at least rank."""
    rank_of: dict[bytes, int] = {}  # by bytes, since rows of an array cannot be hashed
    for decisions, ranks in lists:
        for rank, row in zip(ranks.tolist(), decisions, strict=True):
            key = row.tobytes()
            rank_of[key] = min(rank, rank_of.get(key, rank))
    joined = np.frombuffer(b"".join(rank_of), dtype=np.int64).reshape(len(rank_of), -1)
    return Candidates(joined.copy(), np.array(list(rank_of.values())))
