"""Bundles to segment with: of untrained or trained networks, whole and damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation import starters
from synthtumour_bids.segmentation.bundle import ICBM_NOTICE, About, Figure
from synthtumour_bids.segmentation.bundle_writing import bundle_name, write_bundle
from synthtumour_bids.segmentation.model_card import CARD, CHECKPOINT, Model
from synthtumour_bids.segmentation.network_plan import NetworkPlan
from synthtumour_bids.segmentation.trained_network import build, read_network
from tests.builders.jobs import write_network
from tests.builders.plans import PLAN

DATA = "It learned from 12 simulated heads alone; no person was scanned."
ABOUT = About(
    version="1.0",
    data=DATA,
    notices=(ICBM_NOTICE,),
    figures=(Figure("Dice", "0.5", "python benchmarks/x.py"),),
    limits=("It was made for tests.",),
    intended_use="Tests, and nothing else.",
    measured=True,
)


def write_untrained(folder: Path, plan: NetworkPlan = PLAN, **card: Any) -> Path:
    """A network with random weights, in the files that a training leaves."""
    torch.manual_seed(3)
    checkpoint = {
        "network_weights": build(plan).state_dict(),
        "init_args": {"configuration": "3d_fullres", "fold": 0},
        "inference_allowed_mirroring_axes": (2,),
    }
    (folder / CHECKPOINT).parent.mkdir(parents=True)
    torch.save(checkpoint, folder / CHECKPOINT)
    (folder / "plans.json").write_text(json.dumps(plan.to_plans()))
    (folder / "dataset.json").write_text(json.dumps(plan.to_description()))
    return write_network(folder, **card)


def write_starter(root: Path, network: Path | None = None, **card: Any) -> Path:
    """A bundle in a folder of starters: of a trained network, or of an untrained one."""
    source = root / "source"
    if network is None:
        write_untrained(source, **card)
    else:
        shutil.copytree(network, source)
        write_network(source, **card)
    model = Model("senior", source)
    folder = root / "starters" / bundle_name(model.card, ABOUT.version)
    write_bundle(model, folder, ABOUT)
    shutil.rmtree(source)
    return folder


def write_only_starter(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle beside which there is no other, not even those of the package."""
    monkeypatch.setattr(starters, "SHIPPED", root / "none")
    bundle = write_starter(root / "more")
    monkeypatch.setenv(starters.VARIABLE, str(bundle.parent))
    return bundle


def change_card(folder: Path, **changes: Any) -> None:
    """Change fields of a bundle's card."""
    content = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**content, **changes}))


def put(folder: Path, name: str, data: bytes) -> None:
    """Put another file into a bundle, and make the card tell of it."""
    (folder / name).write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    files = json.loads((folder / CARD).read_text())["Files"]
    change_card(folder, Files={**files, name: digest})
    if name.endswith(".safetensors"):
        change_card(folder, Fingerprint=digest[:16])


def refused(folder: Path, words: str) -> None:
    with pytest.raises(UnavailableError, match=words) as caught:
        read_network(folder)
    message = str(caught.value)
    assert message.startswith(f"The network in {folder} cannot be used: ")
    assert "\n" not in message
    assert len(message) < 800
