"""A scan's mask on other grids: transforms composed, images resampled once."""
