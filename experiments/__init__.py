"""Experiments join agent and env: settings, loops, run folders, figures, command line."""
