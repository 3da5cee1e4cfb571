"""Simulated heads without tumour: anatomy, signal, and what a scanner makes of them."""
