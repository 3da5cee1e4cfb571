"""Which files a head template consists of, and where they lie; imports nothing heavy.

Nothing is ever downloaded here: ``synthtumour-fetch`` does that beforehand.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import fingerprint, hash_file

EMBEDDED = "ICBM152-FLAIR-like"
TEMPLATEFLOW_NAMES = ("OASIS30ANTs", "MNI152NLin2009cAsym")
HOME_VARIABLE = "TEMPLATEFLOW_HOME"
HEAD_SUFFIXES = ("FLAIR", "T1w", "T2w", "PDw")
_IMAGE_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class TemplateFiles:
    """The two images of a head template, and how sidecars and reports call it."""

    name: str
    head: Path
    brain: Path


def templateflow_home() -> Path:
    """Folder of TemplateFlow's files, where its own library looks for them, too."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get(HOME_VARIABLE) or Path(cache) / "templateflow")


def find_template(name_or_path: str | None) -> TemplateFiles | None:
    """Find the files of a head template.

    Parameters
    ----------
    name_or_path
        ``None``: the first of TemplateFlow's OASIS30ANTs and MNI152NLin2009cAsym whose files lie
        in ``TEMPLATEFLOW_HOME``, else the embedded head. A folder that holds a head and a brain
        probability or mask (TemplateFlow's names, or any names with ``brain`` and ``prob`` or
        ``mask``), or the head's file in such a folder. A TemplateFlow name. ``"embedded"``.

    Returns
    -------
    ``None`` for the embedded head.

    Raises
    ------
    UnavailableError
        When there is no such template on the disk.
    """
    if name_or_path is None:
        return _first_of_templateflow()
    if name_or_path in ("embedded", EMBEDDED):
        return None
    path = Path(name_or_path)
    if path.is_dir():
        found = images(path)
        return _pair_in(path, found, _template_name(found, path.name))
    if path.is_file():
        siblings = [path, *(p for p in images(path.parent) if "brain" in p.name.lower())]
        return _pair_in(path.parent, siblings, _template_name([path], path.parent.name))
    return _of_templateflow(name_or_path.removeprefix("tpl-"))


def template_print(name_or_path: str | None) -> str | None:
    """Fingerprint of the head template that is used: of its name and its files' bytes.

    Parameters
    ----------
    name_or_path
        As for `find_template`.

    Returns
    -------
    ``None`` for the embedded head, which is the same in every run of one version.

    Raises
    ------
    UnavailableError
        When there is no such template on the disk.
    """
    files = find_template(name_or_path)
    return None if files is None else _files_print(files)


@functools.cache
def _files_print(files: TemplateFiles) -> str:
    return fingerprint(name=files.name, head=hash_file(files.head), brain=hash_file(files.brain))


def _first_of_templateflow() -> TemplateFiles | None:
    # Only where the variable says so: a cache that other programs filled must not change results.
    if not os.environ.get(HOME_VARIABLE):
        return None
    for name in TEMPLATEFLOW_NAMES:
        folder = templateflow_home() / f"tpl-{name}"
        pair = find_pair(images(folder)) if folder.is_dir() else None
        if pair is not None:
            return TemplateFiles(name, *pair)
    return None


def _of_templateflow(name: str) -> TemplateFiles:
    home = templateflow_home()
    folder = home / f"tpl-{name}"
    pair = find_pair(images(folder)) if folder.is_dir() else None
    if pair is None:
        found = "a placeholder without images" if folder.is_dir() else "nothing"
        raise UnavailableError(
            f"Looked for the head template '{name}': there is no such file or folder, and "
            f"TemplateFlow's folder {home} ({HOME_VARIABLE}) holds {found} of that name. A run "
            f"downloads nothing; fetch it beforehand with\n    synthtumour-fetch {name}\nor give "
            "--skull-strip-template the path of a folder with a head and its brain probability, "
            "or leave the flag out."
        )
    return TemplateFiles(name, *pair)


def find_standard(name: str, resolution: int | None) -> TemplateFiles:
    """Find a standard head of TemplateFlow and its brain on the disk.

    Parameters
    ----------
    name
        TemplateFlow's, without ``tpl-``.
    resolution
        Its ``res-``; ``None`` is any, the finest first.

    Raises
    ------
    UnavailableError
        When its files are not there.
    """
    home = templateflow_home()
    folder = home / f"tpl-{name}"
    there = images(folder) if folder.is_dir() else []
    wanted = [
        path
        for path in there
        if suffix(path) not in HEAD_SUFFIXES or suffix(path) == "T1w"
        if resolution is None or _entity(path, "res").lstrip("0") == str(resolution)
    ]
    pair = find_pair(wanted)
    if pair is None:
        found = ", ".join(path.name for path in there[:6]) or "no image"
        res = "" if resolution is None else f"res-{resolution:02}_"
        raise UnavailableError(
            f"Looked in {folder} (TemplateFlow's folder, {HOME_VARIABLE}) for tpl-{name}_{res}T1w "
            f"and its brain mask (--output-spaces {name}), and found {found}. A run downloads "
            f"nothing; fetch it beforehand with\n    synthtumour-fetch {name}\nor leave that "
            "space out."
        )
    return TemplateFiles(name, *pair)


def images(folder: Path) -> list[Path]:
    """NIfTI files of a folder that are more than placeholders."""
    # TemplateFlow's skeleton consists of empty files that stand for what could be fetched.
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.endswith(_IMAGE_ENDINGS) and path.is_file() and path.stat().st_size > 0
    )


def find_pair(images: Sequence[Path]) -> tuple[Path, Path] | None:
    """Head and brain among the files: the same resolution, probability before mask."""
    brains = [
        path
        for path in images
        if "brain" in path.name.lower() and any(w in path.name.lower() for w in ("prob", "mask"))
    ]
    marks = ("mask", "prob", "brain", "label-", "dseg", "desc-")
    heads = [path for path in images if not any(mark in path.name.lower() for mark in marks)]
    named = [path for s in HEAD_SUFFIXES for path in heads if suffix(path) == s]
    heads = named or (heads if len(heads) == 1 else [])
    pairs = [
        (head, brain)
        for head in heads
        for brain in sorted(brains, key=lambda p: ("prob" not in p.name.lower(), p.name))
        if _entity(head, "res") == _entity(brain, "res")
        and _entity(head, "cohort") == _entity(brain, "cohort")
    ]
    return pairs[0] if pairs else None


def suffix(path: Path) -> str:
    """Last part of a file's name: ``T1w``."""
    return _stem(path).split("_")[-1]


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".nii")


def _entity(path: Path, key: str) -> str:
    return next((p[len(key) + 1 :] for p in _stem(path).split("_") if p.startswith(f"{key}-")), "")


def _template_name(images: Sequence[Path], otherwise: str) -> str:
    return next((name for name in (_entity(p, "tpl") for p in images) if name), otherwise)


def _pair_in(folder: Path, images: Sequence[Path], name: str) -> TemplateFiles:
    pair = find_pair(images)
    if pair is None:
        found = ", ".join(path.name for path in images[:6]) or "no image"
        raise UnavailableError(
            f"Looked in {folder} for a head (*_T1w.nii.gz, *_FLAIR.nii.gz) and its brain "
            f"(*label-brain_probseg.nii.gz, *desc-brain_mask.nii.gz), found {found}: give "
            "--skull-strip-template a folder that holds both."
        )
    return TemplateFiles(name, *pair)
