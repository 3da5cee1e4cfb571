"""What others have already drawn on a scan: brain masks, tumour masks, tumour classes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.description import is_ours
from synthtumour_bids.bids.doubles import are_one_image
from synthtumour_bids.bids.names import (
    IMAGE_EXTENSIONS,
    ParsedName,
    datatype,
    parse_name,
)
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.tables import FETCH
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError


@dataclass(frozen=True)
class _Wanted:
    """Entities that a drawing must have, and those that it may have beside the scan's own."""

    required: tuple[tuple[str, str], ...]
    optional: Collection[str] = ()
    suffix: str = "mask"


_BRAIN_MASK = _Wanted(required=(("desc", "brain"),))
_TRUTH = _Wanted(required=(("label", "L"),), optional=("desc",))
_CORRECTION = _Wanted(required=(("label", "L"),))
_CLASSES = _Wanted(required=(("desc", "tumour"),), suffix="dseg")


def find_brain_mask(scan: Scan, derivatives: Sequence[Path]) -> Path | None:
    """Find a brain mask that is named after a scan.

    Parameters
    ----------
    scan
        On whose grid the mask should lie; who uses the mask must check that it does.
    derivatives
        BIDS derivative datasets or plain folders; the first one with a mask wins.

    Returns
    -------
    A ``*_desc-brain_mask.nii[.gz]`` of the scan's subject and session. It has no other entity
    than the scan's; where several fit, it is the one that shares most. ``None`` without one.

    Raises
    ------
    DataError
        When two masks fit equally well; files of one name whose images differ are two.
    """
    for root in derivatives:
        found = _find(scan, root, _BRAIN_MASK)
        if found is not None:
            return found
    return None


def find_truth(scan: Scan, truth_dir: Path) -> Path | None:
    """Find the true tumour mask of a scan, a ``*_label-L_mask.nii[.gz]``.

    See ``find_brain_mask`` for how names are matched; a mask without ``desc`` is preferred.
    """
    return _find(scan, truth_dir, _TRUTH)


def find_correction(scan: Scan, root: Path) -> Path | None:
    """Find the tumour mask of a scan that a person has drawn or edited, named as this app's own.

    That is a ``*_label-L_mask.nii[.gz]`` without ``desc``, lest the junior's masks be taken for
    a person's; see ``find_brain_mask`` for how names are matched.
    """
    return _find(scan, root, _CORRECTION)


def may_be_corrected(scan: Scan, name: str) -> bool:
    """Whether a file is called as corrected masks of a scan may be, wherever it lies."""
    parsed = parse_name(name)
    return (
        parsed is not None
        and (parsed.suffix, parsed.extension in IMAGE_EXTENSIONS) == (_CORRECTION.suffix, True)
        and _rank(scan, parsed, _CORRECTION) is not None
    )


def has_mask(scan: Scan, root: Path) -> bool:
    """Whether a ``*_label-L_mask.nii[.gz]``, with ``desc`` or without, is named after a scan."""
    found = _drawings(scan, root, _TRUTH.suffix)
    return any(_rank(scan, parsed, _TRUTH) is not None for _, parsed in found)


def find_classes(scan: Scan, root: Path) -> Path | None:
    """Find the tumour classes drawn on a scan, a ``*_desc-tumour_dseg.nii[.gz]``.

    See ``find_brain_mask`` for how names are matched.
    """
    return _find(scan, root, _CLASSES)


def images_there(scan: Scan, roots: Iterable[Path], most: int = 3) -> str:
    """Name images of a scan's participant in folders where none fits it; what was drawn first."""
    label = f"sub-{scan.subject}"
    found = [
        path.relative_to(root)
        for root in roots
        for pattern in (f"{label}_*.nii*", f"{label}/**/*.nii*")
        for path in sorted(_root(scan, root).glob(pattern))
    ]
    found.sort(key=lambda path: not ("mask" in path.name or "seg" in path.name))
    return listed(map(Path.as_posix, found), most) or f"no image of {label}"


def check_shared(found: Mapping[str, Path], flag: str) -> None:
    """Refuse a drawing that is taken for that of several scans: it was made on one of them.

    Parameters
    ----------
    found
        Drawings by the scans' keys.
    flag
        That named their folder.

    Raises
    ------
    DataError
        Naming the scans.
    """
    for path, keys in shared(found).items():
        msg = (
            f"{path} ({flag}) could be drawn on any of {listed(keys)}. Name it after the one "
            "that it was drawn on, or leave the others out with --bids-filter-file."
        )
        raise DataError(msg)


def shared(found: Mapping[str, Path]) -> dict[Path, list[str]]:
    """Drawings that are those of several scans, with the scans' keys."""
    keys: dict[Path, list[str]] = {}
    for key, path in found.items():
        keys.setdefault(path, []).append(key)
    return {path: scans for path, scans in keys.items() if len(scans) > 1}


def _find(scan: Scan, root: Path, wanted: _Wanted) -> Path | None:
    ranked: dict[tuple[int, int], list[Path]] = {}
    for path, parsed in _drawings(scan, root, wanted.suffix):
        rank = _rank(scan, parsed, wanted)
        if rank is not None:
            ranked.setdefault(rank, []).append(path)
    if not ranked:
        return None
    best = ranked[max(ranked)]
    # The same mask, compressed and not, is one mask; an edited one beside that of before is not.
    if len({path.name.split(".")[0] for path in best}) > 1 or not are_one_image(best):
        names = sorted(path.relative_to(root).as_posix() for path in best)
        msg = (
            f"Several {wanted.suffix} files in {root} fit {scan.path.name} equally well, and are "
            f"not the same: {listed(names)}. Keep one of them there."
        )
        raise DataError(msg)
    return max(best, key=lambda path: path.name.endswith(".gz"))


def places(scan: Scan, root: Path) -> list[Path]:
    """Folders that drawings on a scan are looked for in."""
    root = _root(scan, root)
    subject = root / f"sub-{scan.subject}"
    folders = [subject / datatype(scan.suffix), subject, root]
    if scan.session is None:
        return folders
    session = subject / f"ses-{scan.session}"
    return [session / datatype(scan.suffix), session, *folders]


def _drawings(scan: Scan, root: Path, suffix: str) -> Iterator[tuple[Path, ParsedName]]:
    for folder in places(scan, root):
        for name in names_in(folder):
            parsed = parse_name(name) if name.startswith(f"sub-{scan.subject}_") else None
            if parsed and parsed.suffix == suffix and parsed.extension in IMAGE_EXTENSIONS:
                yield folder / name, parsed


def _root(scan: Scan, root: Path) -> Path:
    """Where drawings on a scan lie: subjects of two datasets may have the same labels."""
    return scan.output_root(root) if scan.dataset_name != "raw" and is_ours(root) else root


def names_in(folder: Path) -> list[str]:
    """What lies in a folder; nothing where there is none.

    Raises
    ------
    DataError
        When it cannot be listed: what may be there must not count as not there.
    """
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder.is_symlink():
            raise DataError(f"{folder} is a link to a folder that is not there. {FETCH}") from error
        return []
    except OSError as error:
        msg = f"The folder {folder} cannot be listed ({error.strerror}). Mend its permissions."
        raise DataError(msg) from error


def _rank(scan: Scan, parsed: ParsedName, wanted: _Wanted) -> tuple[int, int] | None:
    """How well a mask fits: entities shared, then few others. ``None`` where it does not."""
    own = dict(scan.entities)
    has = dict(parsed.entities)
    if has.get("ses") != own.get("ses"):
        return None
    if any(has.pop(key, None) != value for key, value in wanted.required):
        return None
    if has.pop("space", "orig") not in ("orig", scan.suffix):
        return None
    others = [key for key in has if key in wanted.optional]
    for key in others:
        del has[key]
    if any(own.get(key) != value for key, value in has.items()):
        return None
    return len(has), -len(others)
