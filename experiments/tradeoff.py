"""LyDROO and other schemes against V: what computing is worth against the queues.

Drift plus penalty comes within O(1/V) of the best at the price of queues of O(V).
`python -m experiments.tradeoff --help` lists its settings.
"""

from experiments.queueing_study import PANELS, SCHEMES, QueueingStudy, run_study_module
from experiments.study_figures import Panel

STUDY = QueueingStudy(
    name="tradeoff",
    varied="$V$",
    values={v: {"tradeoff": float(v)} for v in (1, 3, 10, 20, 50, 100, 300, 1000)},
    smoke=(1, 20),
    schemes={label: SCHEMES[label] for label in ("LyDROO", "Exact", "LyCD")},
    panels={
        "steady_data_queue": PANELS["steady_data_queue"],
        "steady_energy_queue": Panel("Energy queue, last half", limits={"yscale": "log"}),
        "mean_energy": PANELS["mean_energy"],
        "normalized_objective": PANELS["normalized_objective"],
    },
    limits={"xscale": "log"},
)

main, draw = STUDY.main, STUDY.draw

if __name__ == "__main__":
    run_study_module(STUDY)
