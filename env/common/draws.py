"""What chance gives to many environments, drawn some frames ahead where that can be undone."""

import copy
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from env.arrivals import ArrivalModel
from env.channel import ChannelModel, NoiseDriven

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Models = Sequence[ChannelModel | ArrivalModel]

AHEAD = 64  # frames that are drawn at once


class Draws:
    """The random frames of B environments, each with its own generator and its own models.

    They are those that an environment gets that asks its models frame by frame: before an episode
    starts anew the frames that were drawn in vain are taken back. Models that sample in another way
    than `NoiseDriven` are asked frame by frame here too.

    Args:
        num_envs: B.
        models: whom a step asks, in this order; the last is the channel, which alone is asked for
            the first frame of an episode. Each environment gets copies of its own.
    """

    def __init__(self, num_envs: int, models: Models) -> None:
        self._models = [copy.deepcopy(models) for _ in range(num_envs)]
        self._seeded: list[tuple[np.random.Generator, int] | None] = [None] * num_envs
        self._before: list[tuple[Any, Models]] = [({}, ())] * num_envs  # the last block
        self._driven = all(
            getattr(type(model), "sample", None) is NoiseDriven.sample for model in models
        )
        self._size = AHEAD if self._driven else 1  # of a block, frames
        self._blocks = [np.empty((num_envs, self._size, model.num_devices)) for model in models]
        self._used = np.full(num_envs, self._size)  # frames of the block

    @property
    def generators(self) -> tuple[np.random.Generator, ...]:
        """The environments' generators, in the state that the frames so far have left."""
        for b in range(len(self._models)):
            self._take_back(b)
        return tuple(self._generator(b) for b in range(len(self._models)))

    @property
    def seeds(self) -> tuple[int, ...]:
        """What the environments' generators were seeded with."""
        return tuple(self._seeding(b)[1] for b in range(len(self._models)))

    def start(self, environments: Indices, seeds: Sequence[int | None]) -> Floats:
        """Return the first gains `[E, N]` of new episodes.

        Args:
            environments: E of them.
            seeds: `[E]`; None goes on with the generator that there is.
        """
        gains = np.empty((len(environments), self._blocks[-1].shape[-1]))
        for gain, b, seed in zip(gains, environments, seeds, strict=True):
            self._take_back(b)
            if seed is not None:
                self._seeded[b] = seeding.np_random(seed)
            for model in self._models[b]:
                model.reset()
            gain[:] = self._models[b][-1].sample(self._generator(b), 1)[0]
        return gains

    def next(self, environments: Indices) -> list[Floats]:
        """Return the next frames `[E, N]` of E environments, one for each model."""
        for b in environments[self._used[environments] == self._size]:
            self._draw(b)
        frames = [block[environments, self._used[environments]] for block in self._blocks]
        self._used[environments] += 1
        return frames

    def _seeding(self, b: int) -> tuple[np.random.Generator, int]:
        """Return an environment's generator and its seed; without one it is chance's."""
        seeded = self._seeded[b] = self._seeded[b] or seeding.np_random()
        return seeded

    def _generator(self, b: int) -> np.random.Generator:
        return self._seeding(b)[0]

    def _draw(self, b: int) -> None:
        if self._driven:
            state = self._generator(b).bit_generator.state
            self._before[b] = state, copy.deepcopy(self._models[b])
        for block, frames in zip(self._blocks, self._ask(b, self._size), strict=True):
            block[b] = frames
        self._used[b] = 0

    def _take_back(self, b: int) -> None:
        """Bring generator and models to where they would be without the frames not yet used."""
        if self._used[b] < self._size:
            self._generator(b).bit_generator.state, self._models[b] = self._before[b]
            self._ask(b, int(self._used[b]))
            self._used[b] = self._size

    def _ask(self, b: int, num_frames: int) -> list[Floats]:
        """Return the next frames `[T, N]` of each model, as if asked in turn frame by frame."""
        rng, models = self._generator(b), self._models[b]
        if len(models) == 1 or num_frames == 1:
            return [model.sample(rng, num_frames) for model in models]
        driven = cast(Sequence[NoiseDriven], models)
        noise = [[model.noise(rng, 1) for model in driven] for _ in range(num_frames)]
        return [
            model.of_noise(np.concatenate(of_model))
            for model, of_model in zip(driven, zip(*noise, strict=True), strict=True)
        ]
