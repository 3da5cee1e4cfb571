"""The masks of ``--corrections``, which a person has edited: which belongs to which scan.

Names are read here; voxels are read before the senior is trained.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from synthtumour_bids.bids.images import MAIN, PARTS_LEFT_OUT
from synthtumour_bids.bids.lookup import (
    check_shared,
    find_correction,
    may_be_corrected,
    names_in,
)
from synthtumour_bids.bids.names import IMAGE_EXTENSIONS, parse_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.unused_drawings import images_in, reasons_unused
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import Role, Settings

LOGGER = logging.getLogger(__name__)
HELD_OUT = "are of participants of --hold-out, who teach nothing"


def find_corrections(
    scans: Sequence[Scan], settings: Settings, *, tell: bool = True
) -> dict[str, Path]:
    """Find the corrected masks of the tumour scans that may be learned from.

    Parameters
    ----------
    scans
        The scans of the run.
    settings
        ``corrections`` and ``hold_out``.
    tell
        Whether to name the images that are not learned from, and to refuse a folder where no
        image is; not where `scans` are only some.

    Returns
    -------
    Masks by the scans' keys; empty without ``--corrections``.

    Raises
    ------
    DataError
        When two masks fit a scan equally well, one could be of several scans, or the folder holds
        images and none of them is a mask of a scan of the dataset.
    """
    folder = settings.corrections
    if folder is None:
        return {}
    patients = [scan for scan in scans if scan.role is Role.TUMOUR and scan.dataset_name == MAIN]
    fitting = {
        scan.key: path
        for scan in patients
        if (path := find_correction(scan, folder)) is not None
        and not any(_is_named_after(other, path) for other in _rivals(scan, path, patients))
    }
    learning = [scan for scan in patients if scan.subject not in settings.hold_out]
    found = {scan.key: fitting[scan.key] for scan in learning if scan.key in fitting}
    _check_rivals(learning, found, tell=tell)
    if tell:
        held_out = [path for key, path in fitting.items() if key not in found]
        unused = reasons_unused(folder, patients, fitting)
        if not fitting and _all_are_asked_for(settings) and images_in(folder):
            raise DataError(_nothing_message(folder, unused))
        _warn(folder, held_out, HELD_OUT)
        for why, paths in unused.items():
            _warn(folder, paths, why)
        LOGGER.info("%d corrected masks to learn from in %s (--corrections).", len(found), folder)
    return found


def _all_are_asked_for(settings: Settings) -> bool:
    """Whether a run works on all scans: else masks may well be those of others."""
    return not any(
        (
            settings.participant_label,
            settings.exclude_participant_label,
            settings.session_label,
            settings.bids_filter_file,
        )
    )


def _check_rivals(scans: Sequence[Scan], found: Mapping[str, Path], *, tell: bool) -> None:
    """Refuse a mask that could be of another scan as well, and tell of images left out.

    That other scan may have a mask of its own: perhaps one was named anew, and this was left over.
    """
    doubtful = []
    known = {scan.key for scan in scans}
    for scan in scans:
        path = found.get(scan.key)
        rivals = [] if path is None else [one.key for one in _rivals(scan, path, scans)]
        if path is None or not rivals:
            continue
        check_shared({key: path for key in (scan.key, *rivals) if key in known}, "--corrections")
        doubtful.append(f"{path} as that of {scan.key} (and not of {listed(rivals, 3)})")
    if doubtful and tell:
        LOGGER.warning(
            "Masks of --corrections could be drawn on images that this run leaves out, too. They "
            "are taken for those of its scans: %s. Name a mask after the one that it was drawn on.",
            listed(doubtful, 5),
        )


def _rivals(scan: Scan, path: Path, scans: Sequence[Scan]) -> list[Scan]:
    """Other images of a scan's session that its mask could be drawn on, of the run or not.

    There are none where the mask is named just as the scan is.
    """
    if _is_named_after(scan, path):
        return []
    alike = [one for one in scans if (one.subject, one.suffix) == (scan.subject, scan.suffix)]
    for name in names_in(scan.path.parent):
        parsed = parse_name(name)
        if (
            parsed
            and not parsed.is_derivative
            and dict(parsed.entities).get("part") not in PARTS_LEFT_OUT
            and (parsed.suffix, parsed.extension in IMAGE_EXTENSIONS) == (scan.suffix, True)
        ):
            alike.append(replace(scan, path=scan.path.with_name(name), entities=parsed.entities))
    different = {one.key: one for one in reversed(alike) if one.key != scan.key}
    return [one for _, one in sorted(different.items()) if may_be_corrected(one, path.name)]


def _is_named_after(scan: Scan, path: Path) -> bool:
    """Whether a mask has all of a scan's entities, so that it is of no other."""
    parsed = parse_name(path.name)
    return parsed is not None and set(scan.entities) <= set(parsed.entities)


def _nothing_message(folder: Path, unused: Mapping[str, Sequence[Path]]) -> str:
    told = "".join(f" Images that {why}: {_names(folder, some)}." for why, some in unused.items())
    return (
        f"No image in {folder} (--corrections) is a corrected mask of a tumour scan of this run."
        f"{told} Masks are looked for in {folder}/sub-<label>/[ses-<label>/]anat and above, named "
        "as the app's own: sub-<label>[_...]_label-L_mask.nii.gz. A folder without images takes "
        "back the masks given before; without --corrections they stay."
    )


def _warn(folder: Path, paths: Sequence[Path], why: str) -> None:
    if paths:
        LOGGER.warning(
            "Images in %s (--corrections) %s, and are left out: %s.",
            folder,
            why,
            _names(folder, paths),
        )


def _names(folder: Path, paths: Sequence[Path]) -> str:
    return listed([path.relative_to(folder).as_posix() for path in paths], 5)
