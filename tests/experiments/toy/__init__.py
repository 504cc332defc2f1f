"""A toy problem, written as a user would add one; `test_toy_problem` tests all of it.

Devices share a band: each offloading device slows down the rest. In the project its files would be
env/toy/{__init__, environment, vector}.py, experiments/problems/toy/{__init__, schema,
experiment}.py, experiments/configs/toy.py and experiments/toy.py.
"""

from env import ProblemSpec
from tests.experiments.toy.environment import ToyMEC, best_decision
from tests.experiments.toy.vector import VectorToyMEC

PROBLEM = ProblemSpec(
    name="toy",
    environment_id="ToyMEC-v0",
    environment=ToyMEC,
    vector_environment=VectorToyMEC,
    optimum=best_decision,
)
