"""Packages that only some users need, each behind an extra of the installation."""

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """A package is not installed that belongs to an extra."""


def require(module: str, extra: str) -> ModuleType:
    """Import a module of an extra.

    Args:
        module: its name.
        extra: that of the extra, as in `pip install "droo[EXTRA]"`.

    Raises:
        MissingExtraError: if it is not installed; the message says how to.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f'{error.name} is not installed; it comes with pip install "droo[{extra}]", or '
            f'pip install ".[{extra}]" in a checkout'
        ) from error
