"""``--output-spaces``: fMRIPrep's words for the grids that masks are wanted on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from synthtumour_bids.settings import TEMPLATE

T1W, SCAN = "T1w", "FLAIR"
STANDARD = (TEMPLATE, "MNI152NLin2009cAsym", "MNI152NLin6Asym")
NATIVE = "native"  # fMRIPrep's word for the resolution of the data; here that of the networks' grid

_ALIASES = {"anat": T1W}
_MODIFIER = re.compile(r"(res|resolution)-([A-Za-z0-9]+)")


@dataclass(frozen=True)
class Reference:
    """One grid that masks are wanted on.

    Attributes
    ----------
    space
        ``T1w``, ``FLAIR`` (the scan's own grid) or a standard space.
    resolution
        Voxel size in mm; ``None`` is that of the image or, in a standard space, of the networks'
        grid.
    """

    space: str
    resolution: int | None = None

    @property
    def is_standard(self) -> bool:
        """Whether brains have to be bent for it."""
        return self.space in STANDARD

    def __str__(self) -> str:
        """Write it as on the command line."""
        return self.space if self.resolution is None else f"{self.space}:res-{self.resolution}"


def references_of(words: Sequence[str]) -> list[Reference]:
    """Read all words of ``--output-spaces``, each grid once."""
    return list(dict.fromkeys(one for word in words for one in parse_reference(word)))


def parse_reference(text: str) -> list[Reference]:
    """Read one word of ``--output-spaces``.

    Parameters
    ----------
    text
        ``SPACE[:res-N[:res-M]]``; ``resolution-`` is the same as ``res-``, and ``res-native`` as
        none.

    Raises
    ------
    ValueError
        With what cannot be had, in a sentence.

    Examples
    --------
    >>> [str(one) for one in parse_reference("MNI152NLin6Asym:res-1:res-2")]
    ['MNI152NLin6Asym:res-1', 'MNI152NLin6Asym:res-2']
    """
    name, *modifiers = text.rstrip(":").split(":")
    space = _ALIASES.get(name, name)
    known = (*STANDARD, T1W, SCAN)
    if space not in known:
        msg = f"{name!r} is no space that masks can be written in; there are {', '.join(known)}"
        raise ValueError(msg)
    resolutions = [_resolution(space, modifier) for modifier in modifiers]
    return [Reference(space, one) for one in dict.fromkeys(resolutions or [None])]


def _resolution(space: str, modifier: str) -> int | None:
    match = _MODIFIER.fullmatch(modifier)
    if match is None:
        msg = f"{modifier!r} of {space} is not understood; there is res-N, N in mm"
        raise ValueError(msg)
    value = match[2]
    if value == NATIVE:
        return None
    if space not in STANDARD:
        msg = f"{space} is the image's own grid and takes no {modifier!r}"
        raise ValueError(msg)
    if not value.isdecimal() or int(value) not in (1, 2):
        msg = f"{modifier!r} of {space}: there are res-1 and res-2, the voxel size in mm"
        raise ValueError(msg)
    return int(value)
