"""Consumers of the frames that are played: recorder, progress bar, TensorBoard, timing."""
