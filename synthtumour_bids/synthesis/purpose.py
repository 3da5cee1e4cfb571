"""What a synthetic scan is for, which decides how its tumour is shown."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """What a sample is for.

    ``TRAIN`` blends the tumour into its host. ``SHIFTED`` shows it under another intensity model,
    unblended: a network that has learned nothing but the look of the training samples fails there,
    so that such a set tells when to stop.
    """

    TRAIN = "train"
    SHIFTED = "shifted"
