"""The scans of one dataset: its images that pass the filters, each with its role."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.filters import Filters
from synthtumour_bids.bids.folders import Refusal, survey
from synthtumour_bids.bids.ignored import is_ignored, read_bidsignore
from synthtumour_bids.bids.index import open_index, query
from synthtumour_bids.bids.misnamed import stray_scans, tell_misnamed
from synthtumour_bids.bids.names import ParsedName, datatype, parse_name
from synthtumour_bids.bids.roles import assign_roles, tumourfree_subjects
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.settings import Role, Settings

LOGGER = logging.getLogger(__name__)

MAIN = "raw"

# Of complex-valued images, only the magnitude looks like a brain.
PARTS_LEFT_OUT = frozenset(("phase", "real", "imag"))


@dataclass(frozen=True)
class Dataset:
    """A dataset of the run: ``raw`` is the main one; all scans of another have one role."""

    name: str
    root: Path
    role: Role | None = None


@dataclass(frozen=True)
class Found:
    """What was found in a dataset.

    Attributes
    ----------
    scans
        Its scans.
    refused
        Files and folders of participants that cannot be used.
    left_out
        Labels of participants with images that are not used, as was said in the log.
    t1w
        T1w images of the main dataset that may go with its scans.
    """

    scans: tuple[Scan, ...]
    refused: tuple[Refusal, ...] = ()
    left_out: frozenset[str] = frozenset()
    t1w: tuple[Scan, ...] = ()


def scans_of(
    dataset: Dataset, settings: Settings, filters: Filters, subjects: Collection[str] | None
) -> Found:
    """Find the scans of a dataset.

    Parameters
    ----------
    dataset
        Where to look.
    settings
        Contrast, excluded participants, sessions, database, and how roles are told.
    filters
        Of the filter file.
    subjects
        Labels of the only participants to look for; ``None`` for all.

    Raises
    ------
    DataError, UsageError
        As ``roles.assign_roles``, ``index.open_index`` and ``index.query`` do.
    """
    database = settings.bids_database_dir
    if database is not None and dataset.name != MAIN:
        database = database / dataset.name
    possible = (Role.TUMOUR, Role.TUMOURFREE) if dataset.role is None else (dataset.role,)
    suffixes = {role: filters.suffixes(role, settings.contrast) for role in possible}
    asked_for = {one for of_role in suffixes.values() for one in of_role}
    indexed = sorted(asked_for.union(filters.t1w_suffixes if dataset.name == MAIN else ()))
    seen = survey(dataset.name, dataset.root, indexed, subjects)
    excluded = settings.exclude_participant_label
    ignored = read_bidsignore(dataset.root)
    refused = []
    for one in seen.refused:
        if one.subject in excluded or is_ignored(ignored, one.path.relative_to(dataset.root)):
            continue
        if one.path.name in _datatypes(indexed) - _datatypes(asked_for):
            LOGGER.warning("%s Masks are not carried to T1w images in it.", one.message)
        else:
            refused.append(one)
    sessions = settings.session_label if dataset.name == MAIN else ()
    only = {"session": list(sessions)} if sessions else {}
    queries = [{**filters.of(role), **only} for role in possible]
    misnamed = (*seen.misnamed, *stray_scans(seen.strays, dataset.root, asked_for, queries))
    tell_misnamed(dataset.root, [one for one in misnamed if one.subject not in excluded])
    layout = open_index(
        dataset.root,
        indexed,
        subjects=subjects,
        database=database,
        but=[one.path for one in seen.refused],
    )
    images: dict[Role, Mapping[Path, ParsedName]] = {}
    for role in possible:
        alike = [other for other in images if filters.of(other) == filters.of(role)]
        images[role] = (
            images[alike[0]]
            if alike
            else _one_each(
                _images(
                    dataset, settings, layout, suffixes[role], filters.of(role), subjects, refused
                )
            )
        )
    labels = {parsed.subject for found in images.values() for parsed in found.values()}
    if dataset.role is Role.TUMOURFREE:
        hosts = tumourfree_subjects(dataset.root, labels, settings, everybody=subjects is None)
        roles = dict.fromkeys(hosts, Role.TUMOURFREE)
    elif dataset.role is not None:
        roles = dict.fromkeys(labels, dataset.role)
    else:
        roles = assign_roles(dataset.root, labels, settings) if labels else {}
    scans = tuple(
        Scan(path, parsed.entities, parsed.suffix, role, dataset.root, dataset.name)
        for role, found in images.items()
        for path, parsed in found.items()
        if roles.get(parsed.subject) is role
    )
    unique = {one.path: one for one in refused}  # each query of a role has refused them
    t1w = _t1w_images(dataset, settings, layout, filters, subjects) if dataset.name == MAIN else ()
    return Found(scans, tuple(unique.values()), frozenset(labels - roles.keys()), t1w)


def _datatypes(suffixes: Collection[str]) -> set[str]:
    return {datatype(suffix) for suffix in suffixes}


def _t1w_images(
    dataset: Dataset,
    settings: Settings,
    layout: Any,
    filters: Filters,
    subjects: Collection[str] | None,
) -> tuple[Scan, ...]:
    """T1w images, of any session: one may serve the scans of another."""
    any_session, refused = replace(settings, session_label=()), list[Refusal]()
    found = _images(
        dataset, any_session, layout, filters.t1w_suffixes, filters.t1w, subjects, refused
    )
    for one in refused:
        LOGGER.warning("%s Masks are not carried to it.", one.message)
    return tuple(
        Scan(path, parsed.entities, parsed.suffix, Role.TUMOUR, dataset.root, dataset.name)
        for path, parsed in _one_each(found).items()
    )


def _images(
    dataset: Dataset,
    settings: Settings,
    layout: Any,
    suffixes: Collection[str],
    filters: Mapping[str, Any],
    subjects: Collection[str] | None,
    refused: list[Refusal],
) -> dict[Path, ParsedName]:
    """Raw images that pass all filters, with the parts of their names; adds what is refused."""
    ignored = read_bidsignore(dataset.root)
    excluded = settings.exclude_participant_label
    sessions = settings.session_label if dataset.name == MAIN else ()
    images, made = {}, list[str]()
    for relative in query(layout, suffixes, filters):
        if ignored.match_file(relative.as_posix()):
            LOGGER.info("%s is left out: .bidsignore names it.", dataset.root / relative)
            continue
        subject = _subject(relative)
        if subject in excluded or (subjects is not None and subject not in subjects):
            continue
        parsed = parse_name(relative.name)
        if parsed is None:
            LOGGER.warning(
                "%s is not named as BIDS asks for (sub-<label>, then BIDS's other entities in its "
                "order, values of letters and digits, suffix); left out.",
                dataset.root / relative,
            )
            continue
        if (message := _disagreement(dataset.root / relative, relative, parsed)) is not None:
            refused.append(Refusal(dataset.name, subject, dataset.root / relative, message))
            continue
        entities = dict(parsed.entities)
        if parsed.is_derivative:
            made.append(relative.as_posix())
            continue
        if entities.get("part") in PARTS_LEFT_OUT:
            LOGGER.debug("%s is no scan; left out.", dataset.root / relative)
            continue
        if sessions and entities.get("ses") not in sessions:
            continue
        images[dataset.root / relative] = parsed
    if made:
        LOGGER.warning(
            "Images in %s are named as derivatives, with desc, space or the like, and left out: "
            "%s. To use one, name it as a scan.",
            dataset.root,
            listed(made, 5),
        )
    return images


def _subject(relative: Path) -> str:
    """Label of the participant whose folder a file lies in, whatever the file says."""
    folders = (part for part in relative.parts[:-1] if part.startswith("sub-"))
    return next(folders, "").removeprefix("sub-")


def _disagreement(path: Path, relative: Path, parsed: ParsedName) -> str | None:
    """Say where folder and file name tell of different participants or sessions."""
    folders = [f"sub-{parsed.subject}"]
    session = dict(parsed.entities).get("ses")
    if session is not None:
        folders.append(f"ses-{session}")
    found = [part for part in relative.parts[:-1] if part.startswith(("sub-", "ses-"))]
    if found == folders:
        return None
    return (
        f"{path} is named as a scan of {'/'.join(folders)}, but lies in {'/'.join(found)}: which "
        "of the two is right cannot be told. Rename it or move it."
    )


def _one_each(images: Mapping[Path, ParsedName]) -> dict[Path, ParsedName]:
    """Leave out second copies: uncompressed ones, and diffusion series of a trace image."""
    chosen = dict(images)
    for path in images:
        compressed = path.with_name(f"{path.name}.gz")
        if compressed in images:
            LOGGER.warning("%s is also there as .nii.gz, which is used.", path)
            del chosen[path]
    traces = {path.parent for path, parsed in chosen.items() if parsed.suffix == "trace"}
    diffusion = [path for path, parsed in chosen.items() if parsed.suffix == "dwi"]
    series = [path for path in diffusion if path.parent not in traces and _is_series(path)]
    if series:
        LOGGER.warning(
            "%s: left out, as series of volumes; a trace image or one volume can be segmented.",
            listed([str(path) for path in series], 5),
        )
    gone = {*series, *(path for path in diffusion if path.parent in traces)}
    return {path: parsed for path, parsed in chosen.items() if path not in gone}


def _is_series(path: Path) -> bool:
    """Whether an image has a fourth dimension; not, where it cannot be read: that fails later."""
    import zlib

    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        shape: tuple[int, ...] = getattr(nib.load(path), "shape", ())
    except (
        *(HeaderDataError, ImageFileError, WrapStructError, zlib.error),
        *(ValueError, LookupError, ArithmeticError, OSError, EOFError),
    ):
        return False
    return any(length > 1 for length in shape[3:])
