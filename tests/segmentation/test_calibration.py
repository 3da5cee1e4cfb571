"""What a card tells of a network's calibration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.expected_dice import FEWEST, DiceLine, fit_line
from synthtumour_bids.segmentation.model_card import CARD, ModelCard
from synthtumour_bids.segmentation.reliability import PICTURE, reliability, write_picture
from synthtumour_bids.segmentation.uncertainty import sure_share
from tests.builders.jobs import write_network
from tests.builders.training import CALIBRATION


def test_reliability_compares_what_is_said_with_what_is_seen(tmp_path: Path) -> None:
    said = np.array([0.0, 0.04, 0.5, 0.5, 1.0])
    found = reliability(said, np.array([False, False, True, False, True]))
    assert (found.said, found.seen, found.voxels) == ((0.02, 0.5, 1.0), (0, 0.5, 1), (2, 2, 1))
    assert found.error == pytest.approx(2 * 0.02 / 5)
    write_picture({"one": found}, tmp_path, "mixes")
    assert (tmp_path / PICTURE).stat().st_size > 1000


def test_the_line_finds_what_sureness_says_and_its_interval_holds_it() -> None:
    rng = np.random.default_rng(0)

    def draw(count: int) -> tuple[list[float], list[float]]:
        shares = rng.uniform(0.2, 1, count)
        return shares.tolist(), (0.1 + 0.8 * shares + rng.normal(0, 0.03, count)).tolist()

    line = fit_line(*draw(60))
    assert line is not None
    assert (line.intercept, line.sure) == pytest.approx((0.1, 0.8), abs=0.05)
    shares, dice = draw(400)
    estimates = [found for found in map(line.at, shares) if found is not None]
    assert len(estimates) == 400
    held = np.mean([one.low <= d <= one.high for one, d in zip(estimates, dice, strict=True)])
    assert 0.82 < held < 0.98
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in estimates)
    assert fit_line(*draw(FEWEST - 1)) is None
    stored = json.loads(json.dumps(line.to_json()))
    assert DiceLine.from_json(stored).sure == pytest.approx(line.sure, abs=1e-5)


@pytest.mark.parametrize("count", range(FEWEST, 101))
def test_the_interval_holds_nine_of_ten_with_the_next_one_counted(count: int) -> None:
    dice = np.random.default_rng(count).uniform(size=count)
    line = fit_line([0.8] * count, dice.tolist())
    assert line is not None
    errors = [abs(np.median(np.delete(dice, n)) - dice[n]) for n in range(count)]
    ranks = range(1, count + 1)
    fewest = next((rank for rank in ranks if 10 * rank >= 9 * (count + 1)), count)
    assert sum(error <= line.margin for error in errors) == fewest


def test_tumours_that_were_lost_do_not_bend_the_line() -> None:
    shares = np.linspace(0.5, 0.95, 24)
    dice = shares - 0.05
    line = fit_line(shares.tolist(), np.where(np.arange(24) % 5 == 2, 0.2, dice).tolist())
    assert line is not None
    for share in (0.5, 0.7, 0.95):
        found = line.at(share)
        assert found is not None
        assert found.value == pytest.approx(share - 0.05, abs=0.04)
    assert line.margin > 0.2, "but the interval knows of them"


@pytest.mark.parametrize("width", [0, 1e-9, 0.01])
def test_masks_that_are_alike_tell_no_slope(width: float) -> None:
    rng = np.random.default_rng(1)
    shares, dice = 0.8 + width * rng.uniform(-1, 1, FEWEST), rng.uniform(0.6, 0.9, FEWEST)
    line = fit_line(shares.tolist(), dice.tolist())
    assert line is not None
    assert abs(line.sure) < 1
    found = line.at(0.8)
    assert found is not None
    assert found.value == pytest.approx(np.median(dice), abs=0.02)


def test_a_line_of_before_is_kept_as_it_is_and_tells_nothing() -> None:
    stored = {
        "Intercept": 0.1, "Same": 0.5, "Grown": 0.1, "Shrunk": 0.2, "Margin": 0.12, "Masks": 12
    }  # fmt: skip
    line = DiceLine.from_json(stored)
    assert line.at(0.9) is None
    assert line.to_json() == stored, "prints of what is finished stay"
    with pytest.raises(ValueError, match="Grown"):
        DiceLine.from_json({key: value for key, value in stored.items() if key != "Grown"})


def test_a_network_is_sure_of_a_share_of_what_it_marked_itself() -> None:
    probability = np.array([[[0.95, 0.9, 0.6, 0.2]]])
    mask = np.ones(probability.shape, bool)
    assert sure_share(probability, mask) == pytest.approx(2 / 3), "what it encloses has no say"
    assert sure_share(probability, ~mask) is None


def test_a_card_keeps_it_and_a_card_of_before_has_none(tmp_path: Path) -> None:
    folder = write_network(tmp_path / "senior")
    assert ModelCard.read(folder).calibration is None
    write_network(folder, calibration=CALIBRATION)
    assert ModelCard.read(folder).calibration == CALIBRATION
    assert "Calibration" not in ModelCard.read(folder).details


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("Temperature",), 0, "Temperature is 0"),
        (("Temperature",), "2", "Temperature is '2'"),
        (("Origin",), ["mixes"], "Origin is"),
        (("Cases",), -1, "Cases is -1"),
        (("Reliability",), [], "Reliability is missing or no object"),
        (("Reliability", "After", "Voxels"), [1] * 11, "not a list of 10"),
        (("Reliability", "Before", "TumourShare"), [2.0, 0, 0], "TumourShare is 2.0"),
        (("ExpectedDice", "Margin"), None, "Margin is None"),
        (("ExpectedDice", "Same"), 1e9, "Same is 1000000000.0"),
        (("ExpectedDice",), 3, "ExpectedDice is missing or no object"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused(
    tmp_path: Path, place: tuple[str, ...], value: Any, words: str
) -> None:
    folder = write_network(tmp_path / "senior", calibration=CALIBRATION)
    content = json.loads((folder / CARD).read_text())
    part = content["Calibration"]
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    (folder / CARD).write_text(json.dumps(content))
    with pytest.raises(UnavailableError, match="is not the card of a network") as refused:
        ModelCard.read(folder)
    assert words in str(refused.value)


def test_what_is_told_is_read_again() -> None:
    assert Calibration.from_json(CALIBRATION.to_json()) == CALIBRATION
