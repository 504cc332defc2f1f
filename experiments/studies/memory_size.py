"""How large a replay memory?

After the DROO paper's figure on the memory size.
`python -m experiments.studies.memory_size --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="memory_size",
    title="Replay memory",
    settings={
        f"{size:,} rows": {"memory_size": size} for size in (128, 256, 512, 1024, 2048, 4096)
    },
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
