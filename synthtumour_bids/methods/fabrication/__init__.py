"""Tumor Fabrication: samples made from a few annotated scans, refined by a GAN."""
