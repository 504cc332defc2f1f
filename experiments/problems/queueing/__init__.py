"""The experiment on MEC with queues: LyDROO and reference schemes."""
