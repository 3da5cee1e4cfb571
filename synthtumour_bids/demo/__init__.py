"""The demo: a simulated cohort of heads, and the whole method run on it."""
