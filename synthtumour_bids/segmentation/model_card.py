"""``model.json``: what a trained network is, what it learned from, and how to tell it is whole.

Nothing else reads or writes that file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import hash_file, write_json
from synthtumour_bids.safe_files import read_file, read_json
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.card_fields import SCHEMA, card_fields
from synthtumour_bids.segmentation.checked_values import short
from synthtumour_bids.settings import STARTER, TEMPLATE

CARD = "model.json"
CHECKPOINT = "fold_0/checkpoint_best.pth"
# What is read of a network to segment with it.
NEEDED = (CARD, "dataset.json", "plans.json", CHECKPOINT)
CHECKED = ("dataset.json", "plans.json")  # by checksums of the card; the weights by its fingerprint
WEIGHTS = "weights.safetensors"  # of a bundle, a network to be handed on
BUNDLED = ("dataset.json", "plans.json", WEIGHTS)  # its files besides the card
MOST_BUNDLE_BYTES = 10_000_000  # of all of its files
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
    files
        SHA-256 of the files beside the card that it tells of; empty in cards of 0.1.0.
    calibration
        How far its answers can be trusted; ``None`` where that was not measured.
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
    files: Mapping[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None
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
                **({"Files": self.files} if self.files else {}),
                **({"Calibration": self.calibration.to_json()} if self.calibration else {}),
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
            content = read_json(folder, CARD, follow=True)
            card = cls(**card_fields(content, fingerprint))
        except _BAD as error:
            msg = (
                f"{path} is not the card of a network trained by synthtumour_bids "
                f"({error}). Train it again with --retrain, or name "
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
        if others := [name for name in CHECKED if not _is_told_of(folder / name, card)]:
            msg = (
                f"{folder / others[0]} is not the file that {path} tells of: its checksum is "
                "another. Copy the folder again from where it came, or train anew with --retrain."
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
            cannot be read, was written by a newer version or is of no starter.
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
            fingerprint = hashlib.sha256(files[WEIGHTS]).hexdigest()[:FINGERPRINT_DIGITS]
            card = cls(**card_fields(content, fingerprint))
            if card.fingerprint != fingerprint:
                raise ValueError(f"{WEIGHTS} does not have the fingerprint of {CARD}")
            if card.name != STARTER:
                raise ValueError(f"it calls itself {short(card.name)}, not {STARTER!r}")
        except KeyError as error:
            raise bundle_refusal(folder, f"{CARD} lacks {error}") from error
        except _BAD as error:
            raise bundle_refusal(folder, str(error)) from error
        return card, files


@dataclass(frozen=True)
class Model:
    """A trained network: what results call it, and its folder."""

    name: str
    folder: Path

    @property
    def card(self) -> ModelCard:
        """Its card; see ``ModelCard.read``."""
        return ModelCard.read(self.folder)


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of the files beside a card that it tells of."""
    return {name: hash_file(folder / name) for name in CHECKED}


def _is_told_of(path: Path, card: ModelCard) -> bool:
    wanted = card.files.get(path.name)
    return wanted is None or (path.is_file() and hash_file(path) == wanted)


def weights_fingerprint(folder: Path) -> str:
    """Hash of the weights in the folder of a network."""
    return hash_file(folder / CHECKPOINT)[:FINGERPRINT_DIGITS]


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds one network to be handed on, not those of a run.

    One without its weights is a bundle as well, so that these are missed and nothing else.
    """
    if os.path.lexists(folder / WEIGHTS):
        return True
    if os.path.lexists(folder / CHECKPOINT):
        return False
    try:
        return bool(read_json(folder, CARD, follow=True).get("Name") == STARTER)
    except ValueError:
        return False


def bundle_refusal(folder: Path, reason: str) -> UnavailableError:
    """Make the error that says why a bundle cannot be used, from a clause."""
    return UnavailableError(
        f"The network in {folder} cannot be used: {reason}. Copy the folder again from where it "
        "came, or install the package again; or leave --model out to train on your own scans."
    )
