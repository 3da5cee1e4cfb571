"""What of participants' folders cannot be read or is misnamed, found before an index is made."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.names import IMAGE_EXTENSIONS, datatype, parse_name
from synthtumour_bids.bids.strays import strays
from synthtumour_bids.bids.tables import FETCH

# What is a participant's folder, or a session's, for a person who reads its name.
_PARTICIPANT = re.compile(r"(?:sub(?:j(?:ect)?)?[-_ .]*)?(\d\w*)|sub[-_ .]+(.+)", re.IGNORECASE)
_SESSION = re.compile(r"ses(?:sion)?[-_ .]*(.+)", re.IGNORECASE)
_NO_LABEL = re.compile(r"[^A-Za-z0-9+]+")
_NO_NAME = re.compile(r"[^A-Za-z0-9+_-]+")
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EBADF)


@dataclass(frozen=True)
class Refusal:
    """A file or folder of a participant that cannot be used.

    Attributes
    ----------
    dataset_name
        Name of the dataset in BIDS URIs.
    subject
        Label of the participant whose folder it is or lies in.
    path
        Which file or folder.
    message
        Why, in a sentence.
    """

    dataset_name: str
    subject: str
    path: Path
    message: str

    @property
    def name(self) -> str:
        """Where it lies, from the participant's folder on; no scan has a name with a slash."""
        parts = self.path.parts
        own = [i for i, part in enumerate(parts) if part.lower() == f"sub-{self.subject}".lower()]
        name = "/".join(parts[own[-1] :] if own else parts[-1:])
        return name.removesuffix(".gz").removesuffix(".nii")


@dataclass(frozen=True)
class Misnamed:
    """What looks like a participant, a session, a folder of scans or a scan, but for its name.

    Attributes
    ----------
    subject
        Label of the participant whose it seems to be.
    path
        Which file or folder.
    should_be
        The name that BIDS has for it.
    """

    subject: str
    path: Path
    should_be: str


@dataclass(frozen=True)
class Survey:
    """What of a dataset's participants cannot be used.

    Attributes
    ----------
    refused
        Participants that are links to nowhere or in capital letters, and folders that may not be
        read.
    misnamed
        What nobody would find by its name.
    strays
        Images that may be scans, but lie or are named as none, with their participants' labels.
    """

    refused: tuple[Refusal, ...]
    misnamed: tuple[Misnamed, ...]
    strays: tuple[tuple[str, Path], ...]


def survey(
    name: str, root: Path, suffixes: Collection[str], subjects: Collection[str] | None
) -> Survey:
    """Find what of a dataset's participants cannot be read, or is misnamed.

    Parameters
    ----------
    name, root
        Name and folder of the dataset.
    suffixes
        Of the images that are wanted.
    subjects
        Labels of the only participants to look at; ``None`` for all.
    """
    refused, misnamed, astray = [], [], []
    for label, folder in _participants(root, suffixes):
        if subjects is not None and label not in subjects:
            continue
        for path, message, should_be in _of_participant(label, folder, suffixes):
            if message:
                refused.append(Refusal(name, label, path, message))
            elif should_be:
                misnamed.append(Misnamed(label, path, should_be))
            else:
                astray.append((label, path))
    return Survey(tuple(refused), tuple(misnamed), tuple(astray))


def labels_seen(root: Path, suffixes: Collection[str]) -> set[str]:
    """Labels of everyone who seems to have a folder in a dataset, usable or not."""
    return {label for label, _ in _participants(root, suffixes)}


def unusable(folder: Path) -> str | None:
    """Say why what lies in a folder cannot be read; ``None`` where it can, or is no folder.

    An index trips over a link that may not be followed, too, whatever it is named.
    """
    path, verb = folder, "listed"
    try:
        with os.scandir(folder) as entries:
            links = [Path(entry.path) for entry in entries if entry.is_symlink()]
        verb = "entered"
        (folder / os.pardir).stat()
        verb = "followed"
        for path in links:
            _stat_unless_broken(path)
    except NotADirectoryError:
        return None
    except OSError as error:
        if error.errno in _NOWHERE and folder.is_symlink():
            return f"{folder} is a link to a folder that is not there. {FETCH}"
        what, rid = ("link", ", or remove it") if verb == "followed" else ("folder", "")
        reason = error.strerror or error
        return f"The {what} {path} cannot be {verb} ({reason}). Mend its permissions{rid}."
    return None


def can_be_written(name: str) -> bool:
    """Whether a name is in the system's encoding; an index and a table cannot hold others."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, of which one may know."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _stat_unless_broken(path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        if error.errno not in _NOWHERE:
            raise


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder but hidden files, which copies to other systems leave behind."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []


def _participants(root: Path, suffixes: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Folders of participants by their labels, and what looks like one."""
    for path in _entries(root):
        if path.name.lower().startswith("sub-"):
            label = path.name[len("sub-") :]
            if label and not _is_file(path):
                yield label if can_be_written(label) else _NO_LABEL.sub("", label), path
        elif match := _PARTICIPANT.fullmatch(path.name):
            label = _NO_LABEL.sub("", match[1] or match[2])
            if label and any(_name_inside(one.name, suffixes) for one in _entries(path)):
                yield label, path


def _of_participant(
    label: str, folder: Path, suffixes: Collection[str]
) -> Iterator[tuple[Path, str, str]]:
    """What is wrong: where, and why in a sentence or else the right name; neither of strays."""
    named = f"sub-{label}"
    message = unusable(folder) if folder.is_symlink() else None
    in_capitals = folder.name[:4] != "sub-" and folder.name[:4].lower() == "sub-"
    if message is None and in_capitals:
        message = (
            f"{folder} is not named as BIDS asks for, with small letters: rename it, and the files "
            f"in it, to {named}."
        )
    if message is not None:
        yield folder, message, ""
    elif folder.name != named:
        yield folder, "", named
    else:
        yield from _inside(folder, named, suffixes)


def _inside(folder: Path, stem: str, suffixes: Collection[str]) -> Iterator[tuple[Path, str, str]]:
    """The same of all that lies in a folder whose scans' names begin with `stem`."""
    if (message := unusable(folder)) is not None:
        yield folder, message, ""
        return
    holds_scans = folder.name in {datatype(suffix) for suffix in suffixes}
    for path in _entries(folder):
        should_be = (
            _image_name(path.name, stem, suffixes)
            if holds_scans
            else _name_inside(path.name, suffixes)
        )
        if should_be is None:
            yield from ((stray, "", "") for stray in strays(path, suffixes))
            continue
        leads_on = is_folder(path) if holds_scans else not _is_file(path)
        if should_be != path.name:
            if _is_meant(path, suffixes) if leads_on else holds_scans:
                yield path, "", should_be
        elif leads_on:
            in_session = should_be.startswith("ses-")
            yield from _inside(path, f"{stem}_{should_be}" if in_session else stem, suffixes)


def _is_meant(folder: Path, suffixes: Collection[str]) -> bool:
    """Whether a folder is one of scans, or a session's: one that holds such a folder."""
    inside = [_name_inside(path.name, suffixes) for path in [folder, *_entries(folder)]]
    return any(name and not name.startswith("ses-") for name in inside)


def _name_inside(name: str, suffixes: Collection[str]) -> str | None:
    """Name that a session or a folder of scans should have; ``None`` where it looks like none."""
    if name.lower() in {datatype(suffix) for suffix in suffixes}:
        return name.lower()
    match = _SESSION.fullmatch(name)
    if match is None:
        return None
    if name.startswith("ses-") and can_be_written(name):
        return name
    return f"ses-{_NO_LABEL.sub('', match[1])}"


def _image_name(name: str, stem: str, suffixes: Collection[str]) -> str | None:
    """Name that an image should have; ``None`` where it looks like none with these suffixes.

    A name that is indexed is right here, whatever else may be wrong with it.
    """
    for suffix in suffixes:
        for extension in IMAGE_EXTENSIONS:
            right = f"_{suffix}{extension}"
            start, end = name[: -len(right)], name[-len(right) :]
            if not start or end.lower().replace("-", "_") != right.lower():
                continue
            if start.startswith("sub-") and name == start + right and can_be_written(name):
                return name
            better = _NO_NAME.sub("", start) + right
            return better if parse_name(better) else f"{stem}[_...]{right}"
    return None
