"""The benchmarks of fabrication: what they make of a GAN, and their statistics."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator
from synthtumour_bids.synthesis.fabrication.gan_settings import SLOPPY
from synthtumour_bids.synthesis.fabrication.gan_state import GanState
from synthtumour_bids.synthesis.fabrication.realism import Reference
from synthtumour_bids.synthesis.fabrication.scans import make_scan
from tests.builders.fabrication_scans import SPACING, ball, brain_of, images_of

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LESIONS = np.random.default_rng(0).normal(size=(10, 2, 15))


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fabrication_arms

    return fabrication_arms


@pytest.fixture
def realism(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import fabrication_realism

    return fabrication_realism


def test_refined_samples_are_judged_and_the_verdicts_written(
    arms: ModuleType, tmp_path: Path
) -> None:
    state = GanState(1, 1, SLOPPY, torch.device("cpu"))
    state.record(1.0, (1.0,))
    gan = Fabricator.of(state)
    brain, image = brain_of(), images_of(brain_of(), 0, 1)
    classes = ball((11, 14, 12), 18.0).astype(np.uint8)
    scan, scale = make_scan([image[0]], brain, SPACING, "host", classes)
    host = arms.Labelled(SimpleNamespace(label="host", voxels=image[0]), scan, scale)
    samples = [arms.Sample(scan, host)] * 2
    kept = arms.refined(samples, gan, tmp_path)
    assert [one.host for one in kept] == [host, host], "an untrained network drops nothing"
    assert json.loads((tmp_path / "gan.json").read_text())["judged"] == 2
    assert (tmp_path / "refined.png").is_file()


def test_what_is_kept_is_compared_with_as_many_by_chance(realism: ModuleType) -> None:
    reference = Reference(LESIONS, np.ones((2, 15)))
    rng = np.random.default_rng(1)
    alike, others = rng.normal(size=(20, 2, 15)), rng.normal(1, size=(20, 2, 15))
    samples = np.concatenate([alike, others])
    good = np.arange(40) < 20
    assert realism.chance(reference, samples, good, 0) < 0.01
    assert realism.chance(reference, samples, ~good, 0) > 0.99
    assert realism.chance(reference, samples, np.arange(40) < 38, 0) is None
    gain, error = realism.nearer(reference, others, alike)
    assert gain > 5 * error > 0
    assert realism.nearer(reference, others, others) == (0, 0)
