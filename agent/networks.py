"""Policies by name: networks from states [B, inputs] to logits [B, N], the sigmoid outside.

A state is a list of features, each of all N devices: [feature 1 of device 1 ... N, feature 2 of
device 1 ... N, ...]. With more than two places a device has P logits, and all have [B, N, P].
"""

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVE = "active"
"""The feature that tells which devices are there: 1 or 0. Those that are not get logit SILENT."""

SILENT = -40.0


class Layout(NamedTuple):
    """What a policy is to be built for.

    Attributes:
        num_devices: N.
        features: names of the features in a state; empty if nothing is known of it.
        num_places: 2, or how many places a device chooses from.
    """

    num_devices: int
    features: tuple[str, ...] = ()
    num_places: int = 2

    @property
    def logits(self) -> int:
        """How many logits a device has."""
        return 1 if self.num_places == 2 else self.num_places

    @property
    def silent(self) -> list[float]:
        """The logits of a device that is not active; place 0 is the device itself."""
        return [SILENT] if self.logits == 1 else [0.0] + [SILENT] * (self.num_places - 1)

    def by_device(self, logits: Tensor) -> Tensor:
        """Return logits `[B, N * P]` or `[B, N, P]` as `[B, N, P]`, or `[B, N]` if P is 1."""
        logits = logits.reshape(logits.shape[0], -1, self.logits)
        return logits.squeeze(-1) if self.logits == 1 else logits


def dense(widths: Sequence[int]) -> list[nn.Module]:
    """Return linear layers of these widths, ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]


class MLP(nn.Sequential):
    """The paper's fully connected network, ReLU between its layers (DROO).

    It takes any state, and has a place for every device: it is for this N alone.
    """

    reads: ClassVar[str] = "vector"
    hidden: ClassVar[tuple[int, ...]] = (120, 80)
    any_n: ClassVar[bool] = False
    batchable: ClassVar[bool] = True

    def __init__(self, net: Sequence[int], layout: Layout) -> None:
        super().__init__(*dense([*net[:-1], net[-1] * layout.logits]))
        self.layout = layout

    def forward(self, states: Tensor) -> Tensor:
        """Return the logits of states."""
        for layer in self:
            states = layer(states)
        return self.layout.by_device(states)


class PerDevice(nn.Module):
    """Base of the policies that look at the features of one device at a time, whatever N is.

    Args:
        layout: its feature `ACTIVE`, if it has it, is the mask and no input.

    Attributes:
        layout: the argument.
        mask: which feature is the mask; None if none is.
        inputs: which features are inputs.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        names = list(layout.features)
        self.mask = names.index(ACTIVE) if ACTIVE in names else None
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


class Equivariant(PerDevice):
    """One network for all devices, and the mean of what it sees of all of them as context.

    Exchange two devices and their decisions are exchanged (deep sets: Zaheer et al., 2017). The
    hidden widths are the encoder's; the head has the last of them once more.

    Attributes:
        encoder: of each device, layers with ReLU.
        own: of what the encoder sees of a device; added up and then ReLU with
        context: of the mean of that over the devices.
        out: to the logits.
    """

    reads: ClassVar[str] = "devices"
    hidden: ClassVar[tuple[int, ...]] = (32, 32)
    any_n: ClassVar[bool] = True
    batchable: ClassVar[bool] = True

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


class Attention(PerDevice):
    """Devices attend to one another (Vaswani et al., 2017), in as many blocks as hidden widths.

    Each block adds to every device what it gathers from the others, and then a dense layer of it.
    The widths must be equal.
    """

    reads: ClassVar[str] = "devices"
    hidden: ClassVar[tuple[int, ...]] = (32, 32)
    any_n: ClassVar[bool] = True
    batchable: ClassVar[bool] = True

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
        if active is not None:  # where nobody is, all are attended to: over nothing it is NaN
            mask = (active | ~active.any(dim=1, keepdim=True))[:, None]
        for projection, layer in zip(self.projections, self.dense, strict=True):
            q, k, v = projection(seen).chunk(3, dim=-1)
            seen = seen + functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            seen = seen + layer(seen)
        logits: Tensor = self.head(seen)
        return logits


class Conv(PerDevice):
    """Convolutions along the devices, then a dense layer: LyDROO's variant, for this N alone.

    The hidden widths are the channels of the convolutions, each three devices wide.
    """

    reads: ClassVar[str] = "devices"
    hidden: ClassVar[tuple[int, ...]] = (32, 64)
    any_n: ClassVar[bool] = False
    batchable: ClassVar[bool] = True

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


class FrameGRU(nn.Module):
    """A GRU that reads the features as time steps, oldest first; for this N alone.

    For channels that are correlated in time: the features are the gains of the last frames. The
    first hidden width is the GRU's, whose last state goes through dense layers of the others.
    """

    reads: ClassVar[str] = "history"
    hidden: ClassVar[tuple[int, ...]] = (64, 64)
    any_n: ClassVar[bool] = False
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


class BiGRUAttention(PerDevice):
    """A GRU along the devices and back, and attention over what it saw as context.

    The first hidden width is the GRU's in each direction, the others are the head's. It takes any
    N, but the order of the devices matters to it.
    """

    reads: ClassVar[str] = "devices"
    hidden: ClassVar[tuple[int, ...]] = (32, 32)
    any_n: ClassVar[bool] = True
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


class PolicyClass(Protocol):
    """A class of policies, which is called with `net` and a layout.

    Attributes:
        reads: its input: "vector", any state; "devices", features of each device in this frame; or
            "history", the same feature in several frames, oldest first.
        hidden: widths of the hidden layers that suit it.
        any_n: whether its parameters do not depend on N.
        batchable: whether torch can compute several networks of this class at once.
    """

    reads: str
    hidden: tuple[int, ...]
    any_n: bool
    batchable: bool

    def __call__(self, net: Sequence[int], layout: Layout) -> nn.Module:
        """Return a policy of this class."""


POLICIES: dict[str, PolicyClass] = {
    "mlp": MLP,
    "equivariant": Equivariant,
    "attention": Attention,
    "conv": Conv,
    "gru": FrameGRU,
    "bigru_attention": BiGRUAttention,
}


def build(name: str, net: Sequence[int], layout: Layout, generator: torch.Generator) -> nn.Module:
    """Return a policy by its name.

    Args:
        name: of `POLICIES`.
        net: widths `[inputs, hidden..., N]`.
        layout: what it is for; without features for an "mlp" alone.
        generator: where its initial parameters come from.

    Raises:
        ValueError: if there is no such policy, or `net` or the features do not fit it.
    """
    if name not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, got {name!r}")
    if name != "mlp" and not layout.features:
        raise ValueError(f"features must name those of the state for the policy {name}, got None")
    if name != "mlp" and len(net) < 3:
        raise ValueError(f"net must have a hidden width for the policy {name}, got {list(net)}")
    with torch.device("meta"):  # so that nothing is drawn from torch's global generator
        policy = POLICIES[name](net, layout)
    policy.to(torch.float32)  # as the memory is, whatever torch's default is
    policy.to_empty(device="cpu")
    initialize(policy, generator)
    return policy


def check(policy: nn.Module, inputs: int, layout: Layout) -> None:
    """Try a policy, which may be one for another number of devices.

    Raises:
        ValueError: if it does not take such states, or return such logits.
    """
    wanted = layout.by_device(torch.zeros(1, layout.num_devices * layout.logits)).shape
    try:
        with torch.no_grad():
            shape = policy(torch.zeros(1, inputs, dtype=torch.float32)).shape
    except RuntimeError as error:
        raise ValueError(
            f"policy must take float32 states [B, {inputs}] of {layout.num_devices} devices: "
            f"{error}"
        ) from error
    if shape != wanted:
        raise ValueError(
            f"policy must return logits {list(wanted)} for a state [1, {inputs}], got {list(shape)}"
        )


def with_probabilities(policy: nn.Module, num_places: int) -> nn.Sequential:
    """Return a policy with the sigmoid after it, or the softmax where places are more than two."""
    if num_places > 2:
        return nn.Sequential(policy, nn.Softmax(dim=-1))
    layers = policy if type(policy) is MLP else (policy,)  # the published model was a list
    return nn.Sequential(*layers, nn.Sigmoid())


def initialize(policy: nn.Module, generator: torch.Generator) -> None:
    """Draw a policy's initial parameters, uniform in +-1 / sqrt(inputs), from a generator.

    For linear layers, convolutions and GRUs (there the inputs are the hidden states) that is how
    torch draws them from its global generator.
    """
    for module in policy.modules():
        own = list(module.parameters(recurse=False))
        if not own:
            continue
        inputs = module.hidden_size if isinstance(module, nn.GRU) else own[0][0].numel()
        bound = 1 / math.sqrt(inputs)
        with torch.no_grad():
            for parameter in own:
                parameter.uniform_(-bound, bound, generator=generator)
