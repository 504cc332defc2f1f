"""Schemes that do not learn, for comparison and as the reference optimum."""
