"""Hooks of MkDocs: formulas become MathML, which browsers draw without a script."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'(?<=class="arithmatex">)\\([(\[])(.*?)\\[)\]](?=</)', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace the formulas that `pymdownx.arithmatex` has found in a page."""
    return FORMULA.sub(_mathml, content)


def _mathml(formula: re.Match[str]) -> str:
    opening, latex = formula.groups()
    return convert(html.unescape(latex), display="block" if opening == "[" else "inline")
