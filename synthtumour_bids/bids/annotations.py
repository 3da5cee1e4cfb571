"""The annotated scans of ``--annotated-dir``: which drawing belongs to which scan.

Names and class tables are read here; voxels are read when the scan is preprocessed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from synthtumour_bids.bids.classes import DSEG, WHOLE_TUMOUR, TumourClass, read_classes
from synthtumour_bids.bids.description import is_ours
from synthtumour_bids.bids.lookup import check_shared, find_classes, find_correction, has_mask
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import Role, Settings

LOGGER = logging.getLogger(__name__)

FEWEST_SCANS = 3
FEWEST_PERSONS = 2  # one to learn from, one to choose the epoch by
MASK = "label-L_mask"
_NOTHING_DRAWN = "nothing was drawn on it (--annotated-dir)"

# By the scan's key and the kind of drawing: its files, each with the folder it was found in. The
# first counts.
Drawings = Mapping[str, Mapping[str, Sequence[tuple[Path, Path]]]]


@dataclass(frozen=True)
class Annotation:
    """What was drawn on one scan.

    Attributes
    ----------
    path
        A mask, or an image of class numbers.
    classes
        What its values mean, by rising index; the networks count them from 1.
    """

    path: Path
    classes: tuple[TumourClass, ...]


def annotate(
    scans: Sequence[Scan],
    settings: Settings,
    everyone: Callable[[], Sequence[Scan]] | None = None,
) -> tuple[list[Scan], dict[str, Annotation]]:
    """Find the annotations of the scans in ``--annotated-dir``.

    Where it is the main dataset, its tumour scans with an annotation are learned from and the
    others, those of ``--hold-out`` among them, are segmented. Scans of an annotated dataset of
    its own are left out where nothing was drawn on them or their participant is held out.

    Parameters
    ----------
    scans
        The scans of the run.
    settings
        ``annotated_dir``, ``derivatives`` and ``hold_out`` tell where to look.
    everyone
        Lists all scans of ``--annotated-dir``, for a run on some of them: those decide whether
        masks or classes are used. ``None``: `scans` are all there are, and must be enough.

    Returns
    -------
    scans : list of Scan
        With their roles as they are now.
    annotations : dict
        By the scan's key.

    Raises
    ------
    DataError
        When too few scans are annotated, one drawing could be of several scans, masks and classes
        are mixed, or a class table is missing or differs from the others.
    """
    folder = settings.annotated_dir
    if folder is None:
        return list(scans), {}
    held_out = settings.hold_out
    roots = _roots(folder, settings.derivatives)

    def drawings(listed: Sequence[Scan]) -> Drawings:
        candidates = _candidates(listed, folder, held_out)
        found = {scan.key: _drawings(scan, roots) for scan in candidates}
        return {key: kinds for key, kinds in found.items() if kinds}

    drawn = drawings(scans)
    without = [one for one in _candidates(scans, folder, held_out) if one.key not in drawn]
    _tell_of_other_masks(without, roots)
    deciding = drawings(everyone()) if everyone is not None and _undecided(drawn) else drawn
    kind = _kind(deciding, roots)
    annotations = _annotations(drawn, kind)
    _tell_of_several(drawn, kind, settings.derivatives)
    check_shared({key: one.path for key, one in annotations.items()}, "--annotated-dir")
    if everyone is None:
        _check_number([scan for scan in scans if scan.key in annotations], folder, roots)
    result = []
    for scan in scans:
        if scan.key in annotations:
            result.append(replace(scan, role=Role.ANNOTATED))
        elif scan.role is Role.ANNOTATED:
            held = scan.subject in held_out
            why = "its participant is held out (--hold-out)" if held else _NOTHING_DRAWN
            LOGGER.warning("%s: left out, as %s.", scan.key, why)
        else:
            result.append(scan)
    return result, annotations


def _candidates(scans: Sequence[Scan], folder: Path, held_out: Collection[str]) -> list[Scan]:
    """Scans of the annotated dataset that may be learned from."""
    dataset = folder.resolve()
    return [
        scan
        for scan in scans
        if scan.dataset.resolve() == dataset
        and scan.role is not Role.TUMOURFREE
        and scan.subject not in held_out
    ]


def _roots(folder: Path, derivatives: Sequence[Path]) -> list[Path]:
    """Folders to look in; what this app segmented is no annotation."""
    inside = sorted(path for path in (folder / "derivatives").glob("*") if path.is_dir())
    return [path for path in (*derivatives, *inside, folder) if not is_ours(path)]


def _drawings(scan: Scan, roots: Sequence[Path]) -> dict[str, list[tuple[Path, Path]]]:
    """Masks and class images of a scan, each with the folder it was found in."""
    found: dict[str, list[tuple[Path, Path]]] = {}
    for kind, find in ((DSEG, find_classes), (MASK, find_correction)):
        for root in roots:
            path = find(scan, root)
            if path is not None:
                found.setdefault(kind, []).append((path, root))
    return found


def _tell_of_several(drawn: Drawings, kind: str, given: Collection[Path]) -> None:
    """Name scans that were drawn on in several folders, none of which was named to go first."""
    several = {
        key: folders
        for key, found in drawn.items()
        if len(folders := list(dict.fromkeys(root for _, root in found[kind]))) > 1
        and folders[0] not in given
    }
    if several:
        named = dict.fromkeys(str(folder) for folders in several.values() for folder in folders)
        LOGGER.warning(
            "Several folders have a %s of %s: %s. Of each scan that of the first of them is "
            "learned from, so that drawings of several people may be mixed; name the folder that "
            "goes before the others with --derivatives.",
            kind,
            listed(several, 5),
            listed(named, 5),
        )


def _tell_of_other_masks(scans: Sequence[Scan], roots: Sequence[Path]) -> None:
    """Say where the only mask of a scan is one like the junior's, which nobody has drawn."""
    keys = [scan.key for scan in scans if any(has_mask(scan, root) for root in roots)]
    if keys:
        LOGGER.warning(
            "Masks with desc-... in their names are no annotations, and there is no other of %s: "
            "take it out of the names of those that a person has drawn (--annotated-dir).",
            listed(keys, 5),
        )


def _undecided(drawn: Drawings) -> bool:
    """Whether these scans could be learned from by either kind of drawing."""
    return bool(drawn) and all(len(found) > 1 for found in drawn.values())


def _kind(drawn: Drawings, roots: Sequence[Path]) -> str:
    """Choose class images where every scan has one, else masks, which must be everywhere then."""
    without = {
        kind: [key for key, found in drawn.items() if kind not in found] for kind in (DSEG, MASK)
    }
    for kind, keys in without.items():
        if not keys:
            return kind
    msg = (
        f"The annotated scans must all have a {DSEG} or all have a {MASK}, but no {DSEG} "
        f"was found of {listed(without[DSEG], 5)} and no {MASK} of {listed(without[MASK], 5)}. "
        f"Looked in {', '.join(map(str, roots))} (--annotated-dir, --derivatives)."
    )
    raise DataError(msg)


def _annotations(drawn: Drawings, kind: str) -> dict[str, Annotation]:
    if kind == MASK:
        return {key: Annotation(found[MASK][0][0], WHOLE_TUMOUR) for key, found in drawn.items()}
    tables = {key: read_classes(*found[DSEG][0]) for key, found in drawn.items()}
    _check_tables(tables)
    return {key: Annotation(found[DSEG][0][0], tables[key]) for key, found in drawn.items()}


def _check_tables(tables: Mapping[str, tuple[TumourClass, ...]]) -> None:
    first = next(iter(tables), None)
    for key, classes in tables.items():
        if first is not None and classes != tables[first]:
            msg = (
                "The class tables of all annotated scans must be the same, but that of "
                f"{key} tells {_told(classes)} and that of {first} {_told(tables[first])} "
                "(--annotated-dir)."
            )
            raise DataError(msg)


def _told(classes: Sequence[TumourClass]) -> str:
    told = (
        (f"{one.index} = {one.name}", *filter(None, (one.abbreviation, one.color)))
        for one in classes
    )
    return ", ".join(" ".join(words) for words in told)


def _check_number(scans: Sequence[Scan], folder: Path, roots: Sequence[Path]) -> None:
    persons = {scan.subject for scan in scans}
    if len(scans) < FEWEST_SCANS or len(persons) < FEWEST_PERSONS:
        msg = (
            f"Fabrication needs at least {FEWEST_SCANS} annotated scans of at least "
            f"{FEWEST_PERSONS} persons; found {len(scans)} of {len(persons)} in {folder} "
            f"(--annotated-dir). A scan counts when a {MASK}, without desc, or a {DSEG} is "
            f"named after it in {', '.join(map(str, roots))}."
        )
        raise DataError(msg)
