"""LyDROO against V, by which the weighted rate counts against the queues.

Drift plus penalty comes within O(1/V) of the best weighted rate with queues of O(V). Where all
queues are stable, what arrives is computed whatever V is; so the backlog alone is traded.
`python -m experiments.studies.tradeoff --help` lists its settings.
"""

from experiments.studies.against import PANELS, SCHEMES, QueueingStudy, run_study_module
from experiments.studies.figures import Panel

STUDY = QueueingStudy(
    name="tradeoff",
    varied="$V$",
    values={v: {"tradeoff": float(v)} for v in (1, 3, 10, 20, 50, 100, 300, 1000)},
    smoke=(1, 20),
    schemes={label: SCHEMES[label] for label in ("LyDROO", "Exact", "LyCD")},
    panels={
        "steady_data_queue": PANELS["steady_data_queue"],
        "steady_energy_queue": Panel("Energy queue, last half", limits={"yscale": "log"}),
        "steady_weighted_rate": Panel("Weighted rate (Mbit a frame)", limits={"ylim": (0, 45)}),
    },
    limits={"xscale": "log"},
)

main, draw = STUDY.main, STUDY.draw

if __name__ == "__main__":
    run_study_module(STUDY)
