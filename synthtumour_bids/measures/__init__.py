"""How big a lesion is and where it lies: pure functions on arrays."""
