"""A mask as a DICOM segmentation: on the series' grid or refused, and read back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest

from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.demo.head import Head, simulate_head
from synthtumour_bids.dicom.__main__ import main
from synthtumour_bids.errors import EXIT_DONE, EXIT_NO_DATA

OBLIQUE = Acquisition(slice_thickness=10.0, tilt=(12.0, 4.0, 7.0))


@pytest.fixture(scope="module")
def head() -> Head:
    return simulate_head(np.random.default_rng(11), 5.0, OBLIQUE, tumour_volume=60)


def write_series(image: nib.Nifti1Image, folder: Path) -> None:
    """Write a scan as a scanner does: one file a slice, rows to the back, columns to the left."""
    image = image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.io_orientation(image.affine),
            nib.orientations.axcodes2ornt(("L", "P", "S")),
        )
    )
    affine = np.diag([-1, -1, 1, 1]) @ image.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    unit = affine[:3, :3] / spacing
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("no DICOM")
    study, series, frame = (hd.UID() for _ in range(3))
    for number, values in enumerate(np.moveaxis(np.asanyarray(image.dataobj), 2, 0)):
        file = pydicom.Dataset()
        file.file_meta = pydicom.dataset.FileMetaDataset()
        file.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        file.SOPClassUID = file.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        file.SOPInstanceUID = file.file_meta.MediaStorageSOPInstanceUID = hd.UID()
        file.StudyInstanceUID, file.SeriesInstanceUID = study, series
        file.FrameOfReferenceUID, file.PositionReferenceIndicator = frame, ""
        file.PatientID, file.PatientName, file.PatientBirthDate, file.PatientSex = "1", "x^", "", ""
        file.StudyDate, file.StudyTime, file.StudyID = "20200101", "120000", "1"
        file.AccessionNumber, file.ReferringPhysicianName = "", ""
        file.Modality, file.SeriesNumber, file.InstanceNumber = "MR", 3, number + 1
        file.Rows, file.Columns = values.shape[1], values.shape[0]
        file.PixelSpacing = [float(spacing[1]), float(spacing[0])]
        file.SliceThickness = float(spacing[2])
        file.ImageOrientationPatient = [round(v, 9) for v in (*unit[:, 0], *unit[:, 1])]
        file.ImagePositionPatient = [
            round(v, 6) for v in nib.affines.apply_affine(affine, [0, 0, number])
        ]
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 16, 15, 0
        file.PixelData = values.T.astype("<u2").tobytes()
        file.save_as(folder / f"{97 - number:04d}.dcm", enforce_file_format=True)


def joined(series: Path) -> None:
    """Replace the files of a series by one with all slices as frames (Enhanced MR)."""
    paths = sorted(series.glob("*.dcm"))
    slices = sorted(map(pydicom.dcmread, paths), key=lambda one: one.InstanceNumber)
    whole = pydicom.dcmread(paths[0])
    whole.SOPClassUID = whole.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedMRImageStorage
    whole.NumberOfFrames = len(slices)
    measures, turn, shared = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    measures.PixelSpacing, measures.SliceThickness = whole.PixelSpacing, whole.SliceThickness
    measures.SpacingBetweenSlices = whole.SliceThickness
    turn.ImageOrientationPatient = whole.ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [turn]
    whole.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for number, one in enumerate(slices, 1):
        place, content, frame = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        place.ImagePositionPatient = one.ImagePositionPatient
        content.DimensionIndexValues = [number]
        frame.PlanePositionSequence, frame.FrameContentSequence = [place], [content]
        frames.append(frame)
    whole.PerFrameFunctionalGroupsSequence = frames
    whole.PixelData = b"".join(one.PixelData for one in slices)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(whole, keyword)
    for path in paths:
        path.unlink()
    whole.save_as(series / "all.dcm")


def saved(mask: nib.Nifti1Image, path: Path) -> str:
    nib.save(mask, path)
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(
        json.dumps({"Models": {"senior": "abc"}})
    )
    return str(path)


@pytest.mark.parametrize("frames", ["one a file", "all in one file"])
def test_what_is_written_is_read_back(head: Head, tmp_path: Path, frames: str) -> None:
    write_series(head.image, tmp_path / "series")
    if frames == "all in one file":
        joined(tmp_path / "series")
    mask, out = saved(head.truth, tmp_path / "label-L_mask.nii.gz"), tmp_path / "out" / "seg.dcm"
    assert main([mask, str(tmp_path / "series"), str(out)]) == EXIT_DONE
    segmentation = hd.seg.segread(out)
    volume = segmentation.get_volume(segment_numbers=[1])
    back = np.argwhere(np.squeeze(volume.array) > 0)
    points = nib.affines.apply_affine(np.diag([-1, -1, 1, 1]) @ volume.affine, back)
    truth = head.truth.get_fdata() > 0
    indices = nib.affines.apply_affine(np.linalg.inv(head.truth.affine), points)
    assert np.abs(indices - np.round(indices)).max() < 0.01
    drawn = np.zeros_like(truth)
    drawn[tuple(np.round(indices).astype(int).T)] = True
    np.testing.assert_array_equal(drawn, truth)
    described = segmentation.get_segment_description(1)
    assert described.segmented_property_type.meaning == "Neoplasm"
    assert described.algorithm_identification.parameters == {"senior": "abc"}
    assert segmentation.PatientID == "1"
    source = pydicom.dcmread(next((tmp_path / "series").glob("*.dcm")))
    assert segmentation.StudyInstanceUID == source.StudyInstanceUID
    assert segmentation.FrameOfReferenceUID == source.FrameOfReferenceUID


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("moved", "corners are up to"),
        ("cropped", "voxels, the series"),
        ("empty", "is empty"),
        ("two series", "found 2"),
        ("a gap", "evenly spaced"),
        ("a smaller slice", "of different sizes"),
        ("no series", "found none"),
        ("no mask", "cannot be used"),
    ],
)
def test_what_does_not_fit_is_refused(
    head: Head, tmp_path: Path, wrong: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    series = tmp_path / "series"
    write_series(head.image, series)
    mask = head.truth
    if wrong == "moved":
        moved = mask.affine.copy()
        moved[0, 3] += 3
        mask = nib.Nifti1Image(np.asanyarray(mask.dataobj), moved)
    elif wrong == "cropped":
        mask = mask.slicer[:-1]
    elif wrong == "empty":
        mask = nib.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine)
    elif wrong == "two series":
        write_series(head.image, tmp_path / "other")
        (tmp_path / "other" / "0097.dcm").rename(series / "other.dcm")
    elif wrong == "a gap":
        (series / "0090.dcm").unlink()
    elif wrong == "a smaller slice":
        file = pydicom.dcmread(series / "0090.dcm")
        file.Rows -= 1
        file.save_as(series / "0090.dcm")
    elif wrong == "no series":
        series = tmp_path / "nothing"
        series.mkdir()
    path = saved(mask, tmp_path / "mask.nii.gz")
    if wrong == "no mask":
        Path(path).write_bytes(b"nothing")
    out = tmp_path / "seg.dcm"
    assert main([path, str(series), str(out)]) == EXIT_NO_DATA
    assert sentence in capsys.readouterr().err
    assert not out.exists()


GONE = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("StudyID", "StudyDate", "StudyTime", "SliceThickness"),
)
PLACE = ("FrameOfReferenceUID", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
IDENTITY = ("StudyInstanceUID", "SOPClassUID", "SOPInstanceUID", "Columns")


def without(folder: Path, *tags: str) -> None:
    """Take tags out of all files of a series, as de-identification may do."""
    for path in folder.glob("*.dcm"):
        file = pydicom.dcmread(path)
        for tag in tags:
            delattr(file, tag)
        file.save_as(path)


def emptied(folder: Path, tag: str) -> None:
    """Empty a tag of all files of a series and of their frames instead."""
    for path in folder.glob("*.dcm"):
        file = pydicom.dcmread(path)
        for one in file.iterall():
            if one.keyword == tag:
                one.value = None
        file.save_as(path)


def test_a_series_may_be_de_identified(head: Head, tmp_path: Path) -> None:
    write_series(head.image, tmp_path / "series")
    without(tmp_path / "series", *GONE)
    mask, out = saved(head.truth, tmp_path / "mask.nii.gz"), tmp_path / "seg.dcm"
    assert main([mask, str(tmp_path / "series"), str(out)]) == EXIT_DONE
    assert hd.seg.segread(out).PatientID == ""


@pytest.mark.parametrize("tag", PLACE + IDENTITY)
def test_a_series_without_its_place_or_identity_is_refused(
    head: Head, tmp_path: Path, tag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(head.image, tmp_path / "series")
    without(tmp_path / "series", tag)
    mask, out = saved(head.truth, tmp_path / "mask.nii.gz"), tmp_path / "seg.dcm"
    assert main([mask, str(tmp_path / "series"), str(out)]) == EXIT_NO_DATA
    assert f"lack {tag}, without which" in capsys.readouterr().err


@pytest.mark.parametrize("frames", ["one a file", "all in one file"])
@pytest.mark.parametrize("tag", ["SeriesInstanceUID", *PLACE, *IDENTITY])
def test_what_is_emptied_is_missing(
    head: Head, tmp_path: Path, tag: str, frames: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(head.image, tmp_path / "series")
    if frames == "all in one file":
        joined(tmp_path / "series")
    emptied(tmp_path / "series", tag)
    mask, out = saved(head.truth, tmp_path / "mask.nii.gz"), tmp_path / "seg.dcm"
    assert main([mask, str(tmp_path / "series"), str(out)]) == EXIT_NO_DATA
    assert f"lack {tag}, without which" in capsys.readouterr().err


def test_two_files_with_frames_are_refused(
    head: Head, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_series(head.image, tmp_path / "series")
    joined(tmp_path / "series")
    again = pydicom.dcmread(tmp_path / "series" / "all.dcm")
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = hd.UID()
    again.save_as(tmp_path / "series" / "again.dcm")
    mask, out = saved(head.truth, tmp_path / "mask.nii.gz"), tmp_path / "seg.dcm"
    assert main([mask, str(tmp_path / "series"), str(out)]) == EXIT_NO_DATA
    assert "found 2 files, 2 of them with frames" in capsys.readouterr().err


@pytest.mark.parametrize("said", ["[1]", '{"Models": null}', "no JSON"])
def test_a_sidecar_that_names_no_networks_is_passed_over(
    head: Head, tmp_path: Path, said: str
) -> None:
    write_series(head.image, tmp_path / "series")
    mask, out = saved(head.truth, tmp_path / "mask.nii.gz"), tmp_path / "seg.dcm"
    (tmp_path / "mask.json").write_text(said)
    assert main([mask, str(tmp_path / "series"), str(out)]) == EXIT_DONE
    assert not hd.seg.segread(out).get_segment_description(1).algorithm_identification.parameters
