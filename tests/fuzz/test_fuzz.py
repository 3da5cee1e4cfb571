"""Whatever a file holds that a user gives, it is used, or refused with a sentence.

``FUZZ_EXAMPLES=6000 python -m pytest tests/fuzz`` tries a hundred times as much.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthtumour_bids.bids.filters import read_filters
from synthtumour_bids.bids.roles import assign_roles, tumourfree_subjects
from synthtumour_bids.errors import SynthTumourError
from synthtumour_bids.preprocessing.preflight import check
from synthtumour_bids.safe_files import parse_json
from synthtumour_bids.segmentation.model_card import CARD, ModelCard
from synthtumour_bids.segmentation.network_plan import NetworkPlan
from synthtumour_bids.settings import Settings
from synthtumour_bids.synthesis.priors import load_priors
from tests.builders.jobs import write_network
from tests.builders.plans import PLAN
from tests.fuzz.mutations import changed_bytes, changed_document

# Examples share a folder; how long one takes hangs on the machine.
many = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
HEADER = 352  # bytes
FILTERS = {"flair": {"acquisition": "3D", "run": None}, "tumour": {"suffix": ["FLAIR", "T2w"]}}
TABLE = "participant_id\tage\tgroup\nsub-01\t40\tcontrol\nsub-02\tn/a\tglioma\nsub-03\t61\tHC\n"
PRIORS = json.loads(
    (resources.files("synthtumour_bids") / "data" / "priors" / "glioma.json").read_text("utf-8")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def scan() -> bytes:
    rng = np.random.default_rng(0)
    image = nib.Nifti1Image(rng.normal(100, 20, (12, 12, 12)).astype(np.float32), np.eye(4) * 14)
    image.set_qform(image.affine, 1)
    image.header.set_xyzt_units("mm")
    return image.to_bytes()


SCAN = scan()


def survives(function: Callable[..., Any], *arguments: Any) -> None:
    """A sentence is all that may come instead of an answer."""
    sentence = ""
    try:
        function(*arguments)
    except SynthTumourError as error:
        sentence = str(error)
    assert not sentence or sentence.rstrip().endswith((".", ")")), sentence


@many
@given(content=changed_bytes(SCAN, HEADER), compressed=st.booleans())
def test_headers(folder: Path, content: bytes, compressed: bool) -> None:
    path = folder / ("sub-01_FLAIR.nii.gz" if compressed else "sub-01_FLAIR.nii")
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    survives(check, path)


@many
@given(content=changed_bytes(gzip.compress(SCAN, 1)))
def test_compressed_files(folder: Path, content: bytes) -> None:
    path = folder / "sub-02_FLAIR.nii.gz"
    path.write_bytes(content)
    survives(check, path)


@many
@given(content=changed_bytes(TABLE.encode()) | st.text().map(lambda text: text.encode("utf-16")))
def test_participants(folder: Path, content: bytes) -> None:
    (folder / "participants.tsv").write_bytes(content)
    run, subjects = Settings(folder, folder / "out"), ("01", "02", "03")
    survives(assign_roles, folder, subjects, run)
    survives(tumourfree_subjects, folder, subjects, run)


@many
@given(content=changed_document(FILTERS) | changed_bytes(json.dumps(FILTERS).encode()))
def test_filters(folder: Path, content: bytes) -> None:
    path = folder / "filters.json"
    path.write_bytes(content)
    survives(read_filters, path)


@many
@given(content=changed_document(PRIORS) | changed_bytes(json.dumps(PRIORS).encode()))
def test_priors(folder: Path, content: bytes) -> None:
    path = folder / "priors.json"
    path.write_bytes(content)
    survives(load_priors, "glioma", "FLAIR", path)


@pytest.fixture(scope="module")
def card(folder: Path) -> dict[str, Any]:
    network = write_network(folder / "network")
    return {"folder": network, "content": json.loads((network / CARD).read_text())}


@many
@given(data=st.data())
def test_cards(card: dict[str, Any], data: st.DataObject) -> None:
    content = card["content"]
    changes = changed_document(content) | changed_bytes(json.dumps(content).encode())
    (card["folder"] / CARD).write_bytes(data.draw(changes))
    survives(ModelCard.read, card["folder"])


@many
@given(plans=changed_document(PLAN.to_plans()), description=changed_document(PLAN.to_description()))
def test_plans(plans: bytes, description: bytes) -> None:
    """What is caught here becomes a sentence where a network is read."""
    with suppress(ValueError, LookupError, TypeError, AttributeError):
        NetworkPlan.from_nnunet(*(parse_json(data, "x") for data in (plans, description)))


@pytest.mark.parametrize("depth", [100, 100_000])
@pytest.mark.parametrize("start", ["[", '{"flair":'])
def test_deep_documents(folder: Path, start: str, depth: int) -> None:
    path = folder / "deep.json"
    path.write_text(start * depth)
    for read in (read_filters, lambda path: load_priors("glioma", "FLAIR", path)):
        with pytest.raises(SynthTumourError, match="inside one another"):
            read(path)
