"""Brain extraction: stripped scans, heads with skull, and doubts about the result."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.preprocessing import geometry, quality
from synthtumour_bids.preprocessing.bias import correct_bias, non_negative
from synthtumour_bids.preprocessing.brain import extract_brain
from synthtumour_bids.preprocessing.head_registration import cranium
from synthtumour_bids.preprocessing.stripped import stripped_mask
from synthtumour_bids.preprocessing.templates import (
    load_head_template,
    standard_brain,
    standard_tissues,
)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture(scope="module")
def template():
    return load_head_template("embedded")


@pytest.fixture(scope="module")
def head(template):
    """The embedded head, smaller, turned and shaded, on an anisotropic LPS grid; its brain."""
    turn = np.radians(8)
    world = np.eye(4)
    world[:3, :3] = 0.94 * np.array(
        [[1, 0, 0], [0, np.cos(turn), -np.sin(turn)], [0, np.sin(turn), np.cos(turn)]]
    )
    world[:3, 3] = (6, -9, 12)
    affine = np.diag([-3.0, -3.0, 4.0, 1.0])
    affine[:3, 3] = (105, 125, -85)
    shape = (68, 82, 52)
    to_model = np.linalg.inv(world) @ affine
    signal, brain = (
        geometry.resample(image.get_fdata(), image.affine, shape, to_model)
        for image in (template.head, template.brain)
    )
    rng = np.random.default_rng(3)
    shading = 1 + 0.3 * np.linspace(-1, 1, shape[1])[None, :, None]
    data = np.abs(300 * signal * shading + rng.normal(0, 8, shape))
    return nib.Nifti1Image(data.astype(np.float32), affine), brain > 0.5


def test_brain_of_a_head(head, template, tmp_path):
    image, truth = head
    found = extract_brain(image, lambda: template, work_dir=tmp_path, seed=1, sloppy=True)
    assert not found.already_stripped
    assert found.mask.shape == image.shape
    assert found.mask.dtype == bool
    assert found.template == template.name
    assert dice(found.mask, truth) > 0.93
    assert found.flags == ()
    assert list(tmp_path.iterdir()) == []


def test_stripped_scan_keeps_its_mask(head, template, tmp_path):
    image, truth = head
    data = np.where(truth, image.get_fdata() + 1, 0).astype(np.float32)
    scan = nib.Nifti1Image(data, image.affine)
    found = extract_brain(scan, lambda: template, work_dir=tmp_path, seed=1)
    assert found.already_stripped
    assert found.template == ""
    assert dice(found.mask, truth) > 0.999


def test_skip_takes_any_scan_as_stripped(head, template, tmp_path):
    image, _ = head
    found = extract_brain(image, lambda: template, mode="skip", work_dir=tmp_path, seed=1)
    assert found.already_stripped
    assert "brain_volume_high" in found.flags


def test_stripped_is_told_by_background_and_volume():
    spacing = np.full(3, 4.0)
    brain = standard_tissues(4)["brain"]
    assert np.array_equal(stripped_mask(np.where(brain, 5.0, 0.0), spacing), brain)
    # Some tools leave a negative constant around a brain of mean zero.
    assert np.array_equal(stripped_mask(np.where(brain, 0.0, -3.0), spacing), brain)
    whole = ndimage.binary_dilation(brain, iterations=4)
    assert stripped_mask(np.where(whole, 5.0, 0.0), spacing) is None
    noise = np.random.default_rng(0).random(brain.shape)
    assert stripped_mask(noise, spacing) is None
    assert stripped_mask(np.zeros(brain.shape), spacing) is None


def test_bias_is_divided_out():
    image = standard_brain(4)
    brain = standard_tissues(4)["brain"]
    shading = np.exp(0.4 * np.linspace(-1, 1, image.shape[1]))[None, :, None]
    shaded = nib.Nifti1Image((image.get_fdata() * shading).astype(np.float32), image.affine)
    corrected = correct_bias(shaded, brain)
    white = standard_tissues(4)["wm"] > 0.95
    before = shaded.get_fdata()[white]
    after = corrected[white]
    assert after.std() / after.mean() < 0.4 * before.std() / before.mean()
    assert np.all(corrected[~(shaded.get_fdata() > 0)] == 0)


def test_centred_signals_are_raised_and_ringing_is_cut():
    rng = np.random.default_rng(0)
    centred = rng.normal(0, 1, (20, 20, 20))
    raised = non_negative(centred)
    assert raised.min() == 0
    assert np.corrcoef(raised.ravel(), centred.ravel())[0, 1] > 0.99
    ringing = np.abs(rng.normal(100, 20, (20, 20, 20)))
    ringing[:2] = -3
    assert np.array_equal(non_negative(ringing), np.maximum(ringing, 0).astype(np.float32))


def test_cranium_is_measured_from_the_crown():
    shape, affine = (80, 90, 90), np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = (-120, -135, -135)
    x, y, z = (affine[i, 3] + 3 * np.arange(n) for i, n in enumerate(shape))
    skull = (
        (x[:, None, None] - 6) ** 2 + (y[None, :, None] + 9) ** 2 + z[None, None, :] ** 2
    ) <= 90**2
    neck = ((x[:, None, None] - 6) ** 2 + (y[None, :, None] - 40) ** 2 < 50**2) & (
        z[None, None, :] < -60
    )
    pivot, radius = cranium(skull | neck, affine)
    assert np.allclose(pivot, (6, -9, 20), atol=6)
    assert radius == pytest.approx(90, abs=4)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"brain_volume_mL": 1400.0, "brain_thin_part": 0.05}, ()),
        ({"brain_volume_mL": 700.0}, ("brain_volume_low",)),
        ({"brain_volume_mL": 2600.0}, ("brain_volume_high",)),
        ({"brain_thin_part": 0.4}, ("brain_shape_unlikely",)),
        ({"standard_overlap": 0.7}, ("brain_shape_unlikely",)),
        ({"standard_symmetry": 0.7}, ("brain_shape_unlikely",)),
        ({"registration_information": 0.05}, ("registration_poor",)),
        ({}, ()),
    ],
)
def test_flags(figures, expected):
    assert quality.flags(figures) == expected


def test_bridges_make_a_brain_thin():
    brain, spacing = standard_tissues(2)["brain"], np.full(3, 2.0)
    whole = quality.mask_quality(brain, spacing)
    shell = brain & ~ndimage.binary_erosion(brain, iterations=4)
    assert whole["brain_thin_part"] < 0.05
    assert quality.mask_quality(shell, spacing)["brain_thin_part"] > 0.9
    assert quality.mask_quality(np.zeros_like(brain), spacing) == {"brain_volume_mL": 0.0}
