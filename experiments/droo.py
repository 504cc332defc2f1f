"""The main experiment: DROO online on wireless powered MEC.

`python -m experiments.droo --help` lists its settings.
"""

from experiments.cli import run_module
from experiments.configs import DROOConfig
from experiments.running.run import carry_out

main = carry_out

if __name__ == "__main__":
    run_module(DROOConfig, main)
