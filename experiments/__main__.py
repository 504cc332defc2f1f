"""`python -m experiments`: list the experiments."""

from experiments.cli import list_experiments

list_experiments()
