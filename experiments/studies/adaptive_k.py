"""How often to adapt K?

After the DROO paper's figure on the updating interval.
`python -m experiments.studies.adaptive_k --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="adaptive_k",
    title="Update interval of adaptive K",
    settings={
        **{f"every {frames}": {"adapt_every": frames} for frames in (1, 8, 32, 128, 512)},
        "never": {"adapt_every": None},
    },
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
