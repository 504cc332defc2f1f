"""Cross-entropy, from logits or as published from probabilities, or the quadratic cost?

The gradient of the cross-entropy by a weight is x (p - t): the error itself. That of the quadratic
cost has the factor p (1 - p) besides, and a device about which the policy is sure and wrong hardly
learns. `python -m experiments.studies.losses --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

EQUIVARIANT = {"preset": "best", "refine_every": 0}

STUDY = Study(
    name="losses",
    title="Loss",
    settings={
        "mlp, cross-entropy": {},
        "mlp, of probabilities": {"loss": "bce_probabilities"},
        "mlp, quadratic": {"loss": "quadratic"},
        "equivariant, cross-entropy": EQUIVARIANT,
        "equivariant, of probabilities": EQUIVARIANT | {"loss": "bce_probabilities"},
        "equivariant, quadratic": EQUIVARIANT | {"loss": "quadratic"},
    },
    frames=10_000,
    seeds=10,
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
