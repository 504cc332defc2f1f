"""What makes every seed learn: schedule, quantizer, refinement? At N = 30, where a seed can fail.

`python -m experiments.exploration --help` lists its settings.
"""

from experiments.study import Study, run_study_module

PLAIN = {"refine_every": 0, "learn_when_wrong": False}

STUDY = Study(
    name="exploration",
    title="Learning from every seed, N = 30",
    settings={
        "mlp, published": {"preset": "published"},
        "mlp, refined": {"policy": "mlp", "features": ("log_gain",)},
        "equivariant": PLAIN,
        "learn when wrong": {"refine_every": 0},
        "the same, noisy OP": {"refine_every": 0, "quantizer": "OPN"},
        "the same, KNN": {"refine_every": 0, "quantizer": "KNN"},
        "refined": {"learn_when_wrong": False},
        "refined, learn when wrong": {},
    },
    frames=5000,
    seeds=10,
    num_devices=30,
    preset="best",
    logarithmic=True,
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
