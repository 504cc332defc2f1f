"""Experiments: they join agent and env; configs, loops, results, figures, command line."""
