"""SynthTumour: synthetic tumours teach a junior, whose pseudo-labels, mixed, teach a senior."""
