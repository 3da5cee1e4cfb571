"""One random stream per (run, subject, session, sample, purpose): no global generator anywhere."""

from __future__ import annotations

import zlib

import numpy as np


def stream(
    seed: int, subject: str, session: str | None, index: int, purpose: str
) -> np.random.Generator:
    """Return the generator of one sample, whichever process, order or machine asks for it.

    Parameters
    ----------
    seed
        The run's seed, >= 0.
    subject, session
        Labels without ``sub-``/``ses-``; no session is the empty label.
    index
        Which sample of this scan, >= 0.
    purpose
        What the numbers are for (``"train"``, ``"shifted"``, ``"mix"`` ...): the same sample
        index of two purposes shares nothing.

    Returns
    -------
    numpy.random.Generator
        PCG64 seeded by ``SeedSequence([seed, crc32(subject), crc32(session), index,
        crc32(purpose)])``.

    Raises
    ------
    ValueError
        If seed or index is negative.
    """
    if seed < 0 or index < 0:
        raise ValueError(f"Seed and sample index must not be negative; got {seed} and {index}.")
    entropy = [seed, _crc(subject), _crc(session or ""), index, _crc(purpose)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


def _crc(text: str) -> int:
    # Python's own hash() of a string changes from process to process.
    return zlib.crc32(text.encode("utf-8"))
