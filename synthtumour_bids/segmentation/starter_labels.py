"""What a folder of a starter says that it is for, before the whole of it is read and checked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.safe_files import read_json
from synthtumour_bids.segmentation.model_card import CARD
from synthtumour_bids.settings import CONTRASTS, LESIONS

_GLIOMA = "glioma"  # which names of folders leave out
_NAME = re.compile(f"starter-(?:({'|'.join(LESIONS)})-)?({'|'.join(map(str.lower, CONTRASTS))})-.*")
_NEWEST = (math.inf,)


@dataclass(frozen=True)
class Label:
    """What a starter is for, by its card or, where that cannot be read, by its folder's name.

    Attributes
    ----------
    contrast, lesion
        In small letters; ``None`` where nothing tells.
    alone
        Whether it needs no further contrast.
    order
        Its version as numbers. One that cannot be told is the newest: what is damaged must not
        give way to an older one without a word.
    """

    contrast: str | None
    lesion: str | None
    alone: bool = True
    order: tuple[float, ...] = _NEWEST

    @classmethod
    def of(cls, folder: Path) -> Label:
        """Read the label of a bundle; nothing of it is trusted."""
        try:
            content = read_json(folder, CARD)
        except ValueError:
            content = {}
        contrast, lesion = content.get("Contrast"), content.get("Lesion")
        if not (isinstance(contrast, str) and isinstance(lesion, str)):
            return cls._of_name(folder.name)
        alone = content.get("MoreContrasts", []) == []
        return cls(contrast.lower(), lesion.lower(), alone, _order(content.get("Version")))

    @classmethod
    def _of_name(cls, name: str) -> Label:
        match = _NAME.fullmatch(name)
        return cls(match[2], match[1] or _GLIOMA) if match else cls(None, None)

    def is_for(self, contrast: str, lesion: str) -> bool:
        """Whether it is, or may be, for a contrast and a lesion, and needs no further contrast."""
        wanted = contrast.lower(), lesion.lower()
        return self.alone and (self.contrast, self.lesion) in (wanted, (None, None))


def _order(version: Any) -> tuple[float, ...]:
    try:
        return tuple(map(int, version.split(".")))
    except (AttributeError, ValueError):
        return _NEWEST
