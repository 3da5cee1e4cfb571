"""What tumours look like, as data: ranges per lesion type and contrast, checked key by key.

The JSON files stand in ``synthtumour_bids/data/priors``; ``docs/priors.md`` explains every key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import PriorsError
from ..safe_files import read_any_json
from .ranges import (
    CoreKind,
    Csf,
    Mixture,
    Range,
    kind_of,
    mixture_reader,
    range_reader,
    read_cores,
    read_csf,
    read_mapping,
    read_probabilities,
    read_probability,
)

UNITS = {"volume": "mL", "length": "mm", "gain": "multiples of normal brain"}


@dataclass(frozen=True)
class Priors:
    """Everything our tumours are drawn from; ``docs/priors.md`` explains each key.

    Volumes in mL, lengths in mm, gains in multiples of normal brain (1 = normal).
    """

    lesion: str
    contrast: str
    volume_ml: Mixture
    count_probabilities: tuple[float, ...]
    further_volume_fraction: Range
    tumour_free_fraction: float
    elongation: Range
    surface_noise: Range
    lobule_probabilities: tuple[float, ...]
    infiltration: Range
    infiltration_scale_mm: Range
    csf: Csf
    csf_avoidance: Range
    grey_avoidance: Range
    hyper_probability: float
    hyper_gain: Mixture
    hypo_gain: Mixture
    anatomy: Range
    residual_texture: Range
    texture_amplitude: Range
    texture_scale_mm: Range
    halo_probability: float
    halo_gain: Range
    halo_depth: Range
    cores: tuple[CoreKind, ...]
    open_core_probability: float
    core_edge_mm: Range
    core_smoothness: Range
    edge_mm: Range


_READERS: dict[str, Callable[[object, str], Any]] = {
    "volume_ml": mixture_reader(0.01, 1000),
    "count_probabilities": read_probabilities,
    "further_volume_fraction": range_reader(0.001, 1),
    "tumour_free_fraction": read_probability,
    "elongation": range_reader(1, 4),
    "surface_noise": range_reader(0, 1.05),
    "lobule_probabilities": read_probabilities,
    "infiltration": range_reader(0, 1),
    "infiltration_scale_mm": range_reader(1, 50),
    "csf": read_csf,
    "csf_avoidance": range_reader(0, 3),
    "grey_avoidance": range_reader(0, 3),
    "hyper_probability": read_probability,
    "hyper_gain": mixture_reader(1, 10),
    "hypo_gain": mixture_reader(0, 1),
    "anatomy": range_reader(0, 1),
    "residual_texture": range_reader(0, 2),
    "texture_amplitude": range_reader(0, 1),
    "texture_scale_mm": range_reader(1, 50),
    "halo_probability": read_probability,
    "halo_gain": range_reader(0, 1),
    "halo_depth": range_reader(0.05, 1),
    "cores": read_cores,
    "open_core_probability": read_probability,
    "core_edge_mm": range_reader(0, 10),
    "core_smoothness": range_reader(0, 1),
    "edge_mm": range_reader(0, 10),
}


def load_priors(lesion: str, contrast: str, path: Path | None = None) -> Priors:
    """Load and check what tumours of one lesion type look like in one contrast.

    Parameters
    ----------
    lesion
        Name of a packaged file (``"glioma"``, ``"metastasis"``, ``"stroke"``) or, with `path`,
        any name.
    contrast
        BIDS suffix: ``"FLAIR"``, ``"T2w"``, ``"T1w"``, ``"DWI"``.
    path
        A file of your own. Keys it leaves out are taken from the packaged priors of the same
        lesion.

    Returns
    -------
    Priors

    Raises
    ------
    PriorsError
        With the key, what was found and what is allowed.
    """
    data = _packaged(lesion) if lesion in packaged_lesions() else None
    if path is not None:
        user = _read(path)
        _check_sections(user, str(path))
        data = _overlay(data or {"common": {}, "contrasts": {}}, user)
    if data is None:
        raise PriorsError(
            f"There are no packaged priors for lesion '{lesion}'; packaged are "
            f"{', '.join(packaged_lesions())}. Choose one of them, or describe the lesion in a "
            "JSON file of your own."
        )
    where = str(path) if path is not None else f"{lesion}.json"
    _check_sections(data, where)
    contrasts = data["contrasts"]
    if contrast not in contrasts:
        raise PriorsError(
            f"{where} has no priors for contrast '{contrast}'; it has "
            f"{', '.join(sorted(contrasts))}. Choose one of these, or add an entry under "
            "'contrasts' in a file of your own."
        )
    values = {**data["common"], **contrasts[contrast]}
    values.pop("source", None)
    return _build(lesion, contrast, values, where)


def packaged_lesions() -> tuple[str, ...]:
    """Names of the packaged priors."""
    folder = resources.files("synthtumour_bids") / "data" / "priors"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".json")))


def _packaged(lesion: str) -> dict[str, Any]:
    folder = resources.files("synthtumour_bids") / "data" / "priors"
    return dict(json.loads((folder / f"{lesion}.json").read_text("utf-8")))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = read_any_json(path)
    except OSError as error:
        raise PriorsError(f"The priors file {path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise PriorsError(f"The priors file {path} is not valid JSON: it {error}.") from error
    if not isinstance(data, dict):
        raise PriorsError(f"{path} must hold a JSON object, not {kind_of(data)}.")
    return data


def _overlay(base: Mapping[str, Any], user: Mapping[str, Any]) -> dict[str, Any]:
    """Return packaged priors with the user's keys on top, section by section."""
    contrasts = dict(base["contrasts"])
    for name, entry in user.get("contrasts", {}).items():
        contrasts[name] = {**contrasts.get(name, {}), **entry}
    # A key that the user sets for all contrasts wins over the packaged contrast's own value.
    common = user.get("common", {})
    for name, entry in contrasts.items():
        own = user.get("contrasts", {}).get(name, {})
        contrasts[name] = {k: v for k, v in entry.items() if k not in common or k in own}
    return {**base, **user, "common": {**base["common"], **common}, "contrasts": contrasts}


def _check_sections(data: Mapping[str, Any], where: str) -> None:
    allowed = ("lesion", "source", "units", "common", "contrasts")
    for key in data:
        if key not in allowed:
            raise PriorsError(
                f"{where}: unknown key '{key}' at the top level; allowed are {', '.join(allowed)}."
            )
    units = read_mapping(data.get("units", {}), f"{where}: 'units'")
    for quantity, unit in units.items():
        if UNITS.get(quantity) != unit:
            expected = UNITS.get(quantity)
            raise PriorsError(
                f"{where}: unit of '{quantity}' is '{unit}'; "
                + (f"only '{expected}' is understood. " if expected else "it has no unit here. ")
                + "Convert the numbers."
            )
    known = {f.name for f in fields(Priors)} - {"lesion", "contrast"} | {"source"}
    sections = {"common": read_mapping(data.get("common", {}), f"{where}: 'common'")}
    for name, entry in read_mapping(data.get("contrasts", {}), f"{where}: 'contrasts'").items():
        sections[f"contrasts.{name}"] = read_mapping(entry, f"{where}: 'contrasts.{name}'")
    for section, entry in sections.items():
        for key in entry:
            if key not in known:
                raise PriorsError(
                    f"{where}: unknown key '{key}' in '{section}'; allowed are "
                    f"{', '.join(sorted(known))}."
                )


def _build(lesion: str, contrast: str, values: Mapping[str, Any], where: str) -> Priors:
    missing = sorted(set(_READERS) - set(values))
    if missing:
        raise PriorsError(
            f"{where}: {', '.join(missing)} missing for lesion '{lesion}', contrast '{contrast}'."
        )
    checked = {
        key: reader(values[key], f"{where}: '{key}' ({contrast})")
        for key, reader in _READERS.items()
    }
    return Priors(lesion=lesion, contrast=contrast, **checked)
