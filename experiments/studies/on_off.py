"""Devices switched off and on during the run: does the agent follow?

The published policy, the same with Adam rebuilt at every step as in the published code, and the
best settings, whose policy sees weights and who is active.
After the published demonstration: one each off at 60, 65, 70 and 75 % of the frames; one, one and
two on again at 80, 85 and 90 %; two off at 95 %.
`python -m experiments.studies.on_off --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="on_off",
    title="Devices switched off and on",
    settings={
        "mlp": {"scenario": "on-off"},
        "mlp, Adam rebuilt": {"scenario": "on-off", "rebuild_optimizer": True},
        "best settings": {"scenario": "on-off", "preset": "best"},
    },
    frames=10_000,
    seeds=10,
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
