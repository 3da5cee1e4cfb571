"""The T1w image that goes with a scan: of its session or, failing that, of its participant."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from synthtumour_bids.bids.filters import Filters
from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.settings import Settings

LOGGER = logging.getLogger(__name__)

# Names of entities in a filter file, as pybids has them.
_LONG_NAMES = {
    "ses": "session",
    "acq": "acquisition",
    "ce": "ceagent",
    "rec": "reconstruction",
    "dir": "direction",
    "mod": "modality",
    "inv": "inversion",
}
_SPACES = ("T1w", "anat")  # words of --output-spaces for the grid of the T1w image


@dataclass(frozen=True)
class T1w:
    """A T1w image chosen for a scan.

    Attributes
    ----------
    image
        The image; what its name says, it says as a scan's does.
    others
        Images of the participant that could have been chosen: those that fMRIPrep, for instance,
        would average with it.
    """

    image: Scan
    others: tuple[Scan, ...] = ()

    @property
    def filters(self) -> dict[str, Any]:
        """Filter that this image alone passes, as in a filter file; empty where it is the only one.

        ``null`` stands for an entity that the name has not.
        """
        names = [dict(one.entities) for one in (self.image, *self.others)]
        keys = dict.fromkeys(key for name in names for key in name)
        return {
            _LONG_NAMES.get(key, key): names[0].get(key)
            for key in keys
            if any(name.get(key) != names[0].get(key) for name in names)
        }


def choose_t1w(scans: Iterable[Scan], images: Sequence[Scan]) -> dict[str, T1w]:
    """Choose the T1w image of each scan of the main dataset, and say so where there are several.

    One without contrast agent comes first, then one whose name says least, then the first by name.

    Parameters
    ----------
    scans
        Any; those of other datasets get none.
    images
        T1w images of the main dataset.

    Returns
    -------
    By the scans' keys; scans without one are left out. A scan that is a T1w image itself goes with
    itself.
    """
    of_participant: dict[str, list[Scan]] = {}
    for image in images:
        of_participant.setdefault(image.subject, []).append(image)
    chosen = {}
    for scan in scans:
        candidates = of_participant.get(scan.subject, [])
        if scan.dataset_name == MAIN and candidates:
            chosen[scan.key] = _choose(scan, candidates)
            _tell(scan, chosen[scan.key])
    return chosen


def warn_of_those_without(
    scans: Iterable[Scan], chosen: Collection[str], settings: Settings, filters: Filters
) -> None:
    """Name the scans without T1w image, where one was spoken of.

    Parameters
    ----------
    scans
        Of the main dataset, to segment.
    chosen
        Keys of those that have one.
    settings, filters
        ``output_spaces``, and the query ``t1w`` of the filter file.
    """
    without = [scan for scan in scans if scan.key not in chosen]
    asked = any(word.partition(":")[0] in _SPACES for word in settings.output_spaces)
    if not without or not (asked or filters.t1w):
        return
    names = [f"sub-*_{suffix}.nii" for suffix in filters.t1w_suffixes]
    folders = {scan.dataset / f"sub-{scan.subject}" for scan in without}
    there = {path.name for one in folders for name in names for path in one.rglob(f"{name}*")}
    query = (
        f" that pass the query t1w of --bids-filter-file {settings.bids_filter_file}, "
        f"{json.dumps(filters.t1w)}"
        if filters.t1w
        else ""
    )
    LOGGER.warning(
        "No T1w image goes with %s: looked for %s[.gz] of the same participants%s; there is %s. "
        "Their masks are written without its grid.",
        listed(scan.key for scan in without),
        " or ".join(names),
        query,
        listed(sorted(there), 3) or "none",
    )


def _choose(scan: Scan, candidates: Sequence[Scan]) -> T1w:
    own = [image for image in candidates if image.path == scan.path]
    same_session = [image for image in candidates if image.session == scan.session]
    image = min(own or same_session or candidates, key=_rank)
    return T1w(image, tuple(one for one in candidates if one is not image))


def _rank(image: Scan) -> tuple[bool, int, str]:
    entities = dict(image.entities)
    return "ce" in entities, len(entities), image.name


def _tell(scan: Scan, chosen: T1w) -> None:
    image = chosen.image
    if image.path == scan.path:
        return
    if image.session != scan.session:
        LOGGER.info(
            "%s: its session has no T1w image; %s of the same participant is taken.",
            scan.key,
            image.name,
        )
    rivals = [other.name for other in chosen.others if other.session == image.session]
    if rivals:
        LOGGER.info(
            "%s: of several T1w images %s was chosen, not %s; a query t1w in the file of "
            "--bids-filter-file chooses another one.",
            scan.key,
            image.name,
            ", ".join(rivals),
        )
