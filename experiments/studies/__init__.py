"""Studies: one problem under several settings, each from several seeds."""
