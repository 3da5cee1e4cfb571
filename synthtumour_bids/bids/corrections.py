"""The masks of ``--corrections``, which a person has edited: which belongs to which scan.

Names are read here; voxels are read before the senior is trained.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.lookup import check_shared, find_correction
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.settings import Role, Settings

LOGGER = logging.getLogger(__name__)
NAMED = "*label-L_mask.nii*"


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
        Whether to name the masks that are not learned from; not where `scans` are only some.

    Returns
    -------
    Masks by the scans' keys; empty without ``--corrections``.

    Raises
    ------
    DataError
        When two masks fit a scan equally well, or one could be of several scans.
    """
    folder = settings.corrections
    if folder is None:
        return {}
    found, held_out = {}, []
    for scan in scans:
        if scan.role is not Role.TUMOUR or scan.dataset_name != MAIN:
            continue
        path = find_correction(scan, folder)
        if path is None:
            continue
        if scan.subject in settings.hold_out:
            held_out.append(path)
        else:
            found[scan.key] = path
    check_shared(found, "--corrections")
    if tell:
        others = {*folder.rglob(NAMED)} - {*found.values(), *held_out}
        _warn(folder, held_out, "are of participants of --hold-out, who teach nothing")
        _warn(folder, sorted(others), "are named after no tumour scan of this run")
        LOGGER.info("%d corrected masks to learn from in %s (--corrections).", len(found), folder)
    return found


def _warn(folder: Path, paths: Sequence[Path], why: str) -> None:
    if paths:
        names = listed([path.relative_to(folder).as_posix() for path in paths], 5)
        LOGGER.warning("Masks in %s (--corrections) %s, and are left out: %s.", folder, why, names)
