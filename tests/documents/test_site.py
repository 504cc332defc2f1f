import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import agent
import env
import env.schemes
from experiments.commands import MENU, Menu
from tests.conftest import ROOT

DOCS = ROOT / "docs"
FETCHED = re.compile(r'<(?:script|img|iframe|link)[^>]*(?:src|href)="(?:https?:)?//[^"]*')
GALLERY = re.compile(r"!\[[^\]]+\]\(figures/(\w+)\.png\)\n\n([^!#]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the documentation site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def test_every_page_is_in_the_site_and_needs_no_network(site: Path) -> None:
    pages = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")}
    assert pages <= {page.relative_to(site) for page in site.rglob("*.html")}
    for page in pages:
        assert FETCHED.findall((site / page).read_text()) == []


def test_formulas_are_mathml(site: Path) -> None:
    html = (site / "solver.html").read_text()
    assert html.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') == 2
    assert html.count("<mi>&#x003C4;</mi>") > 1  # tau
    assert "$" not in re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("page", "module"), [("agent", agent), ("env", env), ("schemes", env.schemes)]
)
def test_all_public_names_are_in_the_reference(site: Path, page: str, module: ModuleType) -> None:
    html = (site / "reference" / f"{page}.html").read_text()
    names = [f"{module.__name__}.{name}" for name in module.__all__]
    assert [name for name in names if f'id="{name}"' not in html] == []


def test_the_gallery_has_every_figure_and_the_command_that_draws_it() -> None:
    shown = dict(GALLERY.findall((DOCS / "gallery.md").read_text()))
    assert set(shown) == {figure.stem for figure in (DOCS / "figures").iterdir()}
    studies = MENU.entries["study"]
    assert isinstance(studies, Menu)
    for name, text in shown.items():
        study = re.search(r"`droo study (\w+)`", text)
        command = re.search(r"`droo (compare|baselines)`", text)
        example = re.search(r"`python (examples/\w+\.py) docs/figures`", text)
        if study:
            assert study[1] == name
            assert name in studies.entries
        elif command:
            assert {"compare": "comparison", "baselines": "rl_baselines"}[command[1]] == name
        elif example:
            assert (ROOT / example[1]).is_file()
        else:
            assert "`droo plot`" in text
