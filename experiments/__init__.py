"""Experiments: they join agent and env; configs, loops, results, plots, command line."""
