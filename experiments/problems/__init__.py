"""The problems of the experiments: a folder each, and one registry."""
