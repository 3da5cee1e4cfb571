"""What is said where a dataset has no image that a run can use: what was looked for, and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from synthtumour_bids.bids.folders import is_folder
from synthtumour_bids.bids.images import Dataset, Found
from synthtumour_bids.bids.names import CONTRAST_SUFFIXES, datatype
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.settings import Settings

MOUNT_ADVICE = "In a container, make sure that the volume with the data is mounted."


def nothing_message(settings: Settings, dataset: Dataset, found: Found) -> str:
    """Say that a dataset has no image to use, and why."""
    if found.refused:
        sentences = "\n".join(f"  {one.message}" for one in found.refused)
        return f"No {settings.contrast} image of {dataset.root} can be used:\n{sentences}"
    labels = participants(dataset.root)
    return (
        f"No {settings.contrast} image was found in {dataset.root}. "
        f"{_looked_for(settings, labels, [dataset])} {filters_used(settings)} "
        f"{present([dataset.root])} Another contrast is chosen with --contrast."
        + ("" if labels else f" {_contents(dataset.root)} {MOUNT_ADVICE}")
    )


def _contents(root: Path) -> str:
    """Say what a folder has that has no participant."""
    names = sorted(path.name for path in root.iterdir())
    return f"No folder in it is called sub-<label>: it has {listed(names, 5) or 'nothing'}."


def _looked_for(
    settings: Settings, labels: Iterable[str], datasets: Iterable[Dataset], most: int = 3
) -> str:
    """Say how scans are named, and how the first images of these participants are."""
    suffixes = CONTRAST_SUFFIXES[settings.contrast]
    names = [f"sub-*/[ses-*/]{datatype(one)}/sub-*_{one}.nii[.gz]" for one in suffixes]
    folders = [(dataset.root, f"sub-{one}") for one in sorted(labels) for dataset in datasets]
    images = (
        path.relative_to(root).as_posix()
        for root, folder in folders
        for path in sorted((root / folder).rglob("*.nii*"))
    )
    found = ", ".join(islice(images, most))
    return (
        f"Looked for {' or '.join(names)} (upper and lower case matter); there is "
        f"{found or 'no image'}."
    )


def left_out_message(labels: Sequence[str], settings: Settings) -> str:
    """Say that nothing is left to do for the participants asked for."""
    annotated = (
        " Scans of an annotated dataset of its own (--annotated-dir) are of use only if something "
        "was drawn on them and their participant is not held out (--hold-out)."
    )
    return (
        f"Nothing is to be done for participants {', '.join(labels)} (--participant-label): their "
        "scans were left out, as said above." + (annotated if settings.annotated_dir else "")
    )


def no_image_message(settings: Settings, labels: Sequence[str], datasets: Sequence[Dataset]) -> str:
    """Say that there is no image of the participants asked for."""
    roots = ", ".join(str(dataset.root) for dataset in datasets)
    return (
        f"No {settings.contrast} image was found of participants {', '.join(labels)} "
        f"(--participant-label) in {roots}. {_looked_for(settings, labels, datasets)} "
        f"{filters_used(settings)} Another contrast is chosen with --contrast."
    )


def filters_used(settings: Settings) -> str:
    """Say which flags leave images out."""
    filters = {
        "--participant-label": " ".join(settings.participant_label),
        "--exclude-participant-label": " ".join(settings.exclude_participant_label),
        "--session-label": " ".join(settings.session_label),
        "--bids-filter-file": settings.bids_filter_file,
        "--bids-database-dir": settings.bids_database_dir,
    }
    used = [f"{flag} {value}" for flag, value in filters.items() if value]
    hint = (
        " The database knows only the scans of the day it was made."
        if settings.bids_database_dir
        else ""
    )
    return f"Filters set: {', '.join(used) or 'none'}.{hint}"


def present(roots: Iterable[Path]) -> str:
    """Say who is there."""
    labels = sorted({label for root in roots for label in participants(root)})
    return (
        f"Participants there: {listed(labels, 5)}." if labels else "No participant at all is there."
    )


def participants(root: Path) -> set[str]:
    """Labels of all participants with a folder in a dataset."""
    return {path.name.removeprefix("sub-") for path in root.glob("sub-*") if is_folder(path)}
