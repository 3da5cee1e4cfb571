"""Versions of what results depend on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

from synthtumour_bids import __version__

PACKAGES = ("antspyx", "nibabel", "nilearn", "nnunetv2", "numpy", "scipy", "torch")


def versions() -> Mapping[str, str]:
    """Version of this package, of Python and of the libraries that compute, by name."""
    return {
        "synthtumour_bids": __version__,
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in PACKAGES},
    }
