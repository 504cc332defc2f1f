"""LyDROO online on MEC with queues, or another scheme on the same frames.

`python -m experiments.lydroo --help` lists its settings.
"""

from experiments.cli import run_module
from experiments.configs import LyDROOConfig
from experiments.running.run import carry_out

main = carry_out

if __name__ == "__main__":
    run_module(LyDROOConfig, main)
