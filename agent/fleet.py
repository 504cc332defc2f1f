"""Fleets: agents side by side, their networks computed as batched tensor operations."""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from agent.adam import batched_step
from agent.backends import is_unshared_and_trained, scale_of
from agent.droo import DROO
from agent.losses import LOSSES
from agent.memory_dnn import MemoryDNN
from agent.refinement import Climb
from agent.scoring import Choice, Score
from agent.validation import vector


class Fleet:
    """B independent DROO agents that play their frames together.

    Each agent keeps its own memory, random numbers, K and settings. Torch computes all networks at
    once, on a copy of their parameters, which `release` writes back. Every agent does what it would
    do alone, except for the rounding of sums, and for dropout in a network of your own.

    Args:
        agents: of one policy, with the same shape of network, loss and batch size; seeds, learning
            rates, training intervals, quantizers and problems may differ. Modules of your own must
            be of one class, and compute the same from the same parameters.
        device: device of the networks, such as "cpu" or "cuda". Memories and critics stay on the
            CPU.

    Attributes:
        agents: as given.
        device: as given.
        parameters: a row for each agent's network, its parameters in torch's order `[B, P]`.
        first_moments: Adam's first moments of them `[B, P]`.
        second_moments: Adam's second moments of them `[B, P]`.
        steps: the number of Adam's steps for each agent `[B]`.

    Raises:
        ValueError: if there is no agent, an agent is there twice, they do not fit one another, or
            torch cannot batch their policy (it cannot batch GRUs).
    """

    def __init__(self, agents: Sequence[DROO], device: str | torch.device = "cpu") -> None:
        self.agents = list(agents)
        self.device = torch.device(device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device must be one that torch can use, got {device} without a GPU")
        self._members = members = [droo.agent for droo in self.agents]
        _check_alike(members)
        network = copy.deepcopy(members[0].network).to(self.device)
        self._shapes = {name: p.shape for name, p in network.named_parameters()}
        loss = LOSSES[members[0].loss]
        self._scale = scale = scale_of(members[0].network)

        def forward(parameters: Tensor, states: Tensor) -> Tensor:
            logits: Tensor = functional_call(network, self._by_name(parameters), (states,))
            return logits

        def loss_of(parameters: Tensor, states: Tensor, decisions: Tensor) -> Tensor:
            return loss(forward(parameters, states), decisions) * scale

        self._forward = vmap(forward)
        self._gradient = vmap(grad_and_value(loss_of), randomness="different")
        self._network = network
        self._gather()
        try:
            self._logits(np.zeros((len(members), members[0].net[0]), dtype=np.float32))
        except RuntimeError as error:
            raise ValueError(
                f"agents must have a policy that torch can batch, got {members[0].policy}: {error}"
            ) from error

    def decide(
        self,
        states: Sequence[ArrayLike],
        scores: Sequence[Score],
        climbs: Sequence[Climb | None] | None = None,
    ) -> list[Choice]:
        """Do `DROO.decide` for every agent.

        Args:
            states: the state `[inputs]` of each agent.
            scores: the critic of each agent.
            climbs: each problem's own refinement `[B]`; None refines by the scores.

        Raises:
            TypeError: if a state holds no numbers.
            ArithmeticError: if training has driven the weights of an agent to non-finite values.
            ValueError: if there are not B states and critics, or `DROO.decide` would refuse one of
                them. No agent learns anything then.
        """
        climbs = climbs or [None] * len(self.agents)
        for name, given in (("states", states), ("scores", scores), ("climbs", climbs)):
            if len(given) != len(self.agents):
                raise ValueError(
                    f"{name} must be {len(self.agents)}, one an agent, got {len(given)}"
                )
        rows = [
            vector("states", state, member.net[0])
            for state, member in zip(states, self._members, strict=True)
        ]
        found = []
        for droo, state, logits, score, climb in zip(
            self.agents, rows, self._logits(np.stack(rows)), scores, climbs, strict=True
        ):
            candidates = droo.agent.decoder.candidates(state, logits, droo.k, droo.mode)
            found.append(droo.choose(candidates, state, score, climb))
        for droo, state, (choice, rank, refined) in zip(self.agents, rows, found, strict=True):
            droo.settle(state, choice, rank, refined=refined)
        self.learn_due([b for b, droo in enumerate(self.agents) if not droo.learn_later])
        return [choice for choice, _, _ in found]

    def learn_due(self, which: Sequence[int] | None = None) -> None:
        """Take the training steps that are due.

        Args:
            which: indices of the agents; None for all.
        """
        which = range(len(self.agents)) if which is None else which
        while due := [b for b in which if self.agents[b].due > 0]:
            self._learn(due)
            for b in due:
                self.agents[b].due -= 1

    def release(self) -> list[DROO]:
        """Write parameters and moments back to the agents, and return the agents.

        The fleet may go on; the agents' own networks then lag behind until the next `release`.
        """
        for b, member in enumerate(self._members):
            member.learner.renew_optimizer()
            adam = member.learner.adam
            own = self._by_name(self.parameters[b].cpu())
            for name, parameter in member.network.named_parameters():
                parameter.data.copy_(own[name])
            adam.first[:] = self.first_moments[b].cpu()
            adam.second[:] = self.second_moments[b].cpu()
            adam.steps[:] = self.steps[b]
        return self.agents

    def _gather(self) -> None:
        """Copy the parameters and moments of each agent into a row `[P]` of `[B, P]`."""
        for member in self._members:
            member.learner.renew_optimizer()
        adams = [member.learner.adam for member in self._members]
        self.steps = [float(adam.steps[0]) for adam in adams]
        self.parameters, self.first_moments, self.second_moments = (
            torch.stack(rows).to(self.device)
            for rows in (
                [nn.utils.parameters_to_vector(adam.parameters).detach() for adam in adams],
                [torch.from_numpy(adam.first) for adam in adams],
                [torch.from_numpy(adam.second) for adam in adams],
            )
        )

    def _by_name(self, row: Tensor) -> dict[str, Tensor]:
        """Return the parameters by name from one row `[P]`."""
        sizes = [math.prod(shape) for shape in self._shapes.values()]
        parts = torch.split(row, sizes)
        return {
            name: part.view(shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }

    @torch.no_grad()
    def _logits(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        self._network.eval()
        batch = torch.from_numpy(states).to(self.device)[:, None]
        logits: NDArray[np.float32] = self._forward(self.parameters, batch)[:, 0].cpu().numpy()
        return logits

    def _learn(self, which: list[int]) -> None:
        """Take one training step of these agents."""
        members = [self._members[b] for b in which]
        batches = np.stack([member.replay.sample(member.batch_size) for member in members])
        states, decisions = (
            torch.from_numpy(np.ascontiguousarray(part)).to(self.device)
            for part in np.split(batches, [members[0].net[0]], axis=2)
        )
        everyone = len(which) == len(self.agents)
        rows = slice(None) if everyone else torch.tensor(which, device=self.device)
        self._network.train()
        gradients, losses = self._gradient(self.parameters[rows], states, decisions)
        for b, member in zip(which, members, strict=True):
            if member.rebuild_optimizer:
                self.steps[b] = 0.0
                self.first_moments[b] = self.second_moments[b] = 0.0
            self.steps[b] += 1
        self.parameters[rows], self.first_moments[rows], self.second_moments[rows] = batched_step(
            self.parameters[rows],
            self.first_moments[rows],
            self.second_moments[rows],
            gradients / self._scale,
            [self.steps[b] for b in which],
            [member.learner.hyperparameters for member in members],
        )
        for member, loss in zip(members, (losses / self._scale).tolist(), strict=True):
            member.learner.record_loss(loss)


def _check_alike(members: list[MemoryDNN]) -> None:
    """Check that agents fit one another.

    Raises:
        ValueError: if they do not.
    """
    if not members:
        raise ValueError("agents must be at least one, got none")
    if len({member.network for member in members}) < len(members):
        raise ValueError("agents must be distinct, got one twice, or two with one network")
    first = members[0]
    shapes = [(name, p.shape) for name, p in first.network.named_parameters()]
    for member in members:
        for name in ("policy", "net", "features", "loss", "num_places", "batch_size"):
            ours, theirs = getattr(first, name), getattr(member, name)
            if ours != theirs:
                raise ValueError(f"agents must have the same {name}, got {ours} and {theirs}")
        network = member.network
        theirs = [(name, p.shape) for name, p in network.named_parameters()]
        if type(network) is not type(first.network) or theirs != shapes:
            raise ValueError(f"agents must have networks of one type and shape, got {network}")
        if not member.learner.adam.synchronize():
            raise ValueError("agents must have the Adam that they were made with")
        if not is_unshared_and_trained(member.network):
            raise ValueError("agents must have parameters that are all trained, and none shared")
        if next(member.network.buffers(), None) is not None:
            raise ValueError(
                "agents must have a policy without buffers, such as those of batch norms"
            )
