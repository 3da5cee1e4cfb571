"""Random streams that follow from a run's seed and from names alone: no global generator."""

from __future__ import annotations

import zlib

import numpy as np


def stream(
    seed: int, *names: str | None, index: int = 0, purpose: str = "train"
) -> np.random.Generator:
    """Return the generator of one sample, whichever process, order or machine asks for it.

    Nothing else in this package makes generators, and every function that draws takes one: any
    other serves as well, such as ``numpy.random.default_rng()``.

    Parameters
    ----------
    seed
        The run's seed, >= 0.
    names
        What the sample is made from: names of scans, of a scan and its session, or of a tumour
        scan and its host. None counts as the empty name.
    index
        Which sample of these it is, >= 0.
    purpose
        What the numbers are for (``"train"``, ``"shifted"``, ``"mix"`` ...): the same index of two
        purposes shares nothing.

    Returns
    -------
    numpy.random.Generator
        PCG64 seeded by ``SeedSequence([seed, crc32 of each name, index, crc32 of purpose])``.

    Raises
    ------
    ValueError
        If seed or index is negative.

    Examples
    --------
    >>> bool(stream(527, "sub-01", index=3).random() == stream(527, "sub-01", index=3).random())
    True
    >>> bool(stream(527, "sub-01", index=3).random() == stream(527, "sub-01", index=4).random())
    False
    """
    if seed < 0 or index < 0:
        raise ValueError(f"Seed and sample index must not be negative; got {seed} and {index}.")
    entropy = [seed, *(_crc(name or "") for name in names), index, _crc(purpose)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def _crc(text: str) -> int:
    # Python's own hash() of a string changes from process to process.
    return zlib.crc32(text.encode("utf-8"))
