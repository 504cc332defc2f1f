"""Wireless powered MEC: the main experiment."""
