"""What makes every seed learn: schedule, quantizer, refinement? At N = 30, where a seed can fail.

`python -m experiments.studies.exploration --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

UNREFINED = {"refine_every": 0}

STUDY = Study(
    name="exploration",
    title="Exploration: learning from every seed",
    settings={
        "mlp, published": {"preset": "published"},
        "mlp, refined": {"policy": "mlp", "features": ("log_gain",)},
        "equivariant": UNREFINED | {"learn_when_wrong": False},
        "learn when wrong": UNREFINED,
        "learn when wrong, noisy OP": UNREFINED | {"quantizer": "OPN"},
        "learn when wrong, KNN": UNREFINED | {"quantizer": "KNN"},
        "refined": {"learn_when_wrong": False},
        "refined, learn when wrong": {},
        "refined, learn when wrong, noisy OP": {"quantizer": "OPN"},
    },
    frames=5000,
    seeds=10,
    num_devices=30,
    preset="best",
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
