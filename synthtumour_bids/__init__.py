"""Label-free brain-tumour segmentation of BIDS datasets by two-stage image synthesis."""

__version__ = "0.2.0"
