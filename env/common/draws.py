"""Random frames of many environments, drawn ahead in blocks where that can be undone."""

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from gymnasium.utils import seeding

from droo_core.arrays import Floats, Indices
from env.common.models import FrameModel, NoiseDriven

Models = Sequence[FrameModel]

BLOCK_SIZE = 64  # frames


class Draws:
    """The random frames of B environments, each with its own generator and its own models.

    The frames equal those of an environment that samples its models frame by frame: before a new
    episode, frames drawn but not used are undone. Models whose `sample` is not that of
    `NoiseDriven` are sampled frame by frame.

    Args:
        num_envs: B.
        models: sampled in a step, in this order; the last is the channel, the only one sampled for
            the first frame of an episode. Each environment gets its own copies.
    """

    def __init__(self, num_envs: int, models: Models) -> None:
        self._models = [copy.deepcopy(models) for _ in range(num_envs)]
        self._seeded: list[tuple[np.random.Generator, int] | None] = [None] * num_envs
        self._before: list[tuple[Any, Models]] = [({}, ())] * num_envs  # state before the block
        self._driven = all(
            getattr(type(model), "sample", None) is NoiseDriven.sample for model in models
        )
        self._size = BLOCK_SIZE if self._driven else 1  # frames of a block
        self._blocks = [np.empty((num_envs, self._size, model.num_devices)) for model in models]
        self._used = np.full(num_envs, self._size)  # frames of the block used

    @property
    def generators(self) -> tuple[np.random.Generator, ...]:
        """The environments' generators, in their state after the frames used so far."""
        for b in range(len(self._models)):
            self._undo(b)
        return tuple(self._generator(b) for b in range(len(self._models)))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the environments' generators."""
        return tuple(self._seeding(b)[1] for b in range(len(self._models)))

    def start(self, environments: Indices, seeds: Sequence[int | None]) -> Floats:
        """Return the first gains `[E, N]` of new episodes.

        Args:
            environments: indices `[E]`.
            seeds: `[E]`; None continues with the current generator.
        """
        gains = np.empty((len(environments), self._blocks[-1].shape[-1]))
        for gain, b, seed in zip(gains, environments, seeds, strict=True):
            self._undo(b)
            if seed is not None:
                self._seeded[b] = seeding.np_random(seed)
            for model in self._models[b]:
                model.reset()
            gain[:] = self._models[b][-1].sample(self._generator(b), 1)[0]
        return gains

    def next(self, environments: Indices) -> list[Floats]:
        """Return the next frame `[E, N]` of each model, in environments with indices `[E]`."""
        for b in environments[self._used[environments] == self._size]:
            self._draw(b)
        frames = [block[environments, self._used[environments]] for block in self._blocks]
        self._used[environments] += 1
        return frames

    def _seeding(self, b: int) -> tuple[np.random.Generator, int]:
        """Return an environment's generator and its seed, drawn at random if none was given."""
        seeded = self._seeded[b] = self._seeded[b] or seeding.np_random()
        return seeded

    def _generator(self, b: int) -> np.random.Generator:
        return self._seeding(b)[0]

    def _draw(self, b: int) -> None:
        """Draw an environment's next block."""
        if self._driven:
            state = self._generator(b).bit_generator.state
            self._before[b] = state, copy.deepcopy(self._models[b])
        for block, frames in zip(self._blocks, self._sample(b, self._size), strict=True):
            block[b] = frames
        self._used[b] = 0

    def _undo(self, b: int) -> None:
        """Restore generator and models to their state after the last frame used."""
        if self._used[b] < self._size:
            self._generator(b).bit_generator.state, self._models[b] = self._before[b]
            self._sample(b, int(self._used[b]))
            self._used[b] = self._size

    def _sample(self, b: int, num_frames: int) -> list[Floats]:
        """Return the next frames `[T, N]` of each model, as sampled in turn frame by frame."""
        rng, models = self._generator(b), self._models[b]
        if len(models) == 1 or num_frames == 1:
            return [model.sample(rng, num_frames) for model in models]
        driven = cast(Sequence[NoiseDriven], models)
        noise = [[model.noise(rng, 1) for model in driven] for _ in range(num_frames)]
        return [
            model.of_noise(np.concatenate(of_model))
            for model, of_model in zip(driven, zip(*noise, strict=True), strict=True)
        ]
