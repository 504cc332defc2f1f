"""Base of the vector environments: many environments, stepped as one."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic

import numpy as np
from gymnasium import logger
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from droo_core.arrays import Bools, Floats, Indices, Ints
from droo_core.validation import binary, check_shape, positive_int
from env.common.draws import Draws
from env.common.environment import NO_PICTURE, OffloadingEnv
from env.common.features import NO_FRAME, Observer, View
from env.common.rendering import Picture, Pixels, draw
from env.common.vector_arguments import masked, reset_mask, seeds_of

Quantities = dict[str, Floats]
"""The quantities of B frames by name, `[B, N]` each; "channel_gain" is always one of them."""


class VectorOffloadingEnv(VectorEnv[Floats, ArrayLike, NDArray[Any]], Generic[View]):
    """B environments that differ only in their random numbers and decisions.

    Observations, rewards and infos are those of `gymnasium.vector.SyncVectorEnv` with B single
    environments, bit for bit.

    Attributes:
        info_names: names of the quantities that infos hold of the coming frames.

    Args:
        num_envs: B.
        single: an environment like each of them.
        max_episode_steps: length at which an episode is truncated; None sets no limit.
        autoreset_mode: when the next episode starts after a truncation.

    Raises:
        TypeError: if `num_envs` or `max_episode_steps` is not an integer.
        ValueError: if one is below 1, or there is no such autoreset mode.
    """

    info_names: tuple[str, ...] = ("channel_gain",)

    def __init__(
        self,
        num_envs: int,
        single: OffloadingEnv[View],
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
        self._draws = Draws(num_envs, single.models)
        self._observer: Observer[View] = Observer(single.features, single.table)
        self.render_mode = single.render_mode
        self._coming: Quantities = {}  # empty before the first reset; read through `_frames`
        self._pictures: list[Picture | None] = [None] * num_envs  # of the frames carried out
        self._steps = np.zeros(num_envs, np.int64)
        self._done = np.zeros(num_envs, np.bool_)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment."""
        return self._draws.generators

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment."""
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
        """Start episodes.

        Args:
            seed: s seeds the environments with s, s + 1, ...; or a seed for each `[B]`, None to
                continue with the current generator.
            options: those of the single environment, and `reset_mask`, an array of bool `[B]`: the
                environments in which an episode starts, by default all.

        Raises:
            TypeError: if `reset_mask` is not an array of bool.
            ValueError: if it or `seed` has another shape, the mask is empty, or the single
                environment refuses an option; nothing has changed then.
            RuntimeError: if the first reset is not of all environments.
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

        With the autoreset mode NEXT_STEP, an environment whose episode has ended starts the next
        one instead, and its decision is ignored.

        Raises:
            ValueError: if the decisions have another shape or are not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`; or if an episode has ended, and autoreset is
                disabled.
        """
        starts = self._done & (self.autoreset_mode == AutoresetMode.NEXT_STEP)
        if (self._done & ~starts).any():
            raise RuntimeError("an episode has ended: reset it, with reset_mask among the options")
        running = np.flatnonzero(~starts)
        decisions = self._checked_actions(actions, starts)
        rewards, done = self._carry_out(decisions, running)
        if self.render_mode is not None:
            for b in running.tolist():
                of_one = {name: value[b] for name, value in done.items()}
                self._pictures[b] = self._picture(b, decisions[b], rewards[b], **of_one)
        following = self._copy()
        self._follow(following, done, running)
        self._start(following, np.flatnonzero(starts))
        self._enter(following, starts, self._observer.add)
        self._steps[running] += 1
        truncations = self._steps == self.max_episode_steps  # none if that is None
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
        """Return the reward `[B, K]` of each decision `[B, K, N]` in the coming frames.

        Raises:
            ValueError: if the decisions have another shape or are not binary.
            ArithmeticError: if numbers are so far out of range that there is no solution.
            RuntimeError: before the first `reset`.
        """

    @abstractmethod
    def _first_frame(self, options: Mapping[str, Any]) -> dict[str, Floats]:
        """Return the quantities of an episode's first frame except the gain, `[N]` each."""

    @abstractmethod
    def _carry_out(self, decisions: Ints, running: Indices) -> tuple[Floats, dict[str, Floats]]:
        """Return rewards `[B]` and allocations `[B, ...]` by name, 0 where not `running`."""

    @abstractmethod
    def _follow(self, following: Quantities, done: dict[str, Floats], running: Indices) -> None:
        """Write the next frames of the `running` environments into `following`.

        `done` holds the allocations that `_carry_out` returned; a problem may add to it.
        """

    @abstractmethod
    def _view(self, frames: Quantities) -> View:
        """Return the per-device quantities of frames, `[B, N]` each."""

    @abstractmethod
    def _picture(
        self, b: int, decision: Ints | None = None, reward: float = 0.0, **done: Any
    ) -> Picture:
        """Return a picture of an environment's coming frame.

        Args:
            b: index of the environment.
            decision: carried out `[N]`; None for a frame without one.
            reward: of the decision.
            **done: its allocation, as `_carry_out` returned it.
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

    def _tell(self, mask: Bools) -> dict[str, Any]:
        """Return infos on the coming frames of the environments in the mask `[B]`."""
        return masked({name: self._frames[name].copy() for name in self.info_names}, mask)

    def _copy(self) -> Quantities:
        """Return a copy of the coming frames, to be overwritten with the next ones."""
        return {name: array.copy() for name, array in self._coming.items()}

    def _start(
        self,
        following: Quantities,
        starting: Indices,
        seeds: Sequence[int | None] = (),
        first: Mapping[str, Floats] | None = None,
    ) -> None:
        """Write the first frames of new episodes into `following`; empty `seeds` means no seeds."""
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
        """Make these the coming frames; past frames are discarded where an episode starts."""
        observe(self._view(following))
        if starts.any():
            self._observer.restart(np.flatnonzero(starts))
        self._coming = following

    def _restart(
        self, ended: Bools, done: dict[str, Floats], infos: dict[str, Any]
    ) -> dict[str, Any]:
        """Start the next episode where one has ended; return infos that include the final ones."""
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
