"""LyDROO and other schemes against N, with arrivals of 30 Mbit a frame shared by all devices.

`python -m experiments.studies.queueing_sizes --help` lists its settings.
"""

from experiments.studies.against import PANELS, QueueingStudy, run_study_module
from experiments.studies.figures import DEVICES, Panel

TOTAL = 30.0  # Mbit a frame

STUDY = QueueingStudy(
    name="queueing_sizes",
    varied=DEVICES,
    values={n: {"num_devices": n, "arrival_rate": TOTAL / n} for n in (10, 20, 30)},
    smoke=(10, 20),
    panels=PANELS
    | {"microseconds_per_frame": Panel("Time per frame (us)", limits={"yscale": "log"})},
)

main, draw = STUDY.main, STUDY.draw

if __name__ == "__main__":
    run_study_module(STUDY)
