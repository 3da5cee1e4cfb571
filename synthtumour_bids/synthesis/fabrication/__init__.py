"""Tumour fabrication: annotated lesions moved into tumour-free brains, then refined by a GAN."""
