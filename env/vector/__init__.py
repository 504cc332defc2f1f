"""Many environments stepped as one, bit for bit the single ones."""
