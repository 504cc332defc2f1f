"""An agent learns the toy problem."""

from experiments.cli import run_module
from experiments.running.run import carry_out
from tests.experiments.toy.configs import ToyConfig

main = carry_out

if __name__ == "__main__":
    run_module(ToyConfig, main)
