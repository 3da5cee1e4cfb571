"""``model.json``: what a trained network is, what it learned from, and how to tell it is whole.

Nothing else reads or writes that file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import hash_file, write_json
from synthtumour_bids.segmentation.safe_files import read_file, read_json
from synthtumour_bids.settings import TEMPLATE

CARD = "model.json"
CHECKPOINT = "fold_0/checkpoint_best.pth"
# What is read of a network to segment with it.
NEEDED = (CARD, "dataset.json", "plans.json", CHECKPOINT)
WEIGHTS = "weights.safetensors"  # of a bundle, a network to be handed on
BUNDLED = ("dataset.json", "plans.json", WEIGHTS)  # its files besides the card
MOST_BUNDLE_BYTES = 10_000_000  # of all of its files
SCHEMA = 2
FINGERPRINT_DIGITS = 16  # of the SHA-256 of the weights
# What goes wrong with a file that is no card.
_BAD = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained network.

    Attributes
    ----------
    name
        ``starter``, ``junior`` or ``senior``.
    fingerprint
        Hash of the weights; the sidecar of every mask names it.
    recipe
        Hash of all settings that the network depends on.
    method, preset
        How its material came about.
    contrast, more_contrasts, lesion
        What it looks at, and what it looks for.
    classes
        Tumour classes that it tells.
    profile, resolution
        Name of the profile; voxel size of the template grid, mm.
    seed
        Of synthesis and training.
    training
        Fields of ``profiles.Training``.
    training_cases, validation_cases
        Names of the cases it was trained with, and of those that chose the epoch.
    scans
        BIDS URIs of the scans that its material was made from.
    held_out
        Labels of participants that were kept out of all training.
    best_epoch, stopped_early, training_seconds
        How the training went.
    versions
        Of the software, by package.
    details
        What the method tells besides, by CamelCase names.
    """

    name: str
    fingerprint: str
    recipe: str
    method: str
    contrast: str
    lesion: str
    preset: str
    profile: str
    resolution: float
    seed: int
    training: Mapping[str, Any]
    more_contrasts: tuple[str, ...] = ()
    classes: tuple[TumourClass, ...] = WHOLE_TUMOUR
    training_cases: tuple[str, ...] = ()
    validation_cases: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    best_epoch: int = 0
    stopped_early: bool = False
    training_seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the card into the folder of its network."""
        path = folder / CARD
        write_json(
            path,
            {
                "Schema": SCHEMA,
                "Name": self.name,
                "Fingerprint": self.fingerprint,
                "Recipe": self.recipe,
                "Method": self.method,
                "Preset": self.preset,
                "Contrast": self.contrast,
                "MoreContrasts": self.more_contrasts,
                "Lesion": self.lesion,
                "Classes": [one.to_json() for one in self.classes],
                "Profile": self.profile,
                "Template": TEMPLATE,
                "Resolution": self.resolution,
                "Seed": self.seed,
                "Training": self.training,
                "TrainingCases": self.training_cases,
                "ValidationCases": self.validation_cases,
                "Scans": self.scans,
                "HeldOut": self.held_out,
                "BestEpoch": self.best_epoch,
                "StoppedEarly": self.stopped_early,
                "TrainingSeconds": self.training_seconds,
                "Versions": self.versions,
                **self.details,
            },
        )
        return path

    @classmethod
    def read(cls, folder: Path) -> ModelCard:
        """Read the card of a network, and check that the weights are those it tells of.

        Raises
        ------
        UnavailableError
            When there is no trained network, its card cannot be read or was written by a newer
            version, or the weights are others.
        """
        if is_bundle(folder):
            return cls.read_bundle(folder)[0]
        path, weights = folder / CARD, folder / CHECKPOINT
        if not path.is_file() or not weights.is_file():
            msg = (
                f"No trained {folder.name} in {folder} (looked for {CARD} and {CHECKPOINT}). "
                "Train it first (--steps synthesise train, or level group), or name a models "
                "folder with --model."
            )
            raise UnavailableError(msg)
        fingerprint = weights_fingerprint(folder)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            card = cls._from_json(content, fingerprint)
        except _BAD as error:
            msg = (
                f"{path} is not the card of a network trained by synthtumour_bids "
                f"({type(error).__name__}: {error}). Train it again with --retrain, or name "
                "another models folder with --model."
            )
            raise UnavailableError(msg) from error
        if card.fingerprint != fingerprint:
            msg = (
                f"The weights in {weights} are not those that {path} tells of: found "
                f"{fingerprint}, expected {card.fingerprint}. Copy the folder again from where it "
                "came, or train anew with --retrain."
            )
            raise UnavailableError(msg)
        return card

    @classmethod
    def read_bundle(cls, folder: Path) -> tuple[ModelCard, dict[str, bytes]]:
        """Read the card of a bundle, and the files that it tells of.

        Returns
        -------
        The card, and the content of each of `BUNDLED`, which has the checksum of the card.

        Raises
        ------
        UnavailableError
            When a file is missing, a link, too large or other than the card says, or the card
            cannot be read or was written by a newer version.
        """
        try:
            content = read_json(folder, CARD)
            if type(schema := content.get("Schema")) is int and schema > SCHEMA:
                raise ValueError(f"a newer version wrote it (schema {schema}, this reads {SCHEMA})")
            files, left = {}, MOST_BUNDLE_BYTES
            for name in BUNDLED:
                files[name] = read_file(folder, name, left)
                left -= len(files[name])
                if hashlib.sha256(files[name]).hexdigest() != content["Files"][name]:
                    raise ValueError(f"{name} is not the file that {CARD} tells of")
            if content["Template"] != TEMPLATE:
                raise ValueError(f"it is for another template ({content['Template']!r})")
            fingerprint = hashlib.sha256(files[WEIGHTS]).hexdigest()[:FINGERPRINT_DIGITS]
            card = cls._from_json(content, fingerprint)
            if card.fingerprint != fingerprint:
                raise ValueError(f"{WEIGHTS} does not have the fingerprint of {CARD}")
        except KeyError as error:
            raise bundle_refusal(folder, f"{CARD} lacks {error}") from error
        except _BAD as error:
            raise bundle_refusal(folder, str(error)) from error
        return card, files

    @classmethod
    def _from_json(cls, content: Mapping[str, Any], weights: str) -> ModelCard:
        schema = content.get("Schema", 1)
        if schema not in (1, SCHEMA):
            msg = f"schema {schema}, while this version reads 1 to {SCHEMA}"
            raise ValueError(msg)
        # Cards of 0.1.0 have no hash of the weights; what they call the fingerprint is the recipe.
        older = schema == 1
        known = {
            *("Schema", "Name", "Fingerprint", "Recipe", "Method", "Preset", "Contrast"),
            *("MoreContrasts", "Lesion", "Classes", "Profile", "Template", "Resolution", "Seed"),
            *("Training", "TrainingCases", "ValidationCases", "Scans", "HeldOut", "BestEpoch"),
            *("StoppedEarly", "TrainingSeconds", "Versions"),
        }
        classes = tuple(TumourClass(**one) for one in content.get("Classes", ()))
        return cls(
            name=content["Name"],
            fingerprint=weights if older else content["Fingerprint"],
            recipe=content["Fingerprint" if older else "Recipe"],
            method=content.get("Method", "synthtumour"),
            contrast=content["Contrast"],
            lesion=content["Lesion"],
            preset=content["Preset"],
            profile=content["Profile"],
            resolution=float(content["Resolution"]),
            seed=int(content["Seed"]),
            training=dict(content["Training"]),
            more_contrasts=tuple(content.get("MoreContrasts", ())),
            classes=classes or WHOLE_TUMOUR,
            training_cases=tuple(content.get("TrainingCases", ())),
            validation_cases=tuple(content.get("ValidationCases", ())),
            scans=tuple(content.get("Scans", ())),
            held_out=tuple(content.get("HeldOut", ())),
            best_epoch=int(content.get("BestEpoch", 0)),
            stopped_early=bool(content.get("StoppedEarly", False)),
            training_seconds=float(content.get("TrainingSeconds", 0.0)),
            versions=dict(content.get("Versions", {})),
            details={key: value for key, value in content.items() if key not in known},
        )


@dataclass(frozen=True)
class Model:
    """A trained network: what results call it, and its folder."""

    name: str
    folder: Path

    @property
    def card(self) -> ModelCard:
        """Its card; see ``ModelCard.read``."""
        return ModelCard.read(self.folder)


def weights_fingerprint(folder: Path) -> str:
    """Hash of the weights in the folder of a network."""
    return hash_file(folder / CHECKPOINT)[:FINGERPRINT_DIGITS]


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds one network to be handed on, not those of a run."""
    return os.path.lexists(folder / WEIGHTS)


def bundle_refusal(folder: Path, reason: str) -> UnavailableError:
    """Make the error that says why a bundle cannot be used, from a clause."""
    return UnavailableError(
        f"The network in {folder} cannot be used: {reason}. Copy the folder again from where it "
        "came, or install the package again; or leave --model out to train on your own scans."
    )
