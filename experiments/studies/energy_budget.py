"""LyDROO and other schemes against the energy that a device may use in a frame.

`python -m experiments.studies.energy_budget --help` lists its settings.
"""

from experiments.studies.against import QueueingStudy, run_study_module

BUDGETS = (0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12)

STUDY = QueueingStudy(
    name="energy_budget",
    varied="Energy budget (J a frame)",
    values={budget: {"energy_budget": budget} for budget in BUDGETS},
    smoke=(0.06, 0.08),
)

main, draw = STUDY.main, STUDY.draw

if __name__ == "__main__":
    run_study_module(STUDY)
