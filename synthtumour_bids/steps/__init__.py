"""The steps of the method: each joins BIDS files, the domain's functions and the pool."""
