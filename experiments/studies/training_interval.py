"""How many frames between training steps?

After the DROO paper's figure on the training interval.
`python -m experiments.studies.training_interval --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="training_interval",
    title="Training interval",
    settings={
        f"every {frames}": {"training_interval": frames} for frames in (1, 5, 10, 20, 50, 100)
    },
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
