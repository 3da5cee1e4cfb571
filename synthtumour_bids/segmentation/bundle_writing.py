"""Make a bundle of a trained network."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import torch
from safetensors.torch import save

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import replacing
from synthtumour_bids.segmentation.bundle import About
from synthtumour_bids.segmentation.model_card import (
    FINGERPRINT_DIGITS,
    MOST_BUNDLE_BYTES,
    WEIGHTS,
    Model,
    ModelCard,
)
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.segmentation.presence_file import IN_CARD
from synthtumour_bids.segmentation.trained_network import STORED, read_bundle, read_checkpoint
from synthtumour_bids.settings import STARTER


def bundle_name(card: ModelCard, version: str) -> str:
    """Name of the folder that the package has a bundle in.

    ``starter-flair-2mm-1.0`` is for gliomas, ``starter-stroke-dwi-2mm-1.0`` for what it names.
    """
    lesion = "" if card.lesion == "glioma" else f"{card.lesion}-"
    return f"starter-{lesion}{card.contrast.lower()}-{card.resolution:g}mm-{version}"


def write_bundle(
    model: Model, folder: Path, about: About, controls: Controls | None = None
) -> ModelCard:
    """Write a trained network as a bundle; its card comes last, and it is read again.

    Parameters
    ----------
    model
        What `training.train` made, with its card.
    folder
        Of the bundle, which must not be there yet; `bundle_name` gives its name.
    about
        What its users should know.
    controls
        What tumour-free heads look like to it; ``None``: scans get no p-value.

    Returns
    -------
    The card of the bundle.

    Raises
    ------
    UnavailableError
        When the network cannot be read, the bundle would be too large, half precision cannot hold
        its weights, or something is in the folder already.
    """
    if folder.exists():
        raise UnavailableError(f"{folder} is there already; remove it, or choose another version.")
    card, network = model.card, read_checkpoint(model.folder)
    halves = {name: weight.to(STORED).contiguous() for name, weight in network.weights.items()}
    if beyond := [name for name, one in halves.items() if not bool(torch.isfinite(one).all())]:
        raise UnavailableError(f"Half precision cannot hold the weights {', '.join(beyond)}.")
    files = {
        "plans.json": _json(network.plan.to_plans()),
        "dataset.json": _json(network.plan.to_description()),
        WEIGHTS: save(halves),
    }
    size = sum(map(len, files.values()))
    if size > MOST_BUNDLE_BYTES:
        raise UnavailableError(
            f"The bundle of {model.folder} would have {size / 1e6:.1f} MB, more than the "
            f"{MOST_BUNDLE_BYTES / 1e6:g} MB that it may have; train a smaller network."
        )
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    bundled = dataclasses.replace(
        card,
        name=STARTER,
        fingerprint=hashes[WEIGHTS][:FINGERPRINT_DIGITS],
        details={
            **card.details,
            **about.to_details(),
            "MirrorAxes": list(network.mirror_axes),
            **({IN_CARD: controls.to_json()} if controls else {}),
        },
        files=hashes,
    )
    for name, content in files.items():
        with replacing(folder / name) as partial:
            partial.write_bytes(content)
    bundled.write(folder)
    read_bundle(folder)
    return bundled


def _json(content: object) -> bytes:
    return json.dumps(content, indent=2).encode()
