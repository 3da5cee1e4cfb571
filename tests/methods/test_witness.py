"""Which network tells whether there is a tumour."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.job import networks_in
from synthtumour_bids.layout import Network
from synthtumour_bids.methods.witness import Witness, find_witness
from synthtumour_bids.segmentation.bundle import MEASURED
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.segmentation.presence import FEWEST_PERSONS, Controls
from synthtumour_bids.segmentation.presence_file import IN_CARD, write_controls
from tests.builders.jobs import write_network

SHIPPED = Controls("simulated heads", {f"{n:04d}": float(n) for n in range(79)})
OWN = Controls("tumour-free scans", {f"raw/{n}": 0.0 for n in range(FEWEST_PERSONS)})


def witness(models: Path) -> Witness:
    return find_witness(models, {name: one.card for name, one in networks_in(models).items()})


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A starter that is the junior, and a senior."""
    details = {IN_CARD: SHIPPED.to_json(), MEASURED: True}
    write_network(tmp_path / Network.JUNIOR, "starter", details=details)
    write_network(tmp_path / Network.SENIOR)
    return tmp_path


def test_the_starter_tells_where_the_senior_was_not_calibrated(models: Path) -> None:
    assert witness(models) == Witness("junior", SHIPPED, beside=True, measured=True)
    senior = networks_in(models)[Network.SENIOR].card
    write_controls(models, senior, OWN)
    assert witness(models) == Witness("senior", OWN, measured=True)


@pytest.mark.parametrize("told", [{}, {MEASURED: False}, {MEASURED: True}, {MEASURED: "true"}])
def test_only_what_is_known_of_real_scans_may_empty_masks(
    tmp_path: Path, told: dict[str, object]
) -> None:
    """Whatever else the card says, or does not say."""
    details = {IN_CARD: SHIPPED.to_json(), "Limits": ["It is measured well."], **told}
    write_network(tmp_path, "starter", details=details)
    card = Model("starter", tmp_path).card
    assert find_witness(tmp_path, {"starter": card}) == Witness(
        "starter", SHIPPED, measured=told == {MEASURED: True}
    )


def test_a_senior_that_heads_calibrated_empties_nothing(tmp_path: Path) -> None:
    for network in Network:
        write_network(tmp_path / network, network)
    senior = networks_in(tmp_path)[Network.SENIOR].card
    write_controls(tmp_path, senior, SHIPPED)
    assert witness(tmp_path) == Witness("senior", SHIPPED)


def test_a_junior_that_was_trained_here_brings_nothing(tmp_path: Path) -> None:
    for network in Network:
        write_network(tmp_path / network, network)
    assert witness(tmp_path) == Witness("senior")


def test_a_calibration_that_cannot_be_used_is_named(models: Path) -> None:
    write_network(models / Network.JUNIOR, "starter", details={IN_CARD: {"Source": "nobody"}})
    with pytest.raises(UnavailableError, match=r"junior cannot be used \(model\.json: "):
        witness(models)


@pytest.mark.parametrize(("starter", "senior", "tells"), [(2.0, 1.0, True), (2.0, 4.0, False)])
def test_on_a_coarser_grid_than_its_own_a_starter_is_no_witness(
    tmp_path: Path, starter: float, senior: float, tells: bool
) -> None:
    details = {IN_CARD: SHIPPED.to_json(), MEASURED: False}
    write_network(tmp_path / Network.JUNIOR, "starter", details=details, resolution=starter)
    write_network(tmp_path / Network.SENIOR, resolution=senior)
    found = witness(tmp_path)
    assert (found.network == "junior") is tells
    assert not (tells and found.measured)
