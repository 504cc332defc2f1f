"""Ground of `agent` and `env`: compilation, argument checks, files, optional packages."""
