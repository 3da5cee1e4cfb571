"""Which scans a run works on, and what each is good for."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from synthtumour_bids.bids.annotations import Annotation, annotate
from synthtumour_bids.bids.contrasts import with_contrasts
from synthtumour_bids.bids.corrections import find_corrections
from synthtumour_bids.bids.filters import Filters, read_filters
from synthtumour_bids.bids.folders import Refusal, can_be_written, labels_seen, unusable
from synthtumour_bids.bids.hold_out import kept_aside, with_held_out
from synthtumour_bids.bids.images import MAIN, Dataset, Found, scans_of
from synthtumour_bids.bids.lookup import find_brain_mask, find_truth
from synthtumour_bids.bids.names import CONTRAST_SUFFIXES
from synthtumour_bids.bids.nothing_found import (
    MOUNT_ADVICE,
    filters_used,
    left_out_message,
    no_image_message,
    nothing_message,
    participants,
    present,
)
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.t1w import T1w, choose_t1w, warn_of_those_without
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError, UsageError
from synthtumour_bids.settings import Role, Settings, Step

__all__ = ["Selection", "collect_scans", "find_brain_mask", "find_truth", "is_narrow"]

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selection:
    """The scans of a run, sorted by key.

    Attributes
    ----------
    selected
        Scans to work on one by one: those of the participants asked for, in any dataset.
    everything
        All scans that training may use: of all participants but the excluded ones. Where a run
        with ``--participant-label`` does not train, others are not looked for, unless they decide
        what is taken for an annotation, and this is the same as `selected`.
    annotations
        What was drawn on the annotated scans, by their keys.
    refused
        Files and folders that cannot be used, of the participants asked for.
    t1w
        The T1w images that go with the tumour scans selected, by the scans' keys.
    corrections
        Masks that a person has edited, by the keys of the scans that they are of.
    aside
        Scans of an annotated dataset of its own whose participants are held out. Nothing is made
        of them, but no copy of theirs may teach.
    """

    selected: tuple[Scan, ...]
    everything: tuple[Scan, ...]
    annotations: Mapping[str, Annotation] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()
    t1w: Mapping[str, T1w] = field(default_factory=dict)
    corrections: Mapping[str, Path] = field(default_factory=dict)
    aside: tuple[Scan, ...] = ()


def collect_scans(settings: Settings) -> Selection:
    """Find the scans of a run.

    Participant labels choose among all datasets: a run for each label, such as a scheduler's
    array, covers the tumour scans and the tumour-free ones. Session labels hold for the main
    dataset only, as cohorts rarely share them. All other filters hold everywhere.

    Parameters
    ----------
    settings
        Where to look and what for; see its field groups "which scans" and "roles".

    Raises
    ------
    DataError
        When a dataset, a participant or a session asked for is not there, nothing passes the
        filters, one file is reached through two datasets, roles cannot be told
        (``UnknownRoleError`` for unknown groups), annotations cannot be used as they are (see
        ``annotations.annotate``), a scan lacks a contrast of ``more_contrasts``, or corrected
        masks cannot be told from each other or used at all (see ``corrections.find_corrections``).
    UsageError
        When the filter file or the database cannot be used, or a dataset is given twice.
    """
    labels = settings.participant_label
    filters = read_filters(settings.bids_filter_file)
    used = datasets(settings)
    _check_folders(settings, labels, used)
    narrow = is_narrow(settings)
    everything: list[Scan] = []
    refused: list[Refusal] = []
    t1w_images: list[Scan] = []
    left_out: set[str] = set()
    for dataset in used:
        found = scans_of(dataset, settings, filters, labels if narrow else None)
        left_out |= found.left_out
        refused += found.refused
        if not found.scans and not narrow:
            raise DataError(nothing_message(settings, dataset, found))
        if not labels:
            _warn_of_those_without(settings, dataset, found)
        everything += found.scans
        t1w_images += found.t1w
    _check_sessions(settings, everything)
    _check_distinct(everything, used)
    _check_stems(everything)
    whole = partial(_annotated_dataset, used, settings, filters) if narrow else None
    found_at_all = everything
    everything, annotations = annotate(found_at_all, settings, whole)
    everything = with_held_out(everything, settings.hold_out, found_at_all)
    everything = with_contrasts(everything, settings.more_contrasts)
    everything.sort(key=lambda scan: scan.key)
    selected = [scan for scan in everything if not labels or scan.subject in labels]
    refused = [one for one in refused if not labels or one.subject in labels]
    known = {scan.subject for scan in selected} | {one.subject for one in refused}
    without = sorted(set(labels) - known)
    if without:
        left_out |= {scan.subject for scan in found_at_all}
        there = sorted(left_out & set(without))
        raise DataError(
            left_out_message(there, settings)
            if there
            else no_image_message(settings, without, used)
        )
    for one in refused:
        LOGGER.error("%s", one.message)
    to_segment = [scan for scan in selected if scan.role is Role.TUMOUR]
    t1w = choose_t1w(to_segment, t1w_images)
    warn_of_those_without(to_segment, t1w, settings, filters)
    corrections = find_corrections(everything, settings, tell=not narrow)
    aside = kept_aside(found_at_all, settings.hold_out)
    return Selection(
        tuple(selected), tuple(everything), annotations, tuple(refused), t1w, corrections, aside
    )


def _annotated_dataset(used: Sequence[Dataset], settings: Settings, filters: Filters) -> list[Scan]:
    """All scans of ``--annotated-dir``, whichever participants were asked for; names alone."""
    folder = settings.annotated_dir
    if folder is None:
        return []
    (dataset,) = (one for one in used if one.root.resolve() == folder.resolve())
    return list(scans_of(dataset, settings, filters, None).scans)


def is_narrow(settings: Settings) -> bool:
    """Whether a run looks for the scans of the participants asked for alone."""
    return bool(settings.participant_label) and not _trains(settings)


def _trains(settings: Settings) -> bool:
    if settings.analysis_level == "group":
        return True
    return settings.model is None and not {Step.SYNTHESISE, Step.TRAIN}.isdisjoint(settings.steps)


# ---------------------------------------------------------------------------- datasets


def datasets(settings: Settings) -> list[Dataset]:
    """Datasets of a run, the main one first; an annotated part of it is no dataset of its own.

    Raises
    ------
    DataError
        When a folder is not there, or cannot be read.
    UsageError
        When one is given twice.
    """
    listed = [Dataset(MAIN, settings.bids_dir.absolute())]
    for index, root in enumerate(settings.tumourfree_dir, start=1):
        name = "tumourfree" if index == 1 else f"tumourfree{index}"
        listed.append(Dataset(name, root.absolute(), Role.TUMOURFREE))
    annotated = settings.annotated_dir
    if annotated is not None and annotated.resolve() != settings.bids_dir.resolve():
        listed.append(Dataset("annotated", annotated.absolute(), Role.ANNOTATED))
    seen: dict[Path, Dataset] = {}
    for dataset in listed:
        try:
            there = dataset.root.is_dir()
        except PermissionError:  # of a folder above it
            there = True
        if not there:
            msg = f"There is no dataset folder {dataset.root}. {MOUNT_ADVICE}"
            raise DataError(msg)
        if not can_be_written(str(dataset.root)):
            msg = f"The path {dataset.root} is not in UTF-8: rename its folders."
            raise DataError(msg)
        if (message := unusable(dataset.root)) is not None:
            raise DataError(message)
        other = seen.setdefault(dataset.root.resolve(), dataset)
        if other is not dataset:
            msg = (
                f"{dataset.root} is given as two datasets ({other.name} and {dataset.name}). To "
                f"tell tumour-free participants from others in one dataset, use column "
                f"{settings.group_column!r} of its participants.tsv instead of --tumourfree-dir."
            )
            raise UsageError(msg)
    return listed


def _check_folders(settings: Settings, labels: Sequence[str], datasets: Sequence[Dataset]) -> None:
    """Every participant named must be there: a typo must neither skip one nor train on one.

    Of those whose folder cannot be used that is told later.
    """
    roots = [dataset.root for dataset in datasets]
    suffixes = CONTRAST_SUFFIXES[settings.contrast]

    def missing(given: Collection[str]) -> list[str]:
        seen = {label for root in roots if given for label in labels_seen(root, suffixes)}
        return [label for label in given if label not in seen]

    where = ", ".join(map(str, roots))
    for flag, wanted in (
        ("--participant-label", labels),
        ("--hold-out", settings.hold_out),
    ):
        if absent := missing(wanted):
            msg = (
                f"Could not find participants {', '.join(absent)} ({flag}): there is no folder "
                f"sub-<label> of theirs in {where}. {present(roots)} {MOUNT_ADVICE}"
            )
            raise DataError(msg)
    if absent := missing(settings.exclude_participant_label):
        LOGGER.warning(
            "Participants %s (--exclude-participant-label) are not in %s anyway.",
            ", ".join(absent),
            where,
        )


def _warn_of_those_without(settings: Settings, dataset: Dataset, found: Found) -> None:
    """Name those of whom no image is there, lest someone misses them among the results."""
    excluded = settings.exclude_participant_label
    known = {scan.subject for scan in found.scans} | {one.subject for one in found.refused}
    without = participants(dataset.root) - known - found.left_out - set(excluded)
    if without:
        filtered = settings.session_label, settings.bids_filter_file, settings.bids_database_dir
        LOGGER.warning(
            "No %s image of participants %s in %s; they are left out.%s",
            settings.contrast,
            listed(sorted(without), 5),
            dataset.root,
            f" {filters_used(settings)}" if any(filtered) else "",
        )


# ---------------------------------------------------------------------------- what went wrong


def _check_sessions(settings: Settings, scans: Iterable[Scan]) -> None:
    sessions = {scan.session for scan in scans if scan.dataset_name == MAIN}
    absent = [label for label in settings.session_label if label not in sessions]
    if absent:
        msg = (
            f"No {settings.contrast} image of session {', '.join(absent)} (--session-label) was "
            f"found in {settings.bids_dir}. {filters_used(settings)}"
        )
        raise DataError(msg)


def _check_distinct(scans: Iterable[Scan], datasets: Sequence[Dataset]) -> None:
    if len(datasets) < 2:
        return
    seen: dict[Path, Scan] = {}
    for scan in scans:
        other = seen.setdefault(_real(scan.path), scan)
        if other.dataset_name != scan.dataset_name:
            msg = (
                f"One file is reached through two datasets: {other.path} and {scan.path} both "
                f"are {_real(scan.path)}. A scan can be of use as one thing only: to segment, "
                "tumour-free, or annotated. Remove it from one, or leave the participant out with "
                "--exclude-participant-label."
            )
            raise DataError(msg)


def _check_stems(scans: Iterable[Scan]) -> None:
    """Refuse scans that differ in their suffix alone: their masks would have one name."""
    seen: dict[tuple[str, str], Scan] = {}
    for scan in scans:
        other = seen.setdefault((scan.dataset_name, scan.stem), scan)
        if other is not scan:
            msg = (
                f"{other.path} and {scan.path} differ in their suffix alone, and their masks would "
                "have the same name. Let the filter file (--bids-filter-file) choose one of them, "
                "by another suffix or entity."
            )
            raise DataError(msg)


def _real(path: Path) -> Path:
    """The file that a path leads to, as far as links can be followed."""
    return Path(os.path.realpath(path))
