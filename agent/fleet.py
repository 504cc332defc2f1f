"""Fleets: agents side by side, whose networks are computed as batched tensor operations."""

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap

from agent.backends import all_own_and_trained, hyperparameters, is_plain_adam, moments_of
from agent.droo import DROO
from agent.losses import LOSSES
from agent.memory_dnn import MemoryDNN
from agent.scoring import Choice, Score
from agent.validation import vector


class Fleet:
    """B independent DROO agents that play their frames together.

    Each agent keeps its own memory, random numbers, K and settings. What their networks compute is
    computed for all at once, by torch, on a copy of the parameters that is given back by `release`.
    So every agent does what it would do alone, but for the rounding of sums, and for a dropout in
    a network of your own.

    Args:
        agents: of one policy, with the same shape of network, loss and batch size; seeds, learning
            rates, training intervals, quantizers and problems may differ. Modules of your own must
            be of one class, and compute the same from the same parameters.
        device: where the networks compute, as "cpu" or "cuda". Memories and critics stay with the
            processor.

    Attributes:
        agents: as given.
        device: as given.
        parameters: of each agent's network, one after the other as torch lists them `[B, P]`.
        first_moments: Adam's of them `[B, P]`.
        second_moments: likewise `[B, P]`.
        steps: how many training steps each agent has taken.

    Raises:
        ValueError: if there is no agent, one is there twice, they do not fit one another, or torch
            cannot batch their policy, as those with a GRU.
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

        def forward(parameters: Tensor, states: Tensor) -> Tensor:
            logits: Tensor = functional_call(network, self._by_name(parameters), (states,))
            return logits

        def loss_of(parameters: Tensor, states: Tensor, decisions: Tensor) -> Tensor:
            return loss(forward(parameters, states), decisions)

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

    def decide(self, states: Sequence[ArrayLike], scores: Sequence[Score]) -> list[Choice]:
        """Do for every agent what `DROO.decide` does.

        Args:
            states: of each agent `[inputs]`.
            scores: the critic of each agent.

        Raises:
            TypeError: if a state holds no numbers.
            ArithmeticError: if training has driven the weights of an agent to non-finite values.
            ValueError: if there are not B states and critics, or one of them is bad, as for
                `DROO.decide`. No agent learns anything then.
        """
        for name, given in (("states", states), ("scores", scores)):
            if len(given) != len(self.agents):
                raise ValueError(
                    f"{name} must be {len(self.agents)}, one an agent, got {len(given)}"
                )
        rows = [
            vector("states", state, member.net[0])
            for state, member in zip(states, self._members, strict=True)
        ]
        found = []
        for droo, state, logits, score in zip(
            self.agents, rows, self._logits(np.stack(rows)), scores, strict=True
        ):
            candidates = droo.agent.candidates(state, logits, droo.k, droo.mode)
            found.append(droo.choose(candidates, state, score))
        for droo, state, (choice, place, refined) in zip(self.agents, rows, found, strict=True):
            droo.settle(state, choice, place, refined=refined)
        self.learn_due([b for b, droo in enumerate(self.agents) if not droo.learn_later])
        return [choice for choice, _, _ in found]

    def learn_due(self, which: Sequence[int] | None = None) -> None:
        """Take the training steps that are due, of all agents or of these."""
        which = range(len(self.agents)) if which is None else which
        while due := [b for b in which if self.agents[b].due > 0]:
            self._learn(due)
            for b in due:
                self.agents[b].due -= 1

    def release(self) -> list[DROO]:
        """Give the networks and the optimizers back to the agents, and return these.

        The fleet may go on; until the next `release`, the agents' own networks then stay behind.
        """
        rows = (self.parameters, self.first_moments, self.second_moments)
        for b, member in enumerate(self._members):
            member.renew_optimizer()
            parameters, first, second = (self._by_name(row[b].cpu()) for row in rows)
            for name, parameter in member.network.named_parameters():
                parameter.data.copy_(parameters[name])
                moments = moments_of(member.optimizer, parameter)
                moments["exp_avg"].copy_(first[name])
                moments["exp_avg_sq"].copy_(second[name])
                moments["step"].fill_(self.steps[b])
        return self.agents

    def _gather(self) -> None:
        """Copy the agents' parameters and moments into one row each `[B, P]`."""
        parameters, first, second, self.steps = [], [], [], []
        for member in self._members:
            member.renew_optimizer()
            own = list(member.network.parameters())
            moments = [moments_of(member.optimizer, parameter) for parameter in own]
            parameters.append(torch.cat([parameter.detach().flatten() for parameter in own]))
            first.append(torch.cat([each["exp_avg"].flatten() for each in moments]))
            second.append(torch.cat([each["exp_avg_sq"].flatten() for each in moments]))
            self.steps.append(float(moments[0]["step"]))
        self.parameters = torch.stack(parameters).to(self.device)
        self.first_moments = torch.stack(first).to(self.device)
        self.second_moments = torch.stack(second).to(self.device)

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
        batches = [self._members[b].sample() for b in which]
        states, decisions = (
            torch.from_numpy(np.stack(part)).to(self.device) for part in zip(*batches, strict=True)
        )
        everyone = len(which) == len(self.agents)
        rows = slice(None) if everyone else torch.tensor(which, device=self.device)
        self._network.train()
        gradients, losses = self._gradient(self.parameters[rows], states, decisions)
        self._adam(which, rows, gradients)
        for b, loss in zip(which, losses.tolist(), strict=True):
            self._members[b].record_loss(loss)

    @torch.no_grad()
    def _adam(self, which: list[int], rows: Any, gradients: Tensor) -> None:
        """Take Adam's step, as torch would, with each agent's own settings and number of steps."""
        parameters, first, second = (
            self.parameters[rows],
            self.first_moments[rows],
            self.second_moments[rows],
        )
        settings = []
        for i, b in enumerate(which):
            member = self._members[b]
            if member.rebuild_optimizer:
                self.steps[b] = 0.0
                first[i] = second[i] = 0.0
            self.steps[b] += 1
            rate, beta1, beta2, eps, decay = hyperparameters(member.optimizer, member.lr)
            rate /= 1 - beta1 ** self.steps[b]
            root = math.sqrt(1 - beta2 ** self.steps[b])
            # The complements of the betas from here: single precision would not leave much of them.
            settings.append((rate, root, beta1, 1 - beta1, beta2, 1 - beta2, eps, decay))
        numbers = torch.tensor(settings, dtype=torch.float32, device=self.device).T[..., None]
        rates, roots, keep1, take1, keep2, take2, epsilons, decays = numbers
        gradients = gradients + decays * parameters
        first = keep1 * first + take1 * gradients
        second = keep2 * second + take2 * gradients * gradients
        self.first_moments[rows], self.second_moments[rows] = first, second
        self.parameters[rows] = parameters - rates * first / (second.sqrt() / roots + epsilons)


def _check_alike(members: list[MemoryDNN]) -> None:
    """Check that agents can be a fleet.

    Raises:
        ValueError: if they cannot.
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
        if not is_plain_adam(member.optimizer):
            raise ValueError("agents must have the Adam that they were made with")
        if not all_own_and_trained(member.network):
            raise ValueError("agents must have parameters that are all trained, and none shared")
        if next(member.network.buffers(), None) is not None:
            raise ValueError("agents must have a policy without buffers, as batch norms have them")
