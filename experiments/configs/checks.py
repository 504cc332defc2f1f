"""The base of all configs, and the checks of settings that nothing further down makes."""

from dataclasses import dataclass

LOWEST = {
    "frames": 1,
    "num_devices": 1,
    "seed": 0,
    "seeds": 0,
    "tolerance": 0,
    "window": 1,
    "refine_every": 0,
}
"""Least value of each setting of this name, in any config."""


@dataclass(frozen=True)
class Config:
    """Base of all configs: checks its values when it is made, and changes none of them.

    A subclass that checks more extends `__post_init__` and calls `super().__post_init__()`.
    """

    def __post_init__(self) -> None:
        """Check the values."""
        check_settings(self)


def check_settings(config: object) -> None:
    """Check the settings that are named in `LOWEST`, and the number of jobs.

    Raises:
        ValueError: if a setting is out of range, or a tuple of several is empty or has duplicates.
    """
    for name, value in vars(config).items():
        several = value if isinstance(value, tuple) else (value,)
        if name in LOWEST and value is not None:
            if not all(number >= LOWEST[name] for number in several):  # NaN fails, too
                raise ValueError(f"{name} must be at least {LOWEST[name]}, got {value}")
            check_distinct(name, several)
        if name == "jobs" and value == 0:
            raise ValueError("jobs must be at least 1, or -1 for all cores, got 0")


def check_distinct(name: str, values: tuple[object, ...]) -> None:
    """Check that there is at least one value, and none twice.

    Raises:
        ValueError: otherwise.
    """
    if len(set(values)) < max(1, len(values)):
        raise ValueError(f"{name} must be distinct and at least one, got {values}")
