"""Participants' folders that cannot be read, found before an index trips over them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.tables import FETCH


@dataclass(frozen=True)
class Refusal:
    """A file or folder of a participant that cannot be used.

    Attributes
    ----------
    dataset_name
        Name of the dataset in BIDS URIs.
    subject
        Label of the participant.
    path
        Which file or folder.
    message
        Why, in a sentence.
    """

    dataset_name: str
    subject: str
    path: Path
    message: str


def unreadable(
    name: str, root: Path, datatypes: Collection[str], subjects: Collection[str] | None
) -> list[Refusal]:
    """Find what of a dataset's participants cannot be read.

    Parameters
    ----------
    name, root
        Name and folder of the dataset.
    datatypes
        Folders that scans lie in, such as ``anat``.
    subjects
        Labels of the only participants to look at; ``None`` for all.

    Returns
    -------
    Participants that are links to nowhere or misspelt, and folders that may not be listed.
    """
    found = []
    for entry in _entries(root):
        label = entry.name[len("sub-") :]
        if not entry.name.lower().startswith("sub-") or not label:
            continue
        if subjects is not None and label not in subjects:
            continue
        path = Path(entry.path)
        problem = _problem(entry) or _unlistable(path, datatypes)
        if problem is not None:
            where, message = problem
            found.append(Refusal(name, label, where, message))
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _problem(entry: os.DirEntry[str]) -> tuple[Path, str] | None:
    path = Path(entry.path)
    if entry.is_symlink() and not path.exists():
        return path, f"{path} is a link to a folder that is not there. {FETCH}"
    if not entry.name.startswith("sub-") and path.is_dir():
        named = f"sub-{entry.name[4:]}"
        return path, (
            f"{path} is not named as BIDS asks for, with small letters: rename it, and the files "
            f"in it, to {named}."
        )
    return None


def _unlistable(subject: Path, datatypes: Collection[str]) -> tuple[Path, str] | None:
    """First folder on the way to a participant's scans that may not be listed."""
    for folder in _scan_folders(subject, datatypes):
        try:
            with os.scandir(folder) as entries:
                next(iter(entries), None)
        except NotADirectoryError:
            continue
        except OSError as error:
            reason = error.strerror or error
            return folder, f"The folder {folder} cannot be listed ({reason}). Mend its permissions."
    return None


def _scan_folders(subject: Path, datatypes: Collection[str]) -> Iterator[Path]:
    if not subject.is_dir():
        return
    yield subject
    parents = [subject, *(Path(e.path) for e in _entries(subject) if e.name.startswith("ses-"))]
    for parent in parents:
        yield parent
        for datatype in sorted(datatypes):
            folder = parent / datatype
            try:
                there = folder.is_dir()
            except OSError:
                there = True
            if there:
                yield folder
