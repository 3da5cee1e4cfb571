"""Synthetic and mixed tumours: arrays in, arrays out; needs numpy and scipy (fabrication: torch)."""
