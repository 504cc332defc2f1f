"""Fading that is correlated in time: does it help to see the frames before, by a GRU or at all?

`python -m experiments.studies.correlated_fading --help` lists its settings.
"""

from experiments.configs import DROOConfig
from experiments.studies.curves import Study, run_study_module

CORRELATED = {"correlation": 0.95, "refine_every": 0}
FRAMES = DROOConfig.features_for["history"]

STUDY = Study(
    name="correlated_fading",
    title="Fading with correlation 0.95 from frame to frame",
    settings={
        "mlp": CORRELATED | {"policy": "mlp", "features": ("log_gain",)},
        "mlp, 8 frames": CORRELATED | {"policy": "mlp", "features": FRAMES},
        "gru, 8 frames": CORRELATED | {"policy": "gru"},
        "equivariant": CORRELATED,
    },
    frames=10_000,
    seeds=10,
    preset="best",
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
