"""The agent's modules import one another in one direction, and no other package of the project."""

import ast
from graphlib import TopologicalSorter

from tests.conftest import ROOT

FILES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted((ROOT / "agent").rglob("*.py"))
}


def imported_by(module: str) -> set[str]:
    """Return the modules that one imports anywhere, for type checkers alone or within functions."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in FILES else str(node.module))
    return found


def test_no_module_imports_itself_by_way_of_others() -> None:
    # A package's `__init__` imports its modules; they do not import it.
    graph = {module: imported_by(module) & FILES.keys() for module in FILES}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("agent.onnx_export") < order.index("agent.memory_dnn")
    assert order.index("agent.checkpoint") < order.index("agent.memory_dnn")


def test_the_agent_knows_of_no_problem() -> None:
    packages = {name.split(".")[0] for module in FILES for name in imported_by(module)}
    assert not packages & {"env", "experiments", "benchmarks", "tests"}
