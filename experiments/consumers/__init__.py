"""Consumers of the generator of frames: recorder, progress bar, TensorBoard, timing."""
