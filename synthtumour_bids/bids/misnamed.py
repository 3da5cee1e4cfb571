"""What is left out for its name alone, told before somebody misses it among the results."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.folders import Misnamed
from synthtumour_bids.bids.ignored import is_ignored, read_bidsignore
from synthtumour_bids.bids.index import entity_names
from synthtumour_bids.bids.names import IMAGE_EXTENSIONS
from synthtumour_bids.bids.strays import LIKE_IMAGES, right_place, suffix_meant
from synthtumour_bids.bids.wording import listed

LOGGER = logging.getLogger(__name__)

_ENTITY = re.compile(r"(?:^|[/_])([a-z]+)-([A-Za-z0-9+]+)")


def tell_misnamed(root: Path, misnamed: Collection[Misnamed]) -> None:
    """Name what would vanish without a word; who has ``.bidsignore`` name it knows already."""
    ignored = read_bidsignore(root)
    told: dict[bool, list[str]] = {}
    for one in misnamed:
        relative, name = one.path.relative_to(root), one.path.name.lower()
        if not is_ignored(ignored, relative):
            is_image = name.endswith(LIKE_IMAGES)
            verb = "convert" if is_image and not name.endswith(IMAGE_EXTENSIONS) else "rename"
            sentence = f"{relative.as_posix()} ({verb} it to {one.should_be})"
            told.setdefault(is_image, []).append(sentence)
    for is_image, those in sorted(told.items()):
        LOGGER.warning(
            "%s in %s not named as BIDS asks for, and left out: %s. Small and capital letters "
            "matter.",
            "Images" if is_image else "Folders",
            root,
            listed(those, 5),
        )


def stray_scans(
    strays: Iterable[tuple[str, Path]],
    root: Path,
    suffixes: Collection[str],
    queries: Collection[Mapping[str, Any]],
) -> Iterator[Misnamed]:
    """Tell which stray images may be scans that a run looks for.

    Parameters
    ----------
    strays
        Images with the labels of the participants whose they are.
    root
        The dataset.
    suffixes
        Of the scans that are wanted.
    queries
        Filters, of which a scan passes one; what neither place nor name says passes.
    """
    for label, path in strays:
        suffix = suffix_meant(path.name, suffixes)
        if suffix and any(_passes(path.relative_to(root), query) for query in queries):
            yield Misnamed(label, path, right_place(label, suffix))


def _passes(relative: Path, filters: Mapping[str, Any]) -> bool:
    names = entity_names()
    says = {names.get(key): value for key, value in _ENTITY.findall(relative.as_posix())}
    for entity, wanted in filters.items():
        values = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
        alike = {one.lstrip("0") for one in values}
        if entity in says and "*" not in values and says[entity].lstrip("0") not in alike:
            return False
    return True
