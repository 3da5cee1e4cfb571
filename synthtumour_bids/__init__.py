"""Label-free brain-tumour segmentation of BIDS datasets by two-stage image synthesis."""

__version__ = "0.1.0"
