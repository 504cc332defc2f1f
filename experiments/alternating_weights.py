"""All weights swapped at 60 % of the frames and back at 80 %: does the agent follow?

Beside DROO it runs with Adam rebuilt at every step, as in the published code.
After the published demonstration. The state does not tell the weights: only the rewards change.
`python -m experiments.alternating_weights --help` lists its settings.
"""

from experiments.study import Study, run_study_module

STUDY = Study(
    name="alternating_weights",
    title="Weights swapped and swapped back",
    settings={
        "DROO": {"scenario": "alternating-weights"},
        "Adam rebuilt": {
            "scenario": "alternating-weights",
            "rebuild_optimizer": True,
        },
    },
    frames=10_000,
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
