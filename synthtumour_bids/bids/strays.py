"""Images that look like scans, but lie or are named where nobody looks for them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from synthtumour_bids.bids.names import (
    DERIVATIVE_ENTITIES,
    ENTITY_ORDER,
    IMAGE_EXTENSIONS,
    datatype,
)

# What people's tools write images as; of a pair of files, the one with the voxels.
LIKE_IMAGES = (*IMAGE_EXTENSIONS, ".img", ".mgz")

# Folders whose images are rightly left out.
_OTHER_FOLDERS = frozenset(
    (
        *("anat", "beh", "dwi", "eeg", "emg", "fmap", "func", "ieeg", "meg", "micr", "motion"),
        *("mrs", "nirs", "perf", "pet", "code", "derivatives", "sourcedata", "stimuli"),
        *("dicom", "dicoms", "freesurfer", "mri", "surf"),
    )
)
DEEPEST = 2  # folders below one that BIDS does not know
# In names of what was drawn on a scan, or computed from it.
MADE = re.compile("mask|seg|roi|label|lesion|tumou?r|brain|bet|prob|std|gt$")
_ENTITY = re.compile(r"([a-z]+)-[A-Za-z0-9+]+")


def strays(path: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Find images that may be scans, in a place where none is looked for.

    Folders that BIDS has for other data are not listed, nor links, which may lead back: in a
    dataset as BIDS has it there is nothing to list.

    Parameters
    ----------
    path
        An image, or a folder to look through.
    suffixes
        Of the images that are wanted.
    """
    if _extension(path.name):
        if _may_be_scan(path, suffixes):
            yield path
    elif "." not in path.name and _may_hold_scans(path.name, suffixes) and not path.is_symlink():
        for folder, folders, names in os.walk(path):
            depth = len(Path(folder).relative_to(path).parts)
            inside = sorted(one for one in folders if _may_hold_scans(one, suffixes))
            folders[:] = inside if depth < DEEPEST else []
            images = (Path(folder, one) for one in sorted(names) if not one.startswith("."))
            yield from (one for one in images if _may_be_scan(one, suffixes))


def suffix_meant(name: str, suffixes: Collection[str]) -> str | None:
    """The suffix that an image's name has in it, wherever and in whatever case.

    Returns
    -------
    ``None`` where it has none, or says that something was computed from a scan or drawn on it.

    Examples
    --------
    >>> suffix_meant("sub-01_t2flair_run-2.img", ["FLAIR"])
    'FLAIR'
    >>> suffix_meant("sub-01_acq-FLAIR_T2w.nii.gz", ["FLAIR"])
    """
    words = []
    for part in name.removesuffix(_extension(name)).split("_"):
        entity = _ENTITY.fullmatch(part)
        if entity is None or entity[1] not in ENTITY_ORDER:
            words.append(part.lower())
        elif entity[1] in DERIVATIVE_ENTITIES:
            return None
    if any(map(MADE.search, words)):
        return None
    return next((one for one in suffixes if any(one.lower() in word for word in words)), None)


def right_place(label: str, suffix: str) -> str:
    """Where a participant's image with this suffix should lie, and how it should be called."""
    return f"sub-{label}/[ses-*/]{datatype(suffix)}/sub-{label}[_...]_{suffix}.nii.gz"


def _extension(name: str) -> str:
    """How the name of an image ends, as it is written; empty for other files."""
    ends = (one for one in LIKE_IMAGES if name.lower().endswith(one))
    return next((name[-len(one) :] for one in ends), "")


def _may_hold_scans(folder: str, suffixes: Collection[str]) -> bool:
    wanted = {datatype(suffix) for suffix in suffixes}
    return not folder.startswith(".") and folder.lower() not in _OTHER_FOLDERS - wanted


def _may_be_scan(path: Path, suffixes: Collection[str]) -> bool:
    extension = _extension(path.name)
    if not extension or suffix_meant(path.name, suffixes) is None:
        return False
    if extension in IMAGE_EXTENSIONS:
        return True
    stem = path.name.removesuffix(extension)  # a copy of a scan is no scan
    return not any(path.with_name(stem + one).exists() for one in IMAGE_EXTENSIONS)
