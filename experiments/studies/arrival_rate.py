"""LyDROO and other schemes against the arrival rate: where does each become unstable?

`python -m experiments.studies.arrival_rate --help` lists its settings.
"""

from experiments.studies.against import QueueingStudy, run_study_module

RATES = (1.0, 1.5, 2.0, 2.5, 2.75, 3.0, 3.1, 3.2, 3.3, 3.5)

STUDY = QueueingStudy(
    name="arrival_rate",
    varied="Arrival rate $\\lambda$ (Mbit a frame)",
    values={rate: {"arrival_rate": rate} for rate in RATES},
    smoke=(2.0, 3.0),
)

main, draw = STUDY.main, STUDY.draw

if __name__ == "__main__":
    run_study_module(STUDY)
