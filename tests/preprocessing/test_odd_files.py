"""Files that NIfTI allows and tools write, and files that are damaged."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.preprocessing.padding import without_fills
from synthtumour_bids.preprocessing.preflight import check
from synthtumour_bids.preprocessing.reading import (
    UnreadableError,
    open_header,
    open_scan,
    read_volume,
)
from synthtumour_bids.preprocessing.stripped import has_skull, stripped_mask
from synthtumour_bids.settings import Role
from synthtumour_bids.steps.memory import memory_gb

SHAPE = (40, 48, 40)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
ROOM = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in SHAPE), indexing="ij"))


def ball(radius_mm: float, spacing: tuple[float, ...] = (4.0, 4.0, 4.0)) -> np.ndarray:
    steps = np.array(spacing).reshape(3, 1, 1, 1)
    return np.linalg.norm(ROOM * steps, axis=0) < radius_mm


def scan_values(seed: int = 0) -> np.ndarray:
    """A head: air with noise, and brain."""
    noise = np.random.default_rng(seed).normal(0, 3, SHAPE)
    return np.abs(noise) + np.where(ball(70), 300 + 10 * noise, 0)


def saved(path: Path, values: np.ndarray, kind=nib.Nifti1Image, dtype=np.float32) -> Path:
    image = kind(values.astype(dtype), AFFINE)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def codes(path: Path) -> list[str]:
    return [finding.code for finding in check(path).findings]


# ---------------------------------------------------------------------- headers


@pytest.mark.parametrize("size", [0, 600, 5000, 300_000])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_header_extensions_of_any_size(tmp_path: Path, size: int, extension: str, kind) -> None:
    image = kind(scan_values().astype(np.float32), AFFINE)
    for _ in range(2):
        image.header.extensions.append(nib.nifti1.Nifti1Extension(4, b"x" * size))
    path = tmp_path / f"scan{extension}"
    nib.save(image, path)
    assert check(path).image.shape == SHAPE
    assert open_header(path).get_data_shape() == SHAPE


def with_extension(path: Path, kind, extension: bytes, offset: int | None) -> Path:
    """A single file with so many raw bytes between header and voxels."""
    saved(path, scan_values(), kind)
    content = bytearray(path.read_bytes())
    first = kind.header_class.single_vox_offset
    content[first - 4] = int(bool(extension))
    content[first:first] = extension
    field, form = (108, "<f") if kind is nib.Nifti1Image else (168, "<q")
    struct.pack_into(form, content, field, first + len(extension) if offset is None else offset)
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize(
    "extension",
    [struct.pack("<ii", 48, 6) + b"x" * 40 + bytes(112), struct.pack("<ii", 0, 0) + bytes(40)],
)
def test_zeros_between_extensions_and_voxels_are_no_extension(
    tmp_path: Path, kind, extension: bytes
) -> None:
    path = with_extension(tmp_path / "scan.nii", kind, extension, None)
    np.testing.assert_allclose(check(path).image.get_fdata(), scan_values(), rtol=1e-5)


@pytest.mark.parametrize("size", [1000, -16, 3])
def test_an_extension_that_cannot_be_is_told(tmp_path: Path, size: int) -> None:
    extension = struct.pack("<ii", size, 6) + bytes(40)
    path = with_extension(tmp_path / "scan.nii", nib.Nifti1Image, extension, None)
    with pytest.raises(UnusableScanError, match=f"extension of {size} bytes does not fit into"):
        check(path)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_follow_a_header_that_leaves_their_place_out(tmp_path: Path, kind) -> None:
    path = with_extension(tmp_path / "scan.nii", kind, b"", 0)
    np.testing.assert_allclose(check(path).image.get_fdata(), scan_values(), rtol=1e-5)


def test_extensions_without_a_place_for_the_voxels_are_told(tmp_path: Path) -> None:
    extension = struct.pack("<ii", 48, 6) + bytes(40)
    path = with_extension(tmp_path / "scan.nii", nib.Nifti1Image, extension, 0)
    with pytest.raises(UnusableScanError, match="vox_offset is 0"):
        check(path)


def test_a_header_without_a_shape_costs_its_scan_alone(tmp_path: Path) -> None:
    path = saved(tmp_path / "scan.nii", scan_values())
    content = bytearray(path.read_bytes())
    struct.pack_into("<3h", content, 42, -1, 1, 1)
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableError, match="header is broken"):
        open_header(path)
    scan = Scan(path, (("sub", "01"),), "FLAIR", Role.TUMOUR, tmp_path, "raw")
    assert memory_gb([scan], 2.0) == 2.0
    with pytest.raises(UnusableScanError, match="header is broken"):
        check(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(tmp_path: Path, order: str) -> None:
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(np.int16)
    image = nib.Nifti1Image(scan_values().astype(np.int16), AFFINE, header)
    nib.save(image, tmp_path / "scan.nii")
    assert check(tmp_path / "scan.nii").image.shape == SHAPE


@pytest.mark.parametrize(
    ("factor", "unit", "words"),
    [
        (10, "mm", "too large for a head"),
        (10, None, "too large for a head"),
        (1000, "micron", "lengths in microns"),
        (0.001, "meter", "lengths in meters"),
        (0.1, "mm", "too small for a brain"),
    ],
)
def test_voxels_of_other_units_are_refused_at_once(
    tmp_path: Path, factor: float, unit: str | None, words: str
) -> None:
    affine = AFFINE.copy()
    affine[:3] *= factor
    image = nib.Nifti1Image(scan_values().astype(np.float32), affine)
    image.header.set_xyzt_units(unit or "unknown")
    nib.save(image, tmp_path / "scan.nii")
    with pytest.raises(UnusableScanError, match=words):
        check(tmp_path / "scan.nii")


# ---------------------------------------------------------------------- damage


def with_a_wrong_bit(good: bytes) -> bytes:
    """A stream that unpacks to as many, but other bytes."""
    plain = gzip.decompress(good)
    for place in range(len(good) // 3, len(good) - 10):
        bad = bytearray(good)
        bad[place] ^= 1
        try:
            got = zlib.decompressobj(-15).decompress(bytes(bad[10:]))
        except zlib.error:
            continue
        if len(got) >= len(plain) and got != plain:
            return bytes(bad)
    raise AssertionError("no such bit")


@pytest.mark.parametrize(
    "damage",
    [
        with_a_wrong_bit,
        lambda good: good[:-3],
        lambda good: good[: len(good) // 2],
        lambda good: good + b"garbage that is no gzip member",
        lambda good: good[:-8] + bytes(4) + good[-4:],
        lambda good: good[:-4] + bytes(4),
    ],
)
def test_a_damaged_stream_is_never_read_as_whole(tmp_path: Path, damage) -> None:
    path = saved(tmp_path / "scan.nii.gz", scan_values())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UnusableScanError, match="damaged or incomplete"):
        check(path)
    with pytest.raises(UnreadableError, match="damaged or incomplete"):
        read_volume(path)


def test_an_uncompressed_file_that_ends_early_is_damaged(tmp_path: Path) -> None:
    path = saved(tmp_path / "scan.nii", scan_values())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnusableScanError, match="damaged or incomplete"):
        check(path)


# ---------------------------------------------------------------------- padding


@pytest.mark.parametrize("value", [-1024, -9999, -32768, -3.4e38, 1e20, 65535.0, -1.0])
@pytest.mark.parametrize("where", ["around", "slab", "corner"])
def test_padding_counts_as_background(tmp_path: Path, value: float, where: str) -> None:
    values = scan_values()
    padded = ~ball(75) if where == "around" else np.zeros(SHAPE, bool)
    if where == "slab":
        padded[:4] = True
    if where == "corner":
        padded[:8, :8, :8] = True
    path = saved(tmp_path / "scan.nii", np.where(padded, value, values))
    found = check(path)
    assert [finding.code for finding in found.findings] == ["padding"]
    read = found.image.get_fdata()
    assert np.all(read[padded] == 0)
    np.testing.assert_allclose(read[~padded], values[~padded], rtol=1e-5)


def test_several_fill_values_and_scaled_ones(tmp_path: Path) -> None:
    values = scan_values()
    values[:3] = -1024
    values[-3:] = -2000
    path = saved(tmp_path / "scan.nii", values)
    assert codes(path) == ["padding", "padding"]
    image = nib.Nifti1Image(values.astype(np.int16), AFFINE)
    image.header.set_slope_inter(2.5, 10)
    nib.save(image, tmp_path / "scaled.nii")
    assert codes(tmp_path / "scaled.nii") == ["padding", "padding"]


@pytest.mark.parametrize(("stored", "slope"), [(-1024, 0.244), (-2048, 0.37), (-32768, 0.013)])
@pytest.mark.parametrize("where", ["around", "slab"])
def test_padding_is_told_by_the_number_that_is_stored(
    tmp_path: Path, stored: int, slope: float, where: str
) -> None:
    padded = ~ball(75) if where == "around" else ROOM[0] < -15
    values = np.where(padded, stored, np.round(4 * scan_values()))
    image = nib.Nifti1Image(values.astype(np.int16), AFFINE)
    image.header.set_slope_inter(slope, 0)
    nib.save(image, tmp_path / "scan.nii")
    found = check(tmp_path / "scan.nii")
    assert [finding.code for finding in found.findings] == ["padding"]
    np.testing.assert_allclose(
        found.image.get_fdata(), slope * np.where(padded, 0, values), rtol=1e-4
    )


@pytest.mark.parametrize("value", [-1000, -9999, -32768, 9999, 65535])
@pytest.mark.parametrize(("order", "reach", "tolerance"), [(1, 3, 1e-3), (3, 7, 60)])
def test_padding_that_was_resampled_is_padding_still(
    tmp_path: Path, value: float, order: int, reach: int, tolerance: float
) -> None:
    outside = ROOM[0] + 0.7 * ROOM[1] < -18  # as a scan that was turned has it
    one, other = (
        ndimage.shift(np.where(outside, fill, scan_values()), (0.3, 0.4, 0.2), order=order)
        for fill in (value, 0)
    )
    one, other = one[1:, 1:, 1:], other[1:, 1:, 1:]
    found = check(saved(tmp_path / "scan.nii", one))
    assert [finding.code for finding in found.findings] == ["padding", "mixed_padding"]
    read = found.image.get_fdata()
    inner = ndimage.binary_erosion(~outside, iterations=reach)[1:, 1:, 1:]
    assert np.abs(read - other)[inner].max() < tolerance
    assert np.abs(read - other)[outside[1:, 1:, 1:]].max() < 320  # no more than tissue
    assert read.min() > -100


def test_ordinary_scans_are_left_as_they_are() -> None:
    values = scan_values().astype(np.float32)
    stripped = np.where(ball(70), values, 0).astype(np.float32)
    saturated = np.minimum(values, 310)
    centred = (stripped - 101.3) / 50
    swung = ndimage.shift(stripped, 0.4, order=3)
    for one in (values, stripped, saturated, centred, np.round(values), swung):
        for slope in (1, 0.01):
            cleaned, fills = without_fills(one, slope)
            assert cleaned is one
            assert fills == []


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_missing_values_around_the_head_are_background(tmp_path: Path, missing: float) -> None:
    path = saved(tmp_path / "scan.nii", np.where(ball(75), scan_values(), missing))
    found = check(path)
    assert [finding.code for finding in found.findings] == ["non_finite"]
    assert np.all(found.image.get_fdata()[~ball(75)] == 0)


def test_missing_values_within_a_frame_are_background(tmp_path: Path) -> None:
    values = np.where(ball(75), scan_values(), np.nan)
    frame = ~ndimage.binary_erosion(np.ones(SHAPE, bool))
    found = check(saved(tmp_path / "scan.nii", np.where(frame, 0, values)))
    assert [finding.code for finding in found.findings] == ["non_finite"]


@pytest.mark.parametrize(
    ("part", "radius"),
    [
        *((np.s_[:, :, 15:25], radius) for radius in (75, 300)),
        *((np.s_[:, :, 30:33], radius) for radius in (75, 300)),
        *((np.s_[:, ::2], radius) for radius in (75, 300)),
        (np.s_[12:20, :, 5:], 300),
    ],
)
def test_missing_slices_are_no_background(tmp_path: Path, part, radius: float) -> None:
    values = np.where(ball(radius), scan_values(), np.nan)
    values[part] = np.nan
    with pytest.raises(UnusableScanError, match="not only around the head"):
        check(saved(tmp_path / "scan.nii", values))


def test_missing_values_within_the_head_are_not(tmp_path: Path) -> None:
    values = scan_values()
    values[ball(40)] = np.nan
    with pytest.raises(UnusableScanError, match="not only around the head"):
        check(saved(tmp_path / "scan.nii", values))


# ---------------------------------------------------------------------- with skull or without


def head(scalp: float = 300, bone: float = 40) -> np.ndarray:
    values = np.zeros(SHAPE)
    for radius, level in ((76, scalp), (69, bone), (61, 120), (57, 400), (40, 330)):
        values[ball(radius)] = level
    return values


@pytest.mark.parametrize("bone", [0, 40, 150])
@pytest.mark.parametrize("slices", [12, 20])
def test_a_head_with_zeroed_air_in_few_slices_has_its_skull(bone: float, slices: int) -> None:
    values, spacing = head(bone=bone), np.array([4.0, 4.0, 4.0])
    first = SHAPE[2] // 2 - slices // 2
    part = values[:, :, first : first + slices]
    assert has_skull(part, part > 0, spacing)
    assert stripped_mask(part, spacing) is None


@pytest.mark.parametrize("slices", [12, 40])
def test_a_stripped_brain_has_none(slices: int) -> None:
    spacing = np.array([4.0, 4.0, 4.0])
    rim = np.where(ball(72), 250, 0)  # grey matter and fluid are darker than what is inside
    values = np.where(ball(66), 400, rim)
    values[ball(20)] = 150  # ventricles
    first = (SHAPE[2] - slices) // 2
    part = values[:, :, first : first + slices]
    assert not has_skull(part, part > 0, spacing)
    mask = stripped_mask(part, spacing)
    assert mask is not None
    assert np.array_equal(mask, part > 0)


# ---------------------------------------------------------------------- given masks


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("more", [(), (1,), (1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_masks_in_all_forms_are_read(tmp_path: Path, kind, more, dtype) -> None:
    mask = ball(50).astype(dtype)
    path = saved(tmp_path / "mask.nii.gz", mask.reshape(SHAPE + more), kind, dtype)
    read = read_volume(path)
    assert np.array_equal(read.get_fdata(), mask)
    np.testing.assert_allclose(read.affine, AFFINE)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"/annex/objects/MD5E-s1--0.nii.gz\n", "pointer to its content"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer to its content"),
        (b"", "empty"),
        (b"not compressed", "named .gz but is not compressed"),
    ],
)
def test_masks_that_are_none_are_told(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "mask.nii.gz"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=words):
        read_volume(path)
    path.unlink()
    path.symlink_to("gone.nii.gz")
    with pytest.raises(UnreadableError, match="link to"):
        read_volume(path)


def test_a_series_is_no_mask(tmp_path: Path) -> None:
    path = saved(tmp_path / "mask.nii", np.zeros((*SHAPE, 2)))
    with pytest.raises(UnreadableError, match="should be 3-D"):
        read_volume(path)
    assert open_scan(path).image.shape == (*SHAPE, 2)
