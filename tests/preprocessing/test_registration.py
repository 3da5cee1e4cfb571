"""Coordinates, the way to the standard grid and back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.preprocessing import ants_images, geometry, registration
from synthtumour_bids.preprocessing.registration import carry_to_native, preprocess
from synthtumour_bids.preprocessing.templates import (
    load_head_template,
    standard_brain,
    standard_tissues,
)


def oblique(degrees: float, sizes: tuple[float, float, float], codes: str) -> np.ndarray:
    """Affine with turned axes, the voxel sizes and the axis directions given."""
    a = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    axes = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(tuple(codes)), (1, 1, 1))
    affine = np.eye(4)
    affine[:3, :3] = about_x @ about_z @ np.linalg.inv(axes[:3, :3]) @ np.diag(sizes)
    affine[:3, 3] = (31.0, -17.5, 8.25)
    return affine


GRIDS = [
    oblique(0, (1, 1, 1), "RAS"),
    oblique(0, (0.9, 0.9, 5.5), "LAS"),
    oblique(17, (0.7, 1.3, 3.0), "LPS"),
    oblique(-25, (2.0, 1.0, 1.5), "PIR"),
]


@pytest.mark.parametrize("affine", GRIDS)
def test_ants_sees_every_voxel_where_nibabel_does(affine):
    data = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    image = ants_images.to_ants(data, affine)
    for index in ((0, 0, 0), (4, 0, 2), (1, 5, 6)):
        ras = (affine @ np.array([*index, 1]))[:3]
        point = ants.transform_index_to_physical_point(image, index)
        assert np.allclose(np.array(point) * (-1, -1, 1), ras, atol=1e-4)
    back = ants_images.from_ants(image)
    assert np.allclose(back.affine, affine, atol=1e-5)
    assert np.array_equal(back.get_fdata(dtype=np.float32), data)


def test_sheared_grid_is_refused():
    affine = np.eye(4)
    affine[0, 1] = 0.2
    with pytest.raises(UnusableScanError, match="sheared by"):
        ants_images.to_ants(np.zeros((3, 3, 3)), affine)


@pytest.mark.parametrize("affine", GRIDS)
def test_isotropic_grid_covers_the_field_of_view(affine):
    shape = (20, 24, 9)
    new_shape, new_affine = geometry.isotropic_grid(shape, affine, 2.0)
    assert np.allclose(geometry.voxel_sizes(new_affine), 2)
    for grid_shape, grid in ((shape, affine), (new_shape, new_affine)):
        corner = grid @ np.array([-0.5, -0.5, -0.5, 1])
        assert np.allclose(corner, affine @ np.array([-0.5, -0.5, -0.5, 1]))
        assert np.all(
            np.array(grid_shape) * geometry.voxel_sizes(grid)
            >= np.array(shape) * geometry.voxel_sizes(affine) - 1e-2
        )


def test_resampling_keeps_a_ramp():
    affine = oblique(12, (1.0, 1.5, 2.0), "LAS")
    shape = (30, 24, 20)
    world = np.einsum("ij,jxyz->ixyz", affine[:3, :3], np.indices(shape))
    ramp = world[0] + affine[0, 3] + 2 * (world[2] + affine[2, 3])
    new_shape, new_affine = geometry.isotropic_grid(shape, affine, 3.0)
    moved = geometry.resample(ramp, affine, new_shape, new_affine)
    world = np.einsum("ij,jxyz->ixyz", new_affine[:3, :3], np.indices(new_shape))
    expected = world[0] + new_affine[0, 3] + 2 * (world[2] + new_affine[2, 3])
    inner = (slice(3, -3),) * 3
    assert np.allclose(moved[inner], expected[inner], atol=0.05)


@settings(max_examples=20, deadline=None)
@given(arrays(bool, (7, 6, 5)), st.floats(0, 9))
def test_near_a_mask_is_what_distances_say(mask, reach):
    spacing = (1.0, 0.7, 2.5)
    expected = mask
    if mask.any():
        expected = ndimage.distance_transform_edt(~mask, sampling=spacing) <= reach
    assert np.array_equal(geometry.near(mask, spacing, reach), expected)


def test_bounding_box_and_its_affine():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[3:5, 4, 6:8] = True
    box = geometry.bounding_box(mask, margin=1)
    assert box == (slice(2, 6), slice(3, 6), slice(5, 9))
    moved = geometry.cropped_affine(np.diag([2.0, 2, 2, 1]), box)
    assert np.allclose(moved[:3, 3], (4, 6, 10))


@pytest.fixture(scope="module")
def stripped():
    """The standard brain, smaller and turned, on an oblique anisotropic LAS grid."""
    affine = oblique(10, (3.0, 3.0, 4.0), "LAS")
    shape = (56, 66, 44)
    centre = affine[:3, :3] @ (np.array(shape) / 2)
    affine[:3, 3] = np.array([4, -8, 6]) - centre
    world = np.diag([0.95, 0.9, 0.97, 1.0])
    world[:3, 3] = (5, 12, -9)
    to_standard = np.linalg.inv(world) @ affine
    template = standard_brain(2)
    data = geometry.resample(template.get_fdata(), template.affine, shape, to_standard)
    brain = standard_tissues(2)["brain"].astype(float)
    mask = geometry.resample(brain, template.affine, shape, to_standard) > 0.5
    # FLAIR-like order of the tissues: fluid dark, grey above white matter.
    signal = 200 * np.where(data > 0.75, 0.9, data * 1.3)
    return nib.Nifti1Image(np.where(mask, signal + 5, 0).astype(np.float32), affine)


@pytest.fixture(scope="module")
def preprocessed(stripped, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return preprocess(
        stripped,
        template=partial(load_head_template, "embedded"),
        resolution=4,
        work_dir=work,
        seed=527,
        sloppy=True,
    )


def test_brain_lands_on_the_standard_brain(preprocessed):
    standard = standard_tissues(4)["brain"]
    assert preprocessed.already_stripped
    assert preprocessed.flags == ()
    assert preprocessed.standard.shape == standard.shape
    assert np.allclose(preprocessed.standard.affine, standard_brain(4).affine)
    assert preprocessed.qc["standard_overlap"] > 0.95
    data, mask = preprocessed.standard.get_fdata(), preprocessed.standard_mask.get_fdata() > 0
    assert data.min() >= 0
    assert np.all(data[~mask] == 0)
    assert preprocessed.standard.get_data_dtype() == np.float32


def test_native_grid_is_kept(preprocessed, stripped):
    for image in (preprocessed.native, preprocessed.native_mask):
        assert image.shape == stripped.shape
        assert np.allclose(image.affine, stripped.affine)
    assert preprocessed.native.get_data_dtype() == np.float32


def test_only_the_transform_is_left(preprocessed):
    assert list(preprocessed.transform.parent.iterdir()) == [preprocessed.transform]


def test_there_and_back_is_within_half_a_voxel(preprocessed, stripped):
    blob = np.zeros(stripped.shape, dtype=np.float32)
    index = np.array([30, 35, 24])
    blob[tuple(index)] = 1
    blob = ndimage.gaussian_filter(blob, 2.0)
    moved = ants.apply_transforms(
        ants_images.image_to_ants(standard_brain(4)),
        ants_images.to_ants(blob, stripped.affine),
        [str(preprocessed.transform)],
    )
    back = carry_to_native(ants_images.from_ants(moved), preprocessed.transform, stripped)
    assert back.shape == stripped.shape
    assert back.dtype == np.float32
    assert np.allclose(ndimage.center_of_mass(back), index, atol=0.5)


def shifted(folder: Path, millimetres: float) -> Path:
    """An affine transform that moves along the first axis."""
    path = folder / "shift.mat"
    shift = ants.create_ants_transform(
        "AffineTransform", dimension=3, translation=(millimetres, 0, 0)
    )
    ants.write_transform(shift, str(path))
    return path


@pytest.mark.parametrize("millimetres", [0.0, -37.5, 60.0, 600.0])
def test_the_part_that_a_map_reaches_is_all_that_it_reaches(stripped, tmp_path, millimetres):
    standard = standard_brain(4)
    values = np.where(standard.get_fdata() > 0.8, standard.get_fdata(), 0).astype(np.float32)
    probability = nib.Nifti1Image(values, standard.affine)
    transform = shifted(tmp_path, millimetres)
    whole = ants.apply_transforms(
        ants_images.image_to_ants(stripped),
        ants_images.image_to_ants(probability),
        [str(transform)],
        whichtoinvert=[True],
    ).numpy()
    assert whole.any() == (millimetres < 600)
    assert np.allclose(carry_to_native(probability, transform, stripped), whole, atol=1e-5)


def test_a_brain_moved_off_the_template_is_an_error_that_helps(stripped, tmp_path, monkeypatch):
    def astray(*_, **__):
        return shifted(tmp_path, 600), 0.0

    monkeypatch.setattr(registration, "_register", astray)
    brain = nib.Nifti1Image((stripped.get_fdata() > 0).astype(np.uint8), stripped.affine)
    with pytest.raises(UnusableScanError, match=r"out of the template grid.*--derivatives"):
        preprocess(
            stripped,
            template=load_head_template("embedded"),
            resolution=4,
            brain_mask=brain,
            work_dir=tmp_path,
            seed=1,
            sloppy=True,
        )


def test_same_seed_gives_the_same_transform(preprocessed, stripped, tmp_path):
    again = preprocess(
        stripped,
        template=partial(load_head_template, "embedded"),
        resolution=4,
        work_dir=tmp_path,
        seed=527,
        sloppy=True,
    )
    corners = np.array([[x, y, z] for x in (-70, 70) for y in (-100, 70) for z in (-50, 80)])
    first, second = (
        np.array([ants.read_transform(str(p.transform)).apply_to_point(c) for c in corners])
        for p in (preprocessed, again)
    )
    # Several threads add the metric up in varying order: equal to a part of a 4 mm voxel only.
    assert np.abs(first - second).max() < 1.0


def test_user_s_mask_is_used(stripped, tmp_path):
    mask = stripped.get_fdata() > 0
    mask[: mask.shape[0] // 2] = False
    given = nib.Nifti1Image(mask.astype(np.uint8), stripped.affine)
    result = preprocess(
        stripped,
        template=partial(load_head_template, "embedded"),
        resolution=4,
        brain_mask=given,
        work_dir=tmp_path,
        seed=1,
        sloppy=True,
    )
    assert np.array_equal(result.native_mask.get_fdata() > 0, mask)
    assert "given" in result.method
    assert "brain_volume_low" in result.flags


@pytest.mark.parametrize(
    ("voxels", "sentence"),
    [
        ((), r"--derivatives\) is empty"),
        ((slice(28, 29), slice(33, 34), slice(22, 23)), r"found 0\.036 mL of it.*--derivatives"),
    ],
)
def test_a_mask_without_a_brain_is_an_error_that_helps(stripped, tmp_path, voxels, sentence):
    mask = np.zeros(stripped.shape, dtype=np.uint8)
    if voxels:
        mask[voxels] = 1
    with pytest.raises(UnusableScanError, match=sentence):
        preprocess(
            stripped,
            template=partial(load_head_template, "embedded"),
            resolution=4,
            brain_mask=nib.Nifti1Image(mask, stripped.affine),
            work_dir=tmp_path,
            seed=1,
        )


def test_a_mask_of_the_whole_field_of_view_is_told_of(stripped):
    everything = nib.Nifti1Image(np.ones(stripped.shape, np.uint8), stripped.affine)
    assert "brain_volume_high" in registration._given_mask(stripped, everything).flags
