"""Preflight: what is wrong with a scan is said in words, and what can be mended is mended."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.preprocessing import reading
from synthtumour_bids.preprocessing.preflight import MESSAGES, check, clean_values

SHAPE = (20, 24, 18)
RAS = np.diag([8.0, 8.0, 8.0, 1.0])  # thick, so that small arrays hold a head
ROTATION = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = ROTATION @ np.diag([5.0, 5.0, 6.0])
OBLIQUE[:3, 3] = (-50, -60, -40)
LAS = np.diag([-5.0, 5.0, 5.0, 1.0])
GOOD = np.diag([5.0, 5.0, 5.0, 1.0])


def values(shape=SHAPE, dtype=np.float32) -> np.ndarray:
    return np.random.default_rng(5).uniform(1, 100, shape).astype(dtype)


def write(tmp_path: Path, data=None, affine=GOOD, *, codes=(1, 1), name="a.nii.gz", edit=None):
    """Write a scan; `edit` changes its header."""
    image = nib.Nifti1Image(values() if data is None else data, affine)
    image.set_qform(affine, codes[0])
    image.set_sform(affine, codes[1])
    if edit:
        edit(image)
    path = tmp_path / name
    nib.save(image, path)
    return path


def patch(path: Path, offset: int, layout: str, *new) -> Path:
    """Change bytes of the header that nibabel would not write."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<" + layout, content, offset, *new)
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


def codes_of(preflight) -> list[str]:
    assert all(finding.severity == "warning" for finding in preflight.findings)
    return [finding.code for finding in preflight.findings]


def refused(path: Path) -> str:
    with pytest.raises(UnusableScanError) as info:
        check(path)
    message = str(info.value)
    assert message.startswith(f"{path} cannot be used. ")
    return message


def start_of(code: str) -> str:
    """The fixed first words of a message."""
    return MESSAGES[code].split("{")[0]


# ---------------------------------------------------------------------- good scans


@pytest.mark.parametrize("affine", [GOOD, LAS, OBLIQUE, np.diag([3.0, 4.0, 5.5, 1])])
@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 1), (0, 4)])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_sound_scans_have_no_findings_and_keep_their_grid(tmp_path, affine, codes, name):
    data = values((30, 24, 20))
    path = write(tmp_path, data, affine, codes=codes, name=name)
    preflight = check(path)
    assert codes_of(preflight) == []
    image = preflight.image
    assert image.get_data_dtype() == np.float32
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), data)
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == codes


def test_nifti_2_is_read(tmp_path):
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti2Image(values(), GOOD), path)
    assert codes_of(check(path)) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float64])
def test_all_real_types_are_read(tmp_path, dtype):
    data = values(dtype=dtype)
    preflight = check(write(tmp_path, data))
    assert codes_of(preflight) == []
    np.testing.assert_array_equal(preflight.image.get_fdata(), data.astype(np.float32))


def test_nothing_that_a_header_tells_of_a_person_goes_on(tmp_path):
    def tell(image):
        for field in ("descrip", "aux_file", "intent_name", "db_name"):
            image.header[field] = b"Jane Doe"
        image.header.extensions.append(
            nib.nifti1.Nifti1Extension("comment", b"Jane Doe, born 1960")
        )

    path = write(tmp_path, edit=tell)
    assert gzip.decompress(path.read_bytes()).count(b"Jane Doe") == 5
    assert b"Jane" not in check(path).image.to_bytes()


def test_the_scaling_of_the_header_is_applied(tmp_path):
    data = values(dtype=np.int16)
    path = write(tmp_path, data)
    patch(path, 112, "ff", 0.5, -3.0)  # scl_slope, scl_inter
    np.testing.assert_allclose(check(path).image.get_fdata(), data * 0.5 - 3)


def test_a_scaling_that_is_no_number_is_no_scaling(tmp_path):
    path = patch(write(tmp_path), 112, "ff", float("nan"), float("nan"))
    np.testing.assert_array_equal(check(path).image.get_fdata(), values())


def test_a_scaling_that_is_broken_is_refused(tmp_path):
    path = patch(write(tmp_path), 112, "ff", 2.0, float("inf"))
    assert "header is broken" in refused(path)


# ---------------------------------------------------------------------- file


def test_a_missing_file(tmp_path):
    assert reading.MISSING in refused(tmp_path / "a.nii.gz")


def test_a_link_to_content_that_was_not_fetched(tmp_path):
    path = tmp_path / "a.nii.gz"
    path.symlink_to("../.git/annex/objects/xx/MD5E-s1--1.nii.gz/MD5E-s1--1.nii.gz")
    assert f"datalad get {path}" in refused(path)


@pytest.mark.parametrize(
    ("content", "command"),
    [
        ("/annex/objects/MD5E-s1--1.nii.gz\n", "datalad get"),
        ("version https://git-lfs.github.com/spec/v1\noid x", "git lfs pull"),
    ],
)
def test_a_pointer_to_content_that_was_not_fetched(tmp_path, content, command):
    path = tmp_path / "a.nii.gz"
    path.write_text(content)
    assert command in refused(path)


def test_a_link_that_leads_somewhere_is_read(tmp_path):
    target = write(tmp_path)
    link = tmp_path / "link.nii.gz"
    link.symlink_to(target)
    assert codes_of(check(link)) == []


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.nii.gz", reading.EMPTY_FILE),
        (b"", "a.nii", reading.EMPTY_FILE),
        (b"hello" * 100, "a.nii.gz", reading.NOT_GZIP),
        (b"hello" * 100, "a.nii", reading.NOT_NIFTI),
        (gzip.compress(b"hello" * 100, mtime=0), "a.nii.gz", reading.NOT_NIFTI),
        (gzip.compress(b"hello" * 100, mtime=0)[:20], "a.nii.gz", reading.TRUNCATED.split("(")[0]),
    ],
)
def test_other_files(tmp_path, content, name, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert message in refused(path)


def test_a_folder(tmp_path):
    (tmp_path / "a.nii.gz").mkdir()
    assert reading.NOT_A_FILE in refused(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_truncated_file(tmp_path, name, fraction):
    path = write(tmp_path, name=name)
    content = path.read_bytes()
    path.write_bytes(content[: max(400, int(len(content) * fraction))])
    assert "damaged or incomplete" in refused(path)


def test_a_header_that_asks_for_too_much(tmp_path):
    path = patch(write(tmp_path), 42, "hhh", 30000, 30000, 30000)
    assert "header must be broken" in refused(path)


def test_a_header_with_an_unknown_data_type(tmp_path):
    path = patch(write(tmp_path), 70, "h", 7777)
    assert "header is broken" in refused(path)


# ---------------------------------------------------------------------- kind


@pytest.mark.parametrize("shape", [(*SHAPE, 1), (*SHAPE, 1, 1)])
def test_further_axes_of_length_one_are_dropped(tmp_path, shape):
    preflight = check(write(tmp_path, values(shape)))
    assert codes_of(preflight) == ["singleton_axes"]
    assert preflight.image.shape == SHAPE
    np.testing.assert_array_equal(preflight.image.get_fdata(), values(shape).reshape(SHAPE))


def test_a_series_is_refused(tmp_path):
    assert "3 volumes (shape 20×24×18×3)" in refused(write(tmp_path, values((*SHAPE, 3))))


def test_an_image_of_two_dimensions_is_refused(tmp_path):
    assert "2 dimensions" in refused(write(tmp_path, values((30, 30))))


def test_complex_and_colour_images_are_refused(tmp_path):
    assert "complex numbers" in refused(write(tmp_path, values().astype(np.complex64)))
    colours = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert "RGB" in refused(write(tmp_path, colours))


# ---------------------------------------------------------------------- grid


def test_an_orientation_that_is_a_guess_is_said(tmp_path):
    assert codes_of(check(write(tmp_path, codes=(0, 0)))) == ["no_orientation"]


def test_contradicting_forms_are_said_and_the_sform_is_used(tmp_path):
    shifted = GOOD.copy()
    shifted[0, 3] = 7

    preflight = check(write(tmp_path, edit=lambda image: image.set_qform(shifted, 1)))
    assert codes_of(preflight) == ["forms_differ"]
    assert "7.0 mm" in preflight.findings[0].message
    np.testing.assert_allclose(preflight.image.affine, GOOD)
    np.testing.assert_allclose(preflight.image.header.get_qform(), shifted)
    nearly = GOOD.copy()
    nearly[0, 3] = 0.3
    assert codes_of(check(write(tmp_path, edit=lambda i: i.set_qform(nearly, 1)))) == []


def test_a_form_that_is_not_in_use_contradicts_nothing(tmp_path):
    shifted = GOOD.copy()
    shifted[0, 3] = 7
    assert codes_of(check(write(tmp_path, edit=lambda image: image.set_qform(shifted, 0)))) == []


@pytest.mark.parametrize("zoom", [0.0, -5.0, float("nan"), float("inf")])
def test_impossible_voxel_sizes_are_refused(tmp_path, zoom):
    path = patch(write(tmp_path), 80, "f", zoom)
    assert start_of("bad_zooms") in refused(path)


def test_an_affine_without_inverse_is_refused(tmp_path):
    path = patch(write(tmp_path), 280, "ffff", 0, 0, 0, 0)  # srow_x
    assert start_of("bad_affine") in refused(path)


def test_an_affine_that_is_not_finite_is_refused(tmp_path):
    path = patch(write(tmp_path), 280, "f", float("nan"))
    assert start_of("bad_affine") in refused(path)


def test_voxel_sizes_that_are_not_the_affines_are_said(tmp_path):
    path = patch(write(tmp_path, codes=(0, 1)), 80, "f", 1.0)
    assert codes_of(check(path)) == ["zooms_differ"]


def test_a_sheared_affine_is_refused(tmp_path):
    sheared = GOOD.copy()
    sheared[0, 1] = 1
    assert start_of("sheared") in refused(write(tmp_path, affine=sheared, codes=(0, 1)))


def test_lengths_in_metres_are_taken_as_millimetres(tmp_path):
    preflight = check(write(tmp_path, edit=lambda image: image.header.set_xyzt_units("meter")))
    assert codes_of(preflight) == ["units"]
    assert preflight.image.header.get_xyzt_units()[0] == "mm"


def test_thick_slices_are_said(tmp_path):
    thick = np.diag([5.0, 5.0, 6.5, 1])
    preflight = check(write(tmp_path, affine=thick))
    assert codes_of(preflight) == ["thick_slices"]
    assert "6.5 mm" in preflight.findings[0].message


def test_small_fields_of_view(tmp_path):
    assert codes_of(check(write(tmp_path, values((30, 30, 15))))) == ["small_view"]
    assert "50 mm" in refused(write(tmp_path, values((30, 30, 9))))
    assert "only 7 slices" in refused(write(tmp_path, values((7, 30, 30)), np.diag([9, 5, 5, 1.0])))


# ---------------------------------------------------------------------- values


def test_few_broken_numbers_become_zero(tmp_path):
    data = values()
    data[0, 0, :3] = np.nan, np.inf, -np.inf
    preflight = check(write(tmp_path, data))
    assert codes_of(preflight) == ["non_finite"]
    assert preflight.findings[0].message.startswith("3 voxels")
    clean = preflight.image.get_fdata()
    assert np.isfinite(clean).all()
    assert (clean[0, 0, :3] == 0).all()
    np.testing.assert_array_equal(clean[1:], data[1:])


def test_many_broken_numbers_are_refused(tmp_path):
    data = values()
    data[5:15, 6:18, 5:13] = np.nan
    assert "11.1 % of the voxels" in refused(write(tmp_path, data))
    assert "100.0 % of the voxels" in refused(write(tmp_path, np.full(SHAPE, np.nan, np.float32)))


def test_images_of_nothing_are_refused(tmp_path):
    assert MESSAGES["empty"] in refused(write(tmp_path, np.zeros(SHAPE, np.int16)))
    assert "same value (7)" in refused(write(tmp_path, np.full(SHAPE, 7, np.int16)))
    mask = np.zeros(SHAPE, np.uint8)
    mask[5:9] = 1
    assert "this is a mask" in refused(write(tmp_path, mask))


def test_huge_values_are_brought_into_range(tmp_path):
    data = values() * 1e12
    preflight = check(write(tmp_path, data))
    assert codes_of(preflight) == ["rescaled"]
    np.testing.assert_allclose(preflight.image.get_fdata(), data * (1000 / data.max()), rtol=1e-5)
    assert codes_of(check(write(tmp_path, values().astype(np.float64) * 1e200))) == ["rescaled"]
    assert codes_of(check(write(tmp_path, values() * 1e-20))) == ["rescaled"]


def test_single_impossible_voxels_do_not_set_the_scale(tmp_path):
    data = values()
    data[3, 3, 3] = 3e38
    preflight = check(write(tmp_path, data))
    assert codes_of(preflight) == ["broken_voxels"]
    assert preflight.image.get_fdata().max() < 101


def test_the_given_array_is_not_changed():
    data = values()
    data[0, 0, 0] = np.nan
    before = data.copy()
    clean_values(data)
    np.testing.assert_array_equal(data, before)


def test_all_errors_are_told_at_once(tmp_path):
    path = write(tmp_path, np.zeros((7, 30, 30), np.int16))
    message = refused(path)
    assert "only 7 slices" in message
    assert "too small for a brain" in message
    assert MESSAGES["empty"] in message
