"""Run one study: several settings, several seeds, a table and a figure.

`python -m experiments.study` lists the studies, `python -m experiments.study NAME --help` the
settings of one. `experiments.studies.catalogue` defines them.
"""

from experiments.cli import run_menu
from experiments.commands import MENU

if __name__ == "__main__":
    run_menu(MENU.entries["study"])
