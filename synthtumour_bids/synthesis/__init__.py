"""Synthetic and mixed tumours: arrays in, arrays out; numpy and scipy (fabrication: torch)."""
