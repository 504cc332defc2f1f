"""The compiled loop over frames, for agents and problems whose parts are all compiled.

Its reference is `experiments.simulation.simulate`: a test checks that decisions, replay memory and
weights are equal bit for bit.
"""
