"""Display of results in notebooks."""

import html
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike


def device_table(caption: str, columns: Mapping[str, ArrayLike]) -> str:
    """Return an HTML table with a row for each device.

    Args:
        caption: of the table.
        columns: heading -> values `[N]`, shown with four digits.

    Raises:
        ValueError: if the columns differ in length.
    """
    heads = "".join(f"<th>{html.escape(head)}</th>" for head in ("device", *columns))
    rows = zip(*map(np.asarray, columns.values()), strict=True)
    body = "".join(
        f"<tr><th>{device}</th>" + "".join(f"<td>{value:.4g}</td>" for value in row) + "</tr>"
        for device, row in enumerate(rows)
    )
    return (
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )
