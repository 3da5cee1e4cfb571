"""The output dataset as a whole: what made it from what, and whether a folder is one of ours."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from synthtumour_bids import __version__
from synthtumour_bids.errors import UsageError
from synthtumour_bids.files import write_json, write_text
from synthtumour_bids.settings import Settings

LOGGER = logging.getLogger(__name__)

GENERATOR = "synthtumour_bids"
BIDS_VERSION = "1.10.1"
DESCRIPTION_FILE = "dataset_description.json"

DOCKER_TAG_VARIABLE = "SYNTHTUMOUR_DOCKER_TAG"
SINGULARITY_URL_VARIABLE = "SYNTHTUMOUR_SINGULARITY_URL"

# Outputs that BIDS has no name for. The validator wants folders both with and without `/**`, and
# gradient tables beside any `dwi` image, which a single averaged volume has none of.
BIDSIGNORE = (
    *("*.html", "*.toml", "*_xfm.*", "*_desc-uncertainty_*"),
    *("figures", "figures/**", "log", "log/**", "models", "models/**", "work", "work/**"),
    *("*_dwi.*", "group_*", ".*", "**/.tmp-*"),
)

# Folders of the output folder that the app writes to, beside those of the participants.
_WRITTEN = frozenset(("logs", "models", "figures", "work"))

# What a job that started a moment ago may have made before it described the dataset.
_EARLY_OUTPUTS = frozenset(("logs", "work", "derivatives"))


def write_dataset_description(
    root: Path,
    *,
    links: Mapping[str, Path],
    name: str = "synthtumour_bids: brain tumour masks",
    anonymous: bool = False,
    ignored: Sequence[str] = BIDSIGNORE,
) -> None:
    """Write ``dataset_description.json`` and ``.bidsignore``.

    Parameters
    ----------
    root
        Root of the derivative dataset.
    links
        Source datasets by the names that BIDS URIs use, e.g. ``{"raw": bids_dir}``.
    name
        Title of the dataset.
    anonymous
        Leave out where on this machine the source datasets lie: of those that neither hold this
        one nor lie in it the DOI is told, or nothing but the name.
    ignored
        Lines of ``.bidsignore``.
    """
    generator: dict[str, Any] = {"Name": GENERATOR, "Version": __version__}
    if tag := os.environ.get(DOCKER_TAG_VARIABLE):
        generator["Container"] = {"Type": "docker", "Tag": tag}
    elif url := os.environ.get(SINGULARITY_URL_VARIABLE):
        generator["Container"] = {"Type": "singularity", "URI": url}
    link = _anonymous_link if anonymous else _link
    told = {key: link(root, path) for key, path in links.items()}
    description: dict[str, Any] = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [generator],
        "DatasetLinks": told,
        "SourceDatasets": [_source(path, told[key]) for key, path in links.items()],
    }
    bidsignore = root / ".bidsignore"
    text = "\n".join(ignored) + "\n"
    # Each job of an array comes here while others read: what is right already stays untouched.
    if not bidsignore.is_file() or bidsignore.read_text(encoding="utf-8") != text:
        write_text(bidsignore, text)
    before = read_description(root)
    if before != description:
        _tell_of_others(before or {}, told)
        write_json(root / DESCRIPTION_FILE, description)


def _tell_of_others(before: dict[str, Any], links: Mapping[str, str]) -> None:
    """Warn where a dataset lies elsewhere than when the folder was written last."""
    known = before.get("DatasetLinks")
    for name, link in links.items():
        other = known.get(name) if isinstance(known, dict) else None
        if other and other != link:
            LOGGER.warning(
                "This output folder was made of %s as dataset %s, and this run's is %s. If that is "
                "the same dataset in another place, all is well; if not, results of participants "
                "of the same names are replaced: choose another output folder.",
                other,
                name,
                link,
            )


def _link(root: Path, dataset: Path) -> str:
    """Relative where one folder holds the other, so that both can move together."""
    root, dataset = root.resolve(), dataset.resolve()
    if dataset in root.parents or root in dataset.parents:
        return quote(Path(os.path.relpath(dataset, root)).as_posix())
    return dataset.as_uri()


def _anonymous_link(root: Path, dataset: Path) -> str:
    """Tell of a dataset without where it lies, unless that is relative."""
    link, doi = _link(root, dataset), _doi(dataset)
    if not link.startswith("file:"):
        return link
    return f"https://doi.org/{quote(doi.removeprefix('doi:'))}" if doi else "file:///"


def _doi(dataset: Path) -> str:
    return str((read_description(dataset) or {}).get("DatasetDOI") or "")


def _source(dataset: Path, link: str) -> dict[str, str]:
    doi = _doi(dataset)
    return {"URL": link, **({"DOI": doi} if doi else {})}


def read_description(root: Path) -> dict[str, Any] | None:
    """Read a dataset's ``dataset_description.json``; ``None`` where there is no readable one."""
    try:
        content = json.loads((root / DESCRIPTION_FILE).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def is_ours(root: Path) -> bool:
    """Whether this app made a dataset, by its ``GeneratedBy``."""
    generators = (read_description(root) or {}).get("GeneratedBy")
    if not isinstance(generators, list):
        return False
    return any(isinstance(entry, dict) and entry.get("Name") == GENERATOR for entry in generators)


def check_output_dir(output_dir: Path, bids_dir: Path) -> None:
    """Refuse an output folder that the results must not or cannot go to.

    Nothing is created.

    Raises
    ------
    UsageError
        When the output folder is the input dataset, or lies in a subject's folder of it, or is a
        file, or holds something that this app did not make, or cannot be written to.
    """
    suggestion = f"Choose another one, for example {bids_dir / 'derivatives' / GENERATOR}."
    output, dataset = output_dir.resolve(), bids_dir.resolve()
    if output == dataset:
        msg = f"The output folder is the input dataset itself: {bids_dir}. {suggestion}"
        raise UsageError(msg)
    if output.is_relative_to(dataset) and output.relative_to(dataset).parts[0].startswith("sub-"):
        msg = (
            f"The output folder {output_dir} lies among the scans of the input dataset "
            f"{bids_dir}. {suggestion}"
        )
        raise UsageError(msg)
    if output_dir.is_symlink() and not output.exists():
        msg = f"The output folder {output_dir} is a link to nowhere. {suggestion}"
        raise UsageError(msg)
    if output.exists() and not output.is_dir():
        msg = f"The output folder {output_dir} is a file. {suggestion}"
        raise UsageError(msg)
    # The folder is listed first: a job that started with this one describes it before all else.
    foreign = _foreign_content(output) if output.is_dir() else []
    if foreign and not is_ours(output):
        msg = (
            f"The output folder {output_dir} holds something that this app did not make "
            f"({foreign[0]}{' and more' if len(foreign) > 1 else ''}; no {DESCRIPTION_FILE} "
            f"names {GENERATOR} in GeneratedBy). {suggestion}"
        )
        raise UsageError(msg)
    check_writable(output, output_dir)
    logs = output / "logs"  # of somebody else's run, perhaps
    if logs.is_dir():
        check_writable(logs, output_dir / "logs")


def _foreign_content(folder: Path) -> list[str]:
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        msg = f"The output folder {folder} cannot be read: {error.strerror}."
        raise UsageError(msg) from error
    return [name for name in names if not name.startswith(".") and name not in _EARLY_OUTPUTS]


def check_writable(output: Path, shown: Path) -> None:
    """Try it: permission bits say nothing of read-only mounts and full quotas."""
    folder = next(folder for folder in (output, *output.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        where = "It" if folder == output else f"Its parent {folder}"
        msg = (
            f"The output folder {shown} cannot be written to. {where} refuses: {error.strerror}. "
            "Check its permissions and free space and, in a container, that it is mounted "
            "writable and that the container runs as a user who may write there (-u)."
        )
        raise UsageError(msg) from error


def check_folders(settings: Settings) -> None:
    """Refuse folders that a run cannot or must not write to; see `_check_folders`.

    Raises
    ------
    UsageError
        Also where nobody may look.
    """
    try:
        _check_folders(settings)
    except OSError as error:
        msg = (
            f"{error.filename} cannot be used ({error.strerror}). Mend its permissions or its "
            "name, or choose another folder."
        )
        raise UsageError(msg) from error


def _check_folders(settings: Settings) -> None:
    """Refuse an output folder or a work folder that a run cannot or must not write to.

    Raises
    ------
    UsageError
        As ``check_output_dir`` does, for each dataset of the run, and ``check_work_dir``; for
        corrected masks among the app's own.
    """
    annotated = () if settings.annotated_dir is None else (settings.annotated_dir,)
    for dataset in (settings.bids_dir, *settings.tumourfree_dir, *annotated):
        check_output_dir(settings.output_dir, dataset)
        if settings.lesion_roi_dir is not None:
            _check_roi_dir(settings.lesion_roi_dir, dataset)
    if settings.corrections is not None:
        _check_corrections(settings.corrections, settings)
    check_work_dir(settings.work_dir)


def _check_corrections(folder: Path, settings: Settings) -> None:
    """Refuse corrected masks that lie where the app writes, or that it has written itself."""
    given, output = folder.resolve(), settings.output_dir.resolve()
    inside = given.relative_to(output).parts if given.is_relative_to(output) else None
    ours = inside is not None and (
        not inside or inside[0].startswith("sub-") or inside[0] in _WRITTEN
    )
    if ours or given.is_relative_to(settings.work_dir.resolve()) or is_ours(folder):
        msg = (
            f"--corrections {folder}: this app writes there, and would take its own masks for "
            "corrected ones, or overwrite yours. Copy the masks that you have edited, and no "
            f"others, to a folder of their own, for example {settings.output_dir.parent}"
            "/corrections/sub-01/anat."
        )
        raise UsageError(msg)


def _check_roi_dir(lesion_roi_dir: Path, dataset: Path) -> None:
    try:
        check_output_dir(lesion_roi_dir, dataset)
    except UsageError as error:
        msg = f"--lesion-roi-dir {lesion_roi_dir} cannot be used. {error}"
        raise UsageError(msg) from error


def check_work_dir(work_dir: Path) -> None:
    """Refuse a work folder that cannot be written to; nothing is created.

    Raises
    ------
    UsageError
        With what the system says.
    """
    try:
        check_writable(work_dir.resolve(), work_dir)
    except (UsageError, OSError) as error:
        msg = (
            f"The work folder {work_dir} (--work-dir) cannot be written to "
            f"({error.__cause__ or error}): name another one, or leave the flag out to use "
            "OUTPUT_DIR/work."
        )
        raise UsageError(msg) from error
