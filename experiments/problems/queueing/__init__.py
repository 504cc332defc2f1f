"""MEC with queues: LyDROO, and the schemes beside it."""
