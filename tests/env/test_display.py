import xml.etree.ElementTree as ET

import pytest

from env import QueueingMEC, WirelessPoweredMEC
from env.common.display import device_table
from env.queueing import QueueingAllocation
from env.wpmec import Allocation


def parsed(html: str) -> tuple[str | None, list[list[str | None]]]:
    """Return the caption and the rows of an HTML table, which must be well-formed."""
    table = ET.fromstring(html)
    return table.findtext("caption"), [[cell.text for cell in row] for row in table.iter("tr")]


def test_an_allocation_shows_what_each_device_does() -> None:
    wpmec = WirelessPoweredMEC(3)
    wpmec.reset(seed=0)
    allocation = wpmec.allocate([1, 0, 1])
    assert isinstance(allocation, Allocation)
    caption, (heads, *rows) = parsed(allocation._repr_html_())
    assert caption is not None
    assert f"{allocation.computation_rate / 1e6:.4g} Mbit/s" in caption
    assert heads == ["device", "offloading time", "rate (Mbit/s)"]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert rows[1][1] == "0"
    shown = [float(row[2] or "nan") for row in rows]
    assert shown == pytest.approx(allocation.rate / 1e6, rel=1e-3)


def test_an_allocation_with_queues_shows_what_each_device_does() -> None:
    mec = QueueingMEC(3)
    mec.reset(seed=0, options={"data_queue": [5.0, 6.0, 7.0]})
    allocation = mec.allocate([1, 0, 1])
    assert isinstance(allocation, QueueingAllocation)
    caption, (heads, *rows) = parsed(allocation._repr_html_())
    assert caption is not None
    assert f"{allocation.objective:.4g}" in caption
    assert len(heads) == 6
    assert [row[4] == "0" for row in rows] == [False, True, False]
    shown = [float(row[3] or "nan") for row in rows]
    assert shown == pytest.approx(allocation.frequency / 1e6, rel=1e-3)


def test_a_table_shows_markup_as_text() -> None:
    caption, (heads, *_) = parsed(device_table("<b>&", {"a < b": [1.0]}))
    assert caption == "<b>&"
    assert heads[1] == "a < b"


def test_a_table_wants_columns_of_one_length() -> None:
    with pytest.raises(ValueError, match="shorter"):
        device_table("", {"a": [1.0, 2.0], "b": [1.0]})
