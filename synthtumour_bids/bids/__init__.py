"""BIDS: which scans there are, what their derivatives are called, how these are written."""
