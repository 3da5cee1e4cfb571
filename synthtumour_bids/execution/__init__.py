"""How work is run: pools, what is already done, what the machine offers."""
