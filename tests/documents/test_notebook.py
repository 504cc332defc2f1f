"""`python -m tests.documents.test_notebook` runs the notebook and writes its outputs into it."""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "tour.ipynb"


def executed(folder: Path) -> nbformat.NotebookNode:
    """Run the notebook in a folder, and return it; raises the error of a cell."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, record_timing=False, resources={"metadata": {"path": folder}}
    )
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT)})
    return notebook


def shape(notebook: nbformat.NotebookNode) -> list[tuple[str, list[set[str]]]]:
    """Return the source of each code cell, and the types of its outputs."""
    return [
        (cell.source, [set(out.get("data", [out.get("name")])) for out in cell.outputs])
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_the_notebook_runs_and_has_the_outputs_that_are_saved(tmp_path: Path) -> None:
    saved = nbformat.read(NOTEBOOK, as_version=4)
    assert shape(executed(tmp_path)) == shape(saved)
    assert list(tmp_path.iterdir()) == []


def test_the_saved_notebook_contains_no_paths_and_times() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(cell.metadata == {} for cell in notebook.cells)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    text = NOTEBOOK.read_text()
    assert len(text) < 500_000
    assert not any(place in text for place in (str(ROOT), str(Path.home()), "/tmp/"))


if __name__ == "__main__":
    nbformat.write(executed(NOTEBOOK.parent), NOTEBOOK)
