"""The studies by name. Nothing heavy is imported here, because `droo study` lists them."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A study.

    Attributes:
        config: class of its settings, by its name in `experiments.configs`.
        module: the module that carries it out.
    """

    config: str
    module: str


STUDIES: dict[str, Entry] = {
    name: Entry(config, f"experiments.studies.{name}")
    for name, config in {
        "quantizers": "StudyConfig",
        "num_candidates": "StudyConfig",
        "adaptive_k": "StudyConfig",
        "memory_size": "StudyConfig",
        "batch_size": "StudyConfig",
        "training_interval": "StudyConfig",
        "learning_rate": "StudyConfig",
        "alternating_weights": "StudyConfig",
        "on_off": "StudyConfig",
        "comparison": "SizesConfig",
        "exploration": "StudyConfig",
        "losses": "StudyConfig",
        "correlated_fading": "StudyConfig",
        "policies": "SizesConfig",
        "transfer": "SizesConfig",
        "queueing_policies": "ScaledConfig",
        "arrival_rate": "ScaledConfig",
        "largest_rate": "ScaledConfig",
        "tradeoff": "ScaledConfig",
        "energy_budget": "ScaledConfig",
        "queueing_sizes": "ScaledConfig",
    }.items()
}
