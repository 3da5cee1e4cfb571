"""Further contrasts of a scan's session, which are learned from together with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pathspec import GitIgnoreSpec

from synthtumour_bids.bids.ignored import read_bidsignore
from synthtumour_bids.bids.names import IMAGE_EXTENSIONS, parse_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError

LOGGER = logging.getLogger(__name__)

# Suffix of each, and whether a contrast agent was given (entity ``ce``).
MORE_CONTRASTS = {
    "T1w": ("T1w", False),
    "ceT1w": ("T1w", True),
    "T2w": ("T2w", False),
    "FLAIR": ("FLAIR", False),
}
_FREE = ("ce", "acq", "rec", "run", "dir")  # entities in which contrasts of one session differ


def with_contrasts(scans: Iterable[Scan], contrasts: Sequence[str]) -> list[Scan]:
    """Find the further contrasts of all scans.

    Raises
    ------
    DataError
        When a scan lacks one, several images fit equally well, or a ``.bidsignore`` cannot be read.
    """
    scans = list(scans)
    roots = {scan.dataset for scan in scans} if contrasts else ()
    ignored = {root: read_bidsignore(root) for root in roots}
    result, lacking = [], []
    for scan in scans:
        found = [find_contrast(scan, contrast, ignored[scan.dataset]) for contrast in contrasts]
        absent = [name for name, other in zip(contrasts, found, strict=True) if other is None]
        if absent:
            lacking.append(f"{scan.key} ({', '.join(absent)})")
        result.append(replace(scan, contrasts=tuple(other for other in found if other)))
    if lacking:
        msg = (
            "All scans must have the contrasts of --more-contrasts in the same folder and session, "
            f"not named by .bidsignore; these have not: {listed(lacking)}. Leave these "
            "participants out with --exclude-participant-label, or ask for contrasts that all have."
        )
        raise DataError(msg)
    return result


def find_contrast(scan: Scan, contrast: str, ignored: GitIgnoreSpec) -> Scan | None:
    """Find one further contrast beside a scan.

    Where several images fit, the one whose acquisition, reconstruction and run are the scan's is
    taken. What `ignored` matches is no part of the dataset.

    Raises
    ------
    DataError
        When that does not decide.
    """
    suffix, agent = MORE_CONTRASTS[contrast]
    own = dict(scan.entities)
    fixed = {key: value for key, value in own.items() if key not in _FREE}
    candidates: dict[int, list[Scan]] = {}
    for path in sorted(scan.path.parent.glob(f"sub-{scan.subject}_*{suffix}.nii*")):
        parsed = parse_name(path.name)
        if path == scan.path:  # a FLAIR image that is named like a T2-weighted one
            continue
        if parsed is None or parsed.is_derivative or parsed.extension not in IMAGE_EXTENSIONS:
            continue
        has = dict(parsed.entities)
        if parsed.suffix != suffix or ("ce" in has) != agent:
            continue
        if {key: value for key, value in has.items() if key not in _FREE} != fixed:
            continue
        if ignored.match_file(path.relative_to(scan.dataset).as_posix()):
            LOGGER.info("%s is left out: .bidsignore names it.", path)
            continue
        shared = sum(own.get(key) == has.get(key) for key in _FREE)
        found = Scan(
            path, parsed.entities, suffix, scan.role, scan.dataset, scan.dataset_name, (), contrast
        )
        candidates.setdefault(shared, []).append(found)
    if not candidates:
        return None
    best = {one.stem: one for one in candidates[max(candidates)]}  # compressed or not is one
    if len(best) > 1:
        msg = (
            f"Several {contrast} images fit {scan.path} equally well (--more-contrasts): "
            f"{', '.join(one.path.name for one in best.values())}. Keep one of them there."
        )
        raise DataError(msg)
    return next(iter(best.values()))
