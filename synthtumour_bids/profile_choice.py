"""The profile of a run that was given none: that of its output folder, else the machine's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from synthtumour_bids.errors import UsageError
from synthtumour_bids.estimates import estimate
from synthtumour_bids.execution.progress import describe_seconds
from synthtumour_bids.execution.resources import available_cores
from synthtumour_bids.files import write_once
from synthtumour_bids.profiles import PROFILES, Profile


def choose(
    output_dir: Path, has_cuda: Callable[[], bool], *, nprocs: int | None = None
) -> tuple[Profile, str]:
    """Choose a profile where ``--profile`` was left out.

    Parameters
    ----------
    output_dir
        What was made with one profile is of no use to another: an output folder keeps the one
        that it was begun with.
    has_cuda
        Whether there is a CUDA device to use; asked only where nothing else decides.
    nprocs
        Cores to use, for what a processor would take; ``None``: all that are available.

    Returns
    -------
    The profile, and a sentence that says why.

    Raises
    ------
    UsageError
        Where the folder holds results of several profiles, or begins with an unknown one.
    """
    if (begun := _begun_with(output_dir)) is not None:
        return begun, f"profile {begun.name}: the output folder was begun with it."
    if (found := _found_in(output_dir)) is not None:
        return found, f"profile {found.name}: the results in the output folder are of it."
    if has_cuda():
        return PROFILES["full"], "profile full: a CUDA device was found."
    cores = nprocs or available_cores()
    hours = estimate(PROFILES["full"], 0, "cpu", cores).hours
    long = f"takes up to {describe_seconds(hours * 3600)}" if hours is not None else "takes long"
    return PROFILES["fast"], (
        f"profile fast: no CUDA device was found; --profile full {long} on a CPU with "
        f"{cores} {'core' if cores == 1 else 'cores'}."
    )


def begin_with(output_dir: Path, profile: Profile) -> Profile:
    """Note the profile that an output folder is begun with.

    Returns
    -------
    The profile of the folder: of several jobs that start together, the first decides for all.

    Raises
    ------
    UsageError
        Where the folder was begun with a profile that this version does not have.
    """
    return _named(write_once(_note(output_dir), f"{profile.name}\n"), _note(output_dir))


def _note(output_dir: Path) -> Path:
    return output_dir / "logs" / "profile"


def _begun_with(output_dir: Path) -> Profile | None:
    path = _note(output_dir)
    return _named(path.read_text(encoding="utf-8"), path) if path.is_file() else None


def _named(text: str, path: Path) -> Profile:
    name = text.strip()
    if name not in PROFILES:
        msg = (
            f"{path} names the profile {name!r}, which is none of {', '.join(PROFILES)}. Name the "
            "profile of this output folder with --profile, or choose another output folder."
        )
        raise UsageError(msg)
    return PROFILES[name]


def _found_in(output_dir: Path) -> Profile | None:
    """The profile of what an earlier version left, which took no note of it."""
    folder = output_dir / "logs" / "stamps" / "preprocess"
    resolutions = set(_values(folder.glob("[!.]*.json"), "resolution"))
    of_scans = [one for one in PROFILES.values() if one.resolution in resolutions]
    if len(of_scans) == 1:
        return of_scans[0]
    of_networks = _trained_with(output_dir / "models")
    if len(of_networks) == 1:
        return of_networks.pop()
    if of_scans or of_networks:
        names = ", ".join(sorted(one.name for one in of_networks.union(of_scans)))
        msg = (
            f"{output_dir} holds results of several profiles ({names}); say with --profile which "
            "of them to go on with."
        )
        raise UsageError(msg)
    return None


def _trained_with(models: Path) -> set[Profile]:
    """Profiles of the networks in a models folder."""
    names = _values(models.glob("*/model.json"), "Profile")
    return {PROFILES[name] for name in names if name in PROFILES}


def _values(paths: Iterable[Path], key: str) -> list[object]:
    """One value of each JSON file; those that cannot be read have none."""
    values = []
    for path in paths:
        try:
            values.append(json.loads(path.read_text(encoding="utf-8"))[key])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return [value for value in values if isinstance(value, str | float | int)]
