"""Which learning rate?

After the DROO paper's figure on the learning rate.
`python -m experiments.studies.learning_rate --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="learning_rate",
    title="Learning rate of Adam",
    settings={
        f"{rate:g}": {"learning_rate": rate} for rate in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
    },
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
