"""Foundations that `agent` and `env` share: compilation, argument checks, optional packages."""
