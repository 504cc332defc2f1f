"""Foundations of `agent` and `env`: compilation, checks of arguments, optional packages."""
