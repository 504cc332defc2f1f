"""Running experiments: one or many, and loading what they saved."""
