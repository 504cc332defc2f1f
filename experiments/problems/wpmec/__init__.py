"""The main experiment: DROO on wireless powered MEC."""
