"""How large a training batch?

After the DROO paper's figure on the batch size.
`python -m experiments.studies.batch_size --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="batch_size",
    title="Training batch",
    settings={f"batch {size}": {"batch_size": size} for size in (16, 32, 128, 512, 1024)},
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
