"""Experiments join agent and env: settings, problems, run folders, studies, command line."""
