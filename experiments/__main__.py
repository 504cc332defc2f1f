"""`python -m experiments`: the command `droo`, which lists the experiments."""

from experiments.cli import main

main()
