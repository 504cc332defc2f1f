"""Pictures of a frame: the offloading devices, the division of its time, and the queues."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from droo_core.arrays import Floats

if TYPE_CHECKING:  # matplotlib is loaded only for rendering
    from matplotlib.axes import Axes

Pixels = NDArray[np.uint8]

SIZE, DPI = (6.4, 4.8), 100  # inches and pixels an inch: 640 x 480 pixels
BROADCAST, OFFLOADS, LOCAL = "#f0c24b", "#0072b2", "#b0b0b0"
GAINS: Any = {"cmap": "viridis", "origin": "lower"}
CENTRED: Any = {"ha": "center", "va": "center", "fontsize": 8}
LABELLED = 30  # devices; the numbers of more would overlap


class Picture(NamedTuple):
    """Content of a picture of a frame.

    Attributes:
        title: of the picture.
        gain: channel gains `[N]`.
        decibels: lower and upper end of the colour scale of the gains.
        decision: zeros and ones `[N]`; None before the first decision.
        broadcast: time in which energy is broadcast, as a fraction of the frame.
        slots: time in which each device offloads `[N]`, as a fraction of the frame.
        queues: title -> queue of each device `[N]`.
    """

    title: str
    gain: Floats
    decibels: tuple[float, float]
    decision: NDArray[np.int64] | None = None
    broadcast: float = 0.0
    slots: Floats = np.zeros(0)
    queues: Mapping[str, Floats] = {}


def draw(picture: Picture) -> Pixels:
    """Return a picture as pixels `[480, 640, 3]`, red, green and blue from 0 to 255."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(SIZE, DPI)
    canvas = FigureCanvasAgg(figure)
    figure.text(0.03, 0.95, picture.title, va="center", fontsize=11)
    draw_devices(figure.add_axes((0.03, 0.3, 0.56 if picture.queues else 0.84, 0.61)), picture)
    draw_scale(figure.add_axes((0.63 if picture.queues else 0.9, 0.36, 0.015, 0.5)), picture)
    draw_time(figure.add_axes((0.03, 0.1, 0.94, 0.09)), picture)
    for row, (name, values) in enumerate(picture.queues.items()):
        draw_queue(figure.add_axes((0.77, 0.68 - 0.32 * row, 0.2, 0.2)), name, values)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()


def draw_devices(ax: "Axes", picture: Picture) -> None:
    """Draw the devices around the server, and lines from the offloading ones to it."""
    n = len(picture.gain)
    angle = np.pi * (0.5 - 2 * np.arange(n) / n)
    x, y = np.cos(angle), np.sin(angle)
    offloads = np.zeros(n, bool) if picture.decision is None else picture.decision == 1
    rays = np.zeros((2, offloads.sum(), 2))  # to each device and back to the server, as one line
    rays[:, :, 1] = x[offloads], y[offloads]
    ax.plot(*rays.reshape(2, -1), color=OFFLOADS, linewidth=2, zorder=1)
    fill = colours(picture)
    ax.scatter(
        x,
        y,
        s=min(330.0, 6000 / n),
        c=fill,
        edgecolors=[OFFLOADS if each else LOCAL for each in offloads],
        linewidths=[2.5 if each else 1.0 for each in offloads],
    )
    if n <= LABELLED:
        for i, colour in enumerate(ink(fill)):
            ax.text(x[i], y[i], str(i), color=colour, **CENTRED)
    ax.scatter(0, 0, s=900, marker="s", c="w", edgecolors="k", zorder=3)
    ax.text(0, 0, "edge", zorder=4, **CENTRED)
    ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    ax.set_axis_off()


def draw_scale(ax: "Axes", picture: Picture) -> None:
    """Draw the colour scale of the gains."""
    low, high = picture.decibels
    ax.imshow(np.linspace(0, 1, 64)[:, None], extent=(0, 1, low, high), aspect="auto", **GAINS)
    ax.set(xticks=[], yticks=np.linspace(low, high, 5))
    ax.yaxis.tick_right()
    ax.tick_params(labelsize=8)
    ax.set_title("gain, dB", fontsize=8)


def draw_time(ax: "Axes", picture: Picture) -> None:
    """Draw the division of the frame's time: the broadcast, then the devices' slots."""
    users, slots = np.flatnonzero(picture.slots), picture.slots[picture.slots > 0]
    starts = picture.broadcast + np.cumsum(slots) - slots
    fill = colours(picture)[users]
    ax.barh(0, picture.broadcast, color=BROADCAST)
    ax.barh(np.zeros(len(users)), slots, left=starts, color=fill, edgecolor=OFFLOADS, linewidth=0.8)
    texts = zip(users, starts, slots, ink(fill), strict=True)
    unused = 1 - picture.broadcast - slots.sum()
    for label, start, length, colour in [
        ("energy broadcast", 0.0, picture.broadcast, "k"),
        *((str(user), start, length, colour) for user, start, length, colour in texts),
        ("unused", 1 - unused, unused, LOCAL),
    ]:
        if length > 0.014 * len(label):
            ax.text(start + length / 2, 0, label, color=colour, **CENTRED)
    ax.set(xlim=(0, 1), ylim=(-0.4, 0.4), yticks=[], xticks=[0, 0.5, 1])
    ax.tick_params(labelsize=8)
    ax.set_title("Time, as fractions of the frame", fontsize=9, loc="left")


def draw_queue(ax: "Axes", name: str, values: Floats) -> None:
    """Draw the queue of each device."""
    ax.bar(np.arange(len(values)), values, color=OFFLOADS)
    # A power of two, so that the scale rarely changes between pictures.
    top = 2.0 ** np.ceil(np.log2(max(1.0, values.max())))
    ax.set(ylim=(0, top), yticks=[0, top / 2, top], xticks=[0, len(values) - 1])
    ax.set_title(name, fontsize=9, loc="left")
    ax.tick_params(labelsize=8)


def colours(picture: Picture) -> Floats:
    """Return the devices' colours `[N, 4]`, given by their gains; no gain is darkest."""
    from matplotlib import colormaps  # noqa: PLC0415

    low, high = picture.decibels
    decibels = 10 * np.log10(np.maximum(picture.gain, 10 ** (low / 10)))
    colour: Floats = colormaps[GAINS["cmap"]](np.clip((decibels - low) / (high - low), 0, 1))
    return colour


def ink(fill: Floats) -> NDArray[np.str_]:
    """Return black or white `[N]`, whichever is legible on these colours `[N, 4]`."""
    return np.where(fill[:, :3] @ (0.3, 0.6, 0.1) > 0.5, "k", "w")
