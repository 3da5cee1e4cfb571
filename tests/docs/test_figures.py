"""The figures of README and documentation can be drawn from a finished demo."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("figures")


def ball(centre: tuple[float, float, float], radius: float) -> np.ndarray:
    grid = np.indices((30, 36, 12)).T - np.array(centre)
    return (np.linalg.norm(grid * (1, 1, 2), axis=-1) < radius).T


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """What is read of a demo with two patients, the second stored from right to left."""
    rows = ["participant_id\trole\tdice", "sub-control01\ttumourfree\tn/a"]
    for number, flip in ((1, 1.0), (2, -1.0)):
        subject, brain = f"sub-tumour0{number}", ball((15, 18, 6), 14)
        truth, mask = ball((10, 18, 6), 4), ball((11, 18, 6), 4 + number)
        rows.append(f"{subject}\ttumour\t0.{9 - number}")
        for dataset, name, values in (
            ("bids", "FLAIR", 50.0 * brain + 60.0 * truth),
            ("segmentations", "desc-brain_mask", brain),
            ("segmentations", "label-L_mask", mask),
            ("truth", "label-L_mask", truth),
        ):
            folder = tmp_path / dataset / subject / "anat"
            folder.mkdir(parents=True, exist_ok=True)
            stored = np.float32(values)[:: int(flip)]
            image = nib.Nifti1Image(stored, np.diag((2.0 * flip, 2.0, 4.0, 1.0)))
            nib.save(image, folder / f"{subject}_{name}.nii.gz")
    table = tmp_path / "segmentations" / "participants.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def test_patients_are_drawn_with_mask_and_truth(
    figures: ModuleType, demo: Path, tmp_path: Path
) -> None:
    found = figures.results(demo)
    assert [panel.title for panel in found] == ["Dice 0.80", "Dice 0.70"]
    assert figures.best(found).title == "the senior's mask (Dice 0.80, best of 2)"
    assert np.array_equal(found[0].truth, found[1].truth)  # both from left to right
    figures.save(tmp_path / "results.png", found)
    pixels = imread(tmp_path / "results.png")[..., :3]
    for style in (figures.MASK, figures.TRUTH):
        near = np.abs(pixels - to_rgb(style["colors"])).max(axis=-1) < 0.1
        assert np.count_nonzero(near) > 50
