"""How many candidates K, when it stays fixed?

After the DROO paper's figure on K.
`python -m experiments.studies.num_candidates --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="num_candidates",
    title="Number of candidates K, fixed",
    settings={f"K = {k}": {"num_candidates": k, "adapt_every": None} for k in (1, 2, 3, 5, 10)},
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
