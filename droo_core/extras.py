"""Optional packages, each installed by an extra of the distribution."""

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional package is not installed."""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional module.

    Args:
        module: its name.
        extra: the extra that installs it, as in `pip install "droo[EXTRA]"`.

    Raises:
        MissingExtraError: if it is not installed; the message tells how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f'{error.name} is not installed; it comes with pip install "droo[{extra}]", or '
            f'pip install ".[{extra}]" in a checkout'
        ) from error
