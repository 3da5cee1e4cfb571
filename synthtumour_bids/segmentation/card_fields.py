"""What ``model.json`` says, as checked values by the names that :class:`ModelCard` has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.checked_values import (
    number,
    object_of,
    short,
    text,
    texts,
    whole,
)
from synthtumour_bids.segmentation.network_plan import MOST_LABELS, SPACING_MM
from synthtumour_bids.settings import CONTRASTS, FURTHER_CONTRASTS, LESIONS, TEMPLATE

SCHEMA = 2
LONGEST_NAME = 1000  # characters
MOST = 2**63 - 1  # a seed
_KNOWN = frozenset(
    (
        *("Schema", "Name", "Fingerprint", "Recipe", "Method", "Preset", "Contrast"),
        *("MoreContrasts", "Lesion", "Classes", "Profile", "Template", "Resolution", "Seed"),
        *("Training", "TrainingCases", "ValidationCases", "Scans", "HeldOut", "BestEpoch"),
        *("StoppedEarly", "TrainingSeconds", "Versions", "Files", "Calibration"),
    )
)


def card_fields(content: Mapping[str, Any], weights: str) -> dict[str, Any]:
    """Check the content of a card.

    Parameters
    ----------
    content
        Of the file; nothing of it is trusted.
    weights
        Fingerprint of the weights that are there.

    Raises
    ------
    ValueError
        Saying in one clause what is missing, of another type, or not known to this version.
    """
    schema = content.get("Schema", 1)
    if schema not in (1, SCHEMA):
        raise ValueError(f"schema {short(schema)}, while this version reads 1 to {SCHEMA}")
    # Cards of 0.1.0 have no hash of the weights; what they call the fingerprint is the recipe.
    older = schema == 1
    if (template := content.get("Template", TEMPLATE)) != TEMPLATE:
        raise ValueError(f"it is for another template ({short(template)})")
    contrast, lesion = (_name(content, key) for key in ("Contrast", "Lesion"))
    if contrast not in CONTRASTS or lesion not in LESIONS:
        raise ValueError(
            f"it is for {lesion} in {contrast} images, which this version does not know"
        )
    more = _names(content, "MoreContrasts")
    if unknown := [one for one in more if one not in FURTHER_CONTRASTS]:
        raise ValueError(f"MoreContrasts has {short(unknown[0])}, which this version does not know")
    return {
        "name": _name(content, "Name"),
        "fingerprint": weights if older else _name(content, "Fingerprint"),
        "recipe": _name(content, "Fingerprint" if older else "Recipe"),
        "method": text(content.get("Method", "synthtumour"), "Method", LONGEST_NAME),
        "contrast": contrast,
        "lesion": lesion,
        "preset": _name(content, "Preset"),
        "profile": _name(content, "Profile"),
        "resolution": number(content.get("Resolution"), "Resolution", *SPACING_MM),
        "seed": whole(content.get("Seed"), "Seed", -MOST, MOST),
        "training": _mapping(content.get("Training"), "Training"),
        "more_contrasts": more,
        "classes": _classes(content.get("Classes", [])) or WHOLE_TUMOUR,
        "training_cases": _names(content, "TrainingCases"),
        "validation_cases": _names(content, "ValidationCases"),
        "scans": _names(content, "Scans"),
        "held_out": _names(content, "HeldOut"),
        "best_epoch": whole(content.get("BestEpoch", 0), "BestEpoch", 0, MOST),
        "stopped_early": bool(content.get("StoppedEarly", False)),
        "training_seconds": number(content.get("TrainingSeconds", 0.0), "TrainingSeconds", 0, 1e12),
        "versions": _texts_by_name(content.get("Versions", {}), "Versions"),
        "files": _texts_by_name(content.get("Files", {}), "Files"),
        "calibration": Calibration.from_json(object_of(content, "Calibration"))
        if "Calibration" in content
        else None,
        "details": {key: value for key, value in content.items() if key not in _KNOWN},
    }


def _name(content: Mapping[str, Any], key: str) -> str:
    if key not in content:
        raise ValueError(f"it lacks {key!r}")
    return text(content[key], key, LONGEST_NAME)


def _names(content: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return texts(content.get(key, []), key, LONGEST_NAME)


def _mapping(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {short(value)}, not an object")
    return dict(value)


def _texts_by_name(value: object, key: str) -> dict[str, str]:
    return {name: text(one, key, LONGEST_NAME) for name, one in _mapping(value, key).items()}


def _classes(rows: object) -> tuple[TumourClass, ...]:
    if not isinstance(rows, Sequence) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"Classes is {short(rows)}, not a list of objects")
    classes = tuple(
        TumourClass(
            whole(row.get("index"), "index", 1, MOST_LABELS),
            _name(row, "name"),
            text(row.get("abbreviation", ""), "abbreviation", LONGEST_NAME),
            text(row.get("color", ""), "color", LONGEST_NAME),
        )
        for row in rows
    )
    if len({one.index for one in classes}) < len(classes):
        raise ValueError("Classes has an index twice")
    return classes
