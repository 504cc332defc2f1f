import re

import pytest

from tests.conftest import python_m

NUMBER = re.compile(r"[\d,]+(\.\d+)?")  # neither nan nor inf
SECTIONS = ("floor", "parts", "queues", "vector", "latency", "late")


@pytest.fixture(scope="module")
def report() -> dict[str, str]:
    """Name of a section -> its text."""
    done = python_m("benchmarks.report", *SECTIONS, "--quick")
    assert done.returncode == 0, done.stderr
    texts = done.stdout.split("\n## ")[1:]
    assert len(texts) == len(SECTIONS)
    return dict(zip(SECTIONS, texts, strict=True))


def tables_of(text: str) -> list[list[list[str]]]:
    """Return the cells of each row of each table."""
    blocks = re.findall(r"(?:^\|.*\|$\n?)+", text, flags=re.MULTILINE)
    return [
        [[cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()]
        for block in blocks
    ]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_of_the_report_says_how_to_reproduce_it(
    report: dict[str, str], name: str
) -> None:
    _, command_line = report[name].split("\n\n")[:2]
    assert command_line == f"`python -m benchmarks.report {name} --quick`"


@pytest.mark.parametrize(
    ("name", "tables"),
    [("floor", 2), ("parts", 2), ("queues", 2), ("vector", 1), ("latency", 1), ("late", 1)],
)
def test_a_section_of_the_report_holds_tables_of_positive_numbers(
    report: dict[str, str], name: str, tables: int
) -> None:
    found = tables_of(report[name])
    assert len(found) == tables
    for header, aligned, *rows in found:
        assert all(re.fullmatch(":?-+:?", cell) for cell in aligned)
        assert rows
        for label, *cells in rows:
            assert label
            assert len(header) == len(aligned) == len(cells) + 1, (header, cells)
            numbers = [cell for cell in cells if cell not in {"plain", "torch"}]
            assert numbers
            assert all(NUMBER.fullmatch(number) for number in numbers), cells
            assert all(float(number.replace(",", "")) > 0 for number in numbers), cells
