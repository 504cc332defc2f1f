"""`python -m experiments` is the command `droo`, which lists the commands."""

from experiments.cli import main

main()
