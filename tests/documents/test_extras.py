"""An installation without extras installs no package that only an extra needs."""

import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from droo_core.extras import MissingExtraError, require
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements: list[str], extra: str = "") -> set[str]:
    """Return the packages that requirements name on this platform, without or with an extra."""
    parsed = [Requirement(requirement) for requirement in requirements]
    return {
        canonicalize_name(each.name)
        for each in parsed
        if each.marker is None or each.marker.evaluate({"extra": extra})
    }


def everything_needed(packages: set[str]) -> set[str]:
    """Return packages with all their dependencies, as far as these are installed."""
    found: set[str] = set()
    while packages - found:
        package = (packages - found).pop()
        found.add(package)
        try:
            packages = packages | names(requires(package) or [])
        except PackageNotFoundError:
            continue
    return found


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"dev"}))
def test_an_installation_without_extras_pulls_none_of_an_extra(extra: str) -> None:
    always = everything_needed(names(PROJECT["dependencies"]))
    assert {"torch", "numba", "sympy"} <= always  # sympy is a dependency of torch
    assert not names(EXTRAS[extra]) & always


def test_a_missing_package_is_named_with_its_extra() -> None:
    with pytest.raises(MissingExtraError, match=r'nosuch.* pip install "droo\[sim\]"'):
        require("nosuch", "sim")
