"""Which quantizer: order-preserving, noisy order-preserving or nearest neighbours?

After the DROO paper's comparison of OP with KNN; the noisy one is LyDROO's.
`python -m experiments.studies.quantizers --help` lists its settings.
"""

from experiments.studies.curves import Study, run_study_module

STUDY = Study(
    name="quantizers",
    title="Quantizer",
    settings={
        "OP": {},
        "KNN": {"quantizer": "KNN"},
        "noisy OP": {"quantizer": "OPN"},
        "OP, K = 1": {"num_candidates": 1, "adapt_every": None},
        "OP, K = 2": {"num_candidates": 2, "adapt_every": None},
        "KNN, K = 2": {"quantizer": "KNN", "num_candidates": 2, "adapt_every": None},
    },
)

main = STUDY.main

if __name__ == "__main__":
    run_study_module(STUDY)
