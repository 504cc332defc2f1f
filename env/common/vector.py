"""What the vector environments have in common: many environments, stepped as one."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic

import numpy as np
from gymnasium import logger
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from droo_core.validation import binary, check_shape, positive_int
from env.common.draws import Draws, Floats, Indices, Models
from env.common.environment import NO_PICTURE, OffloadingEnv
from env.common.features import NO_FRAME, Known, Observer, View
from env.common.rendering import Picture, Pixels, draw
from env.common.vector_arguments import Bools, masked, reset_mask, seeds_of

Ints = NDArray[np.int64]
Quantities = dict[str, Floats]
"""By which the frames of B environments are known, `[B, N]` each; "channel_gain" always."""


class VectorOffloadingEnv(VectorEnv[Floats, ArrayLike, NDArray[Any]], Generic[View]):
    """Base: B environments that differ in nothing but chance and what is decided.

    Step for step they are those that `gymnasium.vector.SyncVectorEnv` makes of B single ones: the
    same observations, rewards and infos, bit for bit.

    Args:
        num_envs: B.
        single: an environment like each of them.
        known: the features that there are.
        models: whom a step asks for random numbers: see `Draws`.
        max_episode_steps: after which an episode is truncated; None never does.
        autoreset_mode: when an episode that was truncated starts anew.

    Raises:
        TypeError: if `num_envs` or `max_episode_steps` is no integer.
        ValueError: if one is below 1, or there is no such autoreset mode.
    """

    def __init__(
        self,
        num_envs: int,
        single: OffloadingEnv[View],
        known: Known[View],
        models: Models,
        max_episode_steps: int | None,
        autoreset_mode: AutoresetMode | str,
    ) -> None:
        self.num_envs = positive_int("num_envs", num_envs)
        self.num_devices, self.features = single.num_devices, single.features
        self.shape = (self.num_envs, self.num_devices)
        self.max_episode_steps = (
            None
            if max_episode_steps is None
            else positive_int("max_episode_steps", max_episode_steps)
        )
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = single.metadata | {"autoreset_mode": self.autoreset_mode}
        self.single_action_space = single.action_space
        self.action_space = batch_space(single.action_space, num_envs)
        self.single_observation_space = single.observation_space
        self.observation_space = batch_space(single.observation_space, num_envs)
        self._draws = Draws(num_envs, models)
        self._observer: Observer[View] = Observer(single.features, known)
        self.render_mode = single.render_mode
        self._coming: Quantities = {}  # before the first reset; else `_frames` tells it
        self._pictures: list[Picture | None] = [None] * num_envs  # of the frames carried out
        self._steps = np.zeros(num_envs, np.int64)
        self._done = np.zeros(num_envs, np.bool_)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment."""
        return self._draws.generators

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """What each environment was seeded with."""
        return self._draws.seeds

    @property
    def gain(self) -> Floats:
        """Channel gains `[B, N]` of the coming frames.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._frames["channel_gain"].copy()

    @property
    def state(self) -> Floats:
        """The states `[B, F N]` of the coming frames, as `reset` and `step` return them.

        Raises:
            RuntimeError: before the first `reset`.
        """
        return self._observer.state

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Floats, dict[str, Any]]:
        """Start anew.

        Args:
            seed: s seeds the environments with s, s + 1, ...; or a seed for each `[B]`. Those with
                None go on with the generators that they have.
            options: those of the single environment; and `reset_mask`, an array of bool `[B]`:
                which environments are to start anew, by default all.

        Raises:
            TypeError: if `reset_mask` is no array of bool.
            ValueError: if it or `seed` has another shape, or nothing is to start, or the single
                environment refuses an option. Nothing has changed then.
            RuntimeError: if the first reset is not of all.
        """
        options = dict(options or {})
        mask = reset_mask(options.pop("reset_mask", None), self.num_envs)
        seeds = seeds_of(seed, self.num_envs)
        first: Mapping[str, Floats] = self._first_frame(options)
        if not self._coming and not mask.all():
            raise RuntimeError(NO_FRAME)
        names = ("channel_gain", *first)
        following = self._copy() or {name: np.zeros(self.shape) for name in names}
        self._start(following, np.flatnonzero(mask), seeds, first)
        self._enter(following, mask, self._observer.replace if self._coming else self._observer.add)
        return self.state, self._tell(mask)

    def step(self, actions: ArrayLike) -> tuple[Floats, Floats, Bools, Bools, dict[str, Any]]:
        """Carry out decisions `[B, N]` and move on to the next frames.

        With the autoreset mode NEXT_STEP, an environment whose episode has ended starts anew
        instead, and its decision does not matter.

        Raises:
            ValueError: if the decisions have another shape or are not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`; or if an episode has ended, and autoreset is
                disabled.
        """
        starts = self._done & (self.autoreset_mode == AutoresetMode.NEXT_STEP)
        if (self._done & ~starts).any():
            raise RuntimeError("an episode has ended: reset it, with reset_mask among the options")
        going = np.flatnonzero(~starts)
        decisions = self._checked_actions(actions, starts)
        rewards, done = self._carry_out(decisions, going)
        if self.render_mode is not None:
            for b in going.tolist():
                of_one = {name: value[b] for name, value in done.items()}
                self._pictures[b] = self._picture(b, decisions[b], rewards[b], **of_one)
        following = self._copy()
        self._follow(following, done, going)
        self._start(following, np.flatnonzero(starts))
        self._enter(following, starts, self._observer.add)
        self._steps[going] += 1
        truncations = self._steps == self.max_episode_steps  # nowhere if that is None
        self._done = truncations.copy()
        infos = self._tell(np.ones_like(starts)) | masked(done, ~starts)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and truncations.any():
            infos = self._restart(truncations, done, infos)
        return self.state, rewards, np.zeros_like(starts), truncations, infos

    def render(self) -> tuple[Pixels, ...] | None:
        """Return a picture of each environment: see `OffloadingEnv.render`."""
        if self.render_mode is None:
            logger.warn(NO_PICTURE)
            return None
        return tuple(draw(each or self._picture(b)) for b, each in enumerate(self._pictures))

    @abstractmethod
    def score(self, decisions: ArrayLike) -> Floats:
        """Return the reward `[B, K]` that each decision `[B, K, N]` would earn in the coming frame.

        Raises:
            ValueError: if the decisions have another shape or are not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """

    @abstractmethod
    def _first_frame(self, options: Mapping[str, Any]) -> dict[str, Floats]:
        """Return by what, beside the gain, an episode's first frame is known, `[N]` each."""

    @abstractmethod
    def _carry_out(self, decisions: Ints, going: Indices) -> tuple[Floats, dict[str, Floats]]:
        """Return rewards `[B]` and what infos tell of them `[B, ...]`; 0 of who is not `going`."""

    @abstractmethod
    def _follow(self, following: Quantities, done: dict[str, Floats], going: Indices) -> None:
        """Write the frames that follow into `following`, where an environment is `going`.

        `done` is what `_carry_out` told of them; a problem may add to it.
        """

    @abstractmethod
    def _view(self, frames: Quantities) -> View:
        """Return what frames are to the devices, `[B, N]` each."""

    @abstractmethod
    def _tell(self, mask: Bools) -> dict[str, Any]:
        """Return infos on the coming frames of those environments in the mask `[B]`."""

    @abstractmethod
    def _picture(
        self, b: int, decision: Ints | None = None, reward: float = 0.0, **done: Any
    ) -> Picture:
        """Return a picture of an environment's coming frame, and how it is carried out if it is.

        `done` is what `_carry_out` told of it.
        """

    @property
    def _frames(self) -> Quantities:
        """The coming frames.

        Raises:
            RuntimeError: before the first `reset`.
        """
        if not self._coming:
            raise RuntimeError(NO_FRAME)
        return self._coming

    def _copy(self) -> Quantities:
        """Return the coming frames, to write those into it that follow."""
        return {name: array.copy() for name, array in self._coming.items()}

    def _start(
        self,
        following: Quantities,
        starting: Indices,
        seeds: Sequence[int | None] = (),
        first: Mapping[str, Floats] | None = None,
    ) -> None:
        """Write the first frames of new episodes into `following`; no seeds go on with chance."""
        if len(starting) == 0:
            return
        for name, value in (self._first_frame({}) if first is None else first).items():
            following[name][starting] = value
        of_starting = [seeds[b] if seeds else None for b in starting]
        following["channel_gain"][starting] = self._draws.start(starting, of_starting)
        self._steps[starting], self._done[starting] = 0, False
        for b in starting.tolist():
            self._pictures[b] = None

    def _enter(self, following: Quantities, starts: Bools, observe: Callable[[View], None]) -> None:
        """Make these the coming frames; where an episode starts, there was none before."""
        observe(self._view(following))
        if starts.any():
            self._observer.restart(np.flatnonzero(starts))
        self._coming = following

    def _restart(
        self, ended: Bools, done: dict[str, Floats], infos: dict[str, Any]
    ) -> dict[str, Any]:
        """Start those episodes anew that have ended; return infos that tell how they ended."""
        final: dict[str, Any] = {}
        state = self.state
        for b in np.flatnonzero(ended):
            info = {name: infos[name][b] for name in infos if not name.startswith("_")}
            final = self._add_info(final, {"final_obs": state[b], "final_info": info}, int(b))
        following = self._copy()
        self._start(following, np.flatnonzero(ended))
        self._enter(following, ended, self._observer.replace)
        return self._tell(np.ones_like(ended)) | masked(done, ~ended) | final

    def _checked_actions(self, actions: ArrayLike, starts: Bools) -> Ints:
        if starts.any():
            check_shape("actions", np.asarray(actions), self.shape)
            actions = np.where(starts[:, None], 0, actions)
        return binary("actions", actions, self.shape)

    def _checked_decisions(self, decisions: ArrayLike) -> Ints:
        return binary("decisions", decisions, (self.num_envs, "K", self.num_devices))
