"""All weights swapped at 60 % of the frames and back at 80 %: does the agent follow?

The published policy, the same with Adam rebuilt at every step as in the published code, and the
best settings, whose policy sees weights and who is active.
After the published demonstration. The state of the published policy does not tell the
weights: only the rewards change.
`python -m experiments.studies.alternating_weights --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="alternating_weights",
    title="Weights swapped and swapped back",
    settings={
        "mlp": {"scenario": "alternating-weights"},
        "mlp, Adam rebuilt": {
            "scenario": "alternating-weights",
            "rebuild_optimizer": True,
        },
        "best settings": {"scenario": "alternating-weights", "preset": "best"},
    },
    frames=10_000,
    seeds=10,
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
