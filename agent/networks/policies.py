"""The policies; see `agent.networks`."""

import itertools
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from agent.networks.layout import ACTIVE, SILENT, Layout
from agent.networks.registry import Policy, Reads, register


def dense(widths: Sequence[int]) -> list[nn.Module]:
    """Return linear layers of these widths, ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]


@register
class MLP(nn.Sequential, Policy):
    """The paper's fully connected network, ReLU between its layers (DROO).

    It takes any state, but only of this N: every device has inputs and outputs of its own.
    """

    name: ClassVar[str] = "mlp"
    reads: ClassVar[Reads] = "vector"
    hidden: ClassVar[tuple[int, ...]] = (120, 80)
    needs_features: ClassVar[bool] = False
    needs_hidden: ClassVar[bool] = False

    def __init__(self, net: Sequence[int], layout: Layout) -> None:
        super().__init__(*dense([*net[:-1], net[-1] * layout.logits]))
        self.layout = layout

    def forward(self, states: Tensor) -> Tensor:
        """Return the logits of states."""
        for layer in self:
            states = layer(states)
        return self.layout.by_device(states)


class PerDevice(Policy):
    """Base of the policies that read the features device by device.

    Args:
        layout: the feature `ACTIVE`, if there is one, is the mask and no input.

    Attributes:
        layout: the argument.
        mask: index of the feature that is the mask; None if there is no mask.
        inputs: indices of the features that are inputs.
    """

    reads: ClassVar[Reads] = "devices"

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        names = list(layout.features)
        self.mask = layout.mask
        self.inputs = [i for i, name in enumerate(names) if name != ACTIVE]
        if not self.inputs:
            raise ValueError(f"features must hold one besides {ACTIVE!r}, got {names}")

    def forward(self, states: Tensor) -> Tensor:
        """Return the logits of states; SILENT for devices that are not active."""
        features = states.reshape(states.shape[0], len(self.layout.features), -1)
        active = None if self.mask is None else features[:, self.mask] > 0
        if active is not None:
            features = features[:, self.inputs] * active[:, None]
        logits = self.logits(features.transpose(1, 2), active)
        if active is not None:
            logits = logits.reshape(*active.shape, self.layout.logits)
            silent = torch.tensor(self.layout.silent, dtype=logits.dtype, device=logits.device)
            logits = torch.where(active[..., None], logits, silent)
        return self.layout.by_device(logits)

    def logits(self, features: Tensor, active: Tensor | None) -> Tensor:
        """Return the logits `[B, N, P]` of features `[B, N, F]`; `active` is `[B, N]` or None."""
        raise NotImplementedError


def mean_over(values: Tensor, active: Tensor | None) -> Tensor:
    """Return the mean `[B, 1, H]` of values `[B, N, H]` over the devices that are active."""
    if active is None:
        return values.mean(dim=1, keepdim=True)
    there = active[..., None].to(values.dtype)
    return (values * there).sum(dim=1, keepdim=True) / there.sum(dim=1, keepdim=True).clamp(min=1)


@register
class Equivariant(PerDevice):
    """A network shared by all devices, with the mean of their encodings as context.

    The policy is equivariant: permuting the devices permutes their decisions (deep sets: Zaheer et
    al., 2017). The hidden widths are the encoder's; the head has the last of them once more. The
    logits of a device are `out(relu(own(e) + context(mean of e)))`, e its encoding.

    Attributes:
        encoder: dense layers with ReLU, from a device's features to its encoding.
        own: the head's layer on a device's encoding.
        context: the head's layer on the mean of the encodings.
        out: the layer to the logits.
    """

    name: ClassVar[str] = "equivariant"
    any_n: ClassVar[bool] = True
    hidden: ClassVar[tuple[int, ...]] = (32, 32)

    def __init__(self, net: Sequence[int], layout: Layout) -> None:
        super().__init__(layout)
        hidden = net[1:-1]
        width = hidden[-1]
        self.encoder = nn.Sequential(*dense([len(self.inputs), *hidden]), nn.ReLU())
        self.own = nn.Linear(width, width)
        self.context = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, layout.logits)

    def logits(self, features: Tensor, active: Tensor | None) -> Tensor:
        """Return the logits `[B, N, P]`."""
        encoded = self.encoder(features)
        context = self.context(mean_over(encoded, active))
        logits: Tensor = self.out(functional.relu(self.own(encoded) + context))
        return logits


@register
class Attention(PerDevice):
    """Devices attend to one another (Vaswani et al., 2017), in as many blocks as hidden widths.

    A block adds to each device's encoding its attention over all devices, and then two dense
    layers of the sum. The widths must be equal.
    """

    name: ClassVar[str] = "attention"
    any_n: ClassVar[bool] = True
    hidden: ClassVar[tuple[int, ...]] = (32, 32)

    def __init__(self, net: Sequence[int], layout: Layout) -> None:
        super().__init__(layout)
        hidden = net[1:-1]
        if len(set(hidden)) > 1:
            raise ValueError(f"the hidden widths of attention must be equal, got {list(hidden)}")
        width = hidden[0]
        self.encoder = nn.Sequential(nn.Linear(len(self.inputs), width), nn.ReLU())
        self.projections = nn.ModuleList(nn.Linear(width, 3 * width) for _ in hidden)
        self.dense = nn.ModuleList(nn.Sequential(*dense([width, width, width])) for _ in hidden)
        self.head = nn.Linear(width, layout.logits)

    def logits(self, features: Tensor, active: Tensor | None) -> Tensor:
        """Return the logits `[B, N, P]`."""
        seen = self.encoder(features)
        mask = None
        if active is not None:  # softmax over no device would be NaN: then attend to all
            mask = (active | ~active.any(dim=1, keepdim=True))[:, None]
        for projection, layer in zip(self.projections, self.dense, strict=True):
            q, k, v = projection(seen).chunk(3, dim=-1)
            seen = seen + functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            seen = seen + layer(seen)
        logits: Tensor = self.head(seen)
        return logits


@register
class Conv(PerDevice):
    """Convolutions along the devices, then a dense layer: LyDROO's variant, for this N alone.

    The hidden widths are the channels of the convolutions, each three devices wide.
    """

    name: ClassVar[str] = "conv"
    hidden: ClassVar[tuple[int, ...]] = (32, 64)

    def __init__(self, net: Sequence[int], layout: Layout) -> None:
        super().__init__(layout)
        hidden = net[1:-1]
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise([len(self.inputs), *hidden]):
            layers += [nn.Conv1d(inputs, outputs, kernel_size=3, padding=1), nn.ReLU()]
        n = layout.num_devices
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(n * hidden[-1], n * layout.logits)
        )

    def logits(self, features: Tensor, active: Tensor | None) -> Tensor:  # noqa: ARG002 (of the base)
        """Return the logits `[B, N * P]`."""
        logits: Tensor = self.layers(features.transpose(1, 2))
        return logits


@register
class FrameGRU(Policy):
    """A GRU that reads the features as time steps, oldest first; for this N alone.

    For channels that are correlated in time: the features are the gains of the last frames. The
    first hidden width is the GRU's, the others are those of dense layers on its last state.
    """

    name: ClassVar[str] = "gru"
    reads: ClassVar[Reads] = "history"
    hidden: ClassVar[tuple[int, ...]] = (64, 64)
    batchable: ClassVar[bool] = False

    def __init__(self, net: Sequence[int], layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        n, hidden = layout.num_devices, net[1:-1]
        self.gru = nn.GRU(n, hidden[0], batch_first=True)
        self.head = nn.Sequential(*dense([*hidden, n * layout.logits]))

    def forward(self, states: Tensor) -> Tensor:
        """Return the logits of states."""
        frames = states.reshape(states.shape[0], len(self.layout.features), -1)
        _, last = self.gru(frames)
        return self.layout.by_device(self.head(last[0]))


@register
class BiGRUAttention(PerDevice):
    """A bidirectional GRU along the devices, with attention over its outputs as context.

    The first hidden width is the GRU's in each direction, the others are the head's. It takes any
    N, but depends on the order of the devices.
    """

    name: ClassVar[str] = "bigru_attention"
    any_n: ClassVar[bool] = True
    hidden: ClassVar[tuple[int, ...]] = (32, 32)
    batchable: ClassVar[bool] = False

    def __init__(self, net: Sequence[int], layout: Layout) -> None:
        super().__init__(layout)
        hidden = net[1:-1]
        width = 2 * hidden[0]
        self.gru = nn.GRU(len(self.inputs), hidden[0], batch_first=True, bidirectional=True)
        self.attention = nn.Linear(width, 1)
        self.head = nn.Sequential(*dense([2 * width, *(hidden[1:] or hidden), layout.logits]))

    def logits(self, features: Tensor, active: Tensor | None) -> Tensor:
        """Return the logits `[B, N, P]`."""
        seen, _ = self.gru(features)
        attention = self.attention(seen)
        if active is not None:
            attention = attention.masked_fill(~active[..., None], SILENT)
        context = (attention.softmax(dim=1) * seen).sum(dim=1, keepdim=True).expand_as(seen)
        logits: Tensor = self.head(torch.cat((seen, context), dim=-1))
        return logits
