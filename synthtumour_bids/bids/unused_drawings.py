"""Images in the folder of ``--corrections`` that are nobody's corrected mask, and why not."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from synthtumour_bids.bids.description import is_ours
from synthtumour_bids.bids.lookup import may_be_corrected, places
from synthtumour_bids.bids.names import IMAGE_EXTENSIONS, parse_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.strays import LIKE_IMAGES, MADE

_IMAGES = (*LIKE_IMAGES, ".nrrd", ".mha")  # what tools save drawings as
_NOT_DRAWN = frozenset(("junior", "brain"))  # desc of masks that this app writes

# Why images are left out, as the end of a sentence about them.
OTHER_FORMAT = "are no .nii or .nii.gz (convert them)"
MISNAMED = (
    "are not named as BIDS asks for (sub-<label>, then its other entities in its order, suffix)"
)
LIKE_THE_JUNIORS = (
    "have desc-... in their names, as the junior's masks have (take it out of those that a person "
    "has drawn)"
)
OTHERWISE_NAMED = "are called otherwise than ..._label-L_mask.nii.gz"
OTHER_SPACE = "are named as masks on another grid than their scans' (space-...)"
ELSEWHERE = "lie where no mask of their scans is looked for (move them to sub-.../[ses-.../]anat)"
LESS_FITTING = "are named less exactly than others of the same scans, which are used"
OF_NO_SCAN = "are named after no tumour scan of this run"


def images_in(folder: Path) -> list[Path]:
    """All images in a folder and those below, without what this app has made.

    Folders that are links are not looked through, which may lead back.
    """
    found = []
    for place, folders, names in os.walk(folder):
        inside = [one for one in folders if not one.startswith(".")]
        folders[:] = [one for one in sorted(inside) if not is_ours(Path(place, one))]
        images = (one for one in sorted(names) if one.lower().endswith(_IMAGES))
        found += [Path(place, one) for one in images if not one.startswith(".")]
    return found


def reasons_unused(
    folder: Path, scans: Sequence[Scan], used: Mapping[str, Path]
) -> dict[str, list[Path]]:
    """Sort the images of a folder that are not used by why that is so.

    Parameters
    ----------
    folder
        Of corrected masks.
    scans
        Whose masks are looked for.
    used
        The masks found, by the scans' keys.

    Returns
    -------
    Images by reasons, each of which ends a sentence. Nothing is said of scans, of a second file of
    a mask that is used, and of the app's own other images of a scan whose mask is used.
    """
    of_subject: dict[str, list[Scan]] = {}
    for scan in scans:
        of_subject.setdefault(f"sub-{scan.subject}", []).append(scan)
    told, taken = dict[str, list[Path]](), set(used.values())
    for path in images_in(folder):
        own = of_subject.get(path.name.partition("_")[0], [])
        if path not in taken and (why := _reason(path, folder, own, used)):
            told.setdefault(why, []).append(path)
    return told


def _reason(path: Path, folder: Path, scans: Sequence[Scan], used: Mapping[str, Path]) -> str:
    """Say why an image of a participant with these scans is not used; nothing where it is clear."""
    parsed = parse_name(path.name)
    if not path.name.endswith(IMAGE_EXTENSIONS):
        return OTHER_FORMAT
    if parsed is None:
        return MISNAMED
    if not parsed.is_derivative and not MADE.search(parsed.suffix.lower()):
        return ""  # a scan
    if fitting := [scan for scan in scans if may_be_corrected(scan, path.name)]:
        return _reason_of_fitting(path, folder, fitting, used)
    entities = dict(parsed.entities)
    if not scans:
        return OF_NO_SCAN
    if (entities.get("label"), parsed.suffix) != ("L", "mask") or "desc" in entities:
        made = parsed.suffix not in ("mask", "dseg") or entities.get("desc") in _NOT_DRAWN
        if made and _is_beside(path, scans, used):
            return ""
        return (
            LIKE_THE_JUNIORS
            if entities.get("label") == "L" and "desc" in entities
            else OTHERWISE_NAMED
        )
    here = re.sub("_space-[^_]+", "", path.name)
    return OTHER_SPACE if any(may_be_corrected(scan, here) for scan in scans) else OF_NO_SCAN


def _reason_of_fitting(
    path: Path, folder: Path, fitting: Sequence[Scan], used: Mapping[str, Path]
) -> str:
    """Say why a well-named mask is not used."""
    if not any(path.parent in places(scan, folder) for scan in fitting):
        return ELSEWHERE
    others = {used[scan.key].name.split(".")[0] for scan in fitting if scan.key in used}
    if path.name.split(".")[0] in others:
        return ""  # compressed and not
    return LESS_FITTING if others else OF_NO_SCAN


def _is_beside(path: Path, scans: Sequence[Scan], used: Mapping[str, Path]) -> bool:
    """Whether an image is named after a scan whose mask is used."""
    named = [scan for scan in scans if path.name.startswith(f"{scan.stem}_")]
    scan = max(named, key=lambda scan: len(scan.stem), default=None)
    return scan is not None and scan.key in used
