"""Schemes that do not learn, for comparison and for the truth."""
