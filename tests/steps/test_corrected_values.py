"""What may stand in a corrected mask, and what is said of one that cannot be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.preprocessing.annotation import Drawing, as_mask
from synthtumour_bids.steps import corrections
from synthtumour_bids.steps.annotations import on_template
from tests.builders.fabrication_scans import ball, brain_of
from tests.builders.jobs import make_job, mark_preprocessed, with_settings

GRID = np.diag([2.0, 2.0, 2.0, 1.0])
BRAIN = brain_of()
TUMOUR = ball((14, 16, 12), 14, spacing=(2, 2, 2))
CORE = ball((14, 16, 12), 7, spacing=(2, 2, 2))
Give = Callable[..., tuple[ScanOutcome, Path]]


@pytest.fixture
def give(tmp_path: Path) -> Give:
    """Correct the mask of a scan that lies on the template grid; the outcome, and the copy."""
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    (scan,), layout = job.selection.everything, job.layout
    mark_preprocessed(job, scan)
    for path in (layout.native_image(scan), layout.native_brain(scan), layout.standard_brain(scan)):
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(BRAIN.astype(np.uint8), GRID), path)
    identity = ants.create_ants_transform(dimension=3)
    ants.write_transform(identity, str(layout.transform(scan)))
    mask = tmp_path / f"{scan.stem}_label-L_mask.nii.gz"
    selection = dataclasses.replace(job.selection, corrections={scan.key: mask})
    given = with_settings(dataclasses.replace(job, selection=selection), corrections=tmp_path)

    def carried(values: np.ndarray, affine: np.ndarray = GRID) -> tuple[ScanOutcome, Path]:
        nib.save(nib.Nifti1Image(values.astype(np.float32), affine), mask)
        (outcome,) = corrections.run(given)
        return outcome, layout.correction(scan)

    return carried


@pytest.mark.parametrize(
    "values",
    [
        TUMOUR,
        255 * TUMOUR,
        4 * TUMOUR,
        TUMOUR + 3 * CORE,  # classes 1 and 4
        TUMOUR * (1 + 1e-4),  # as a slope leaves them
        np.where(TUMOUR, 1, np.nan),
    ],
)
def test_whatever_whole_number_above_zero_is_inside(give: Give, values: np.ndarray) -> None:
    outcome, copy = give(values)
    assert outcome.status is Status.DONE
    np.testing.assert_array_equal(np.asanyarray(nib.load(copy).dataobj), TUMOUR)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (0.9 * TUMOUR, "holds 0.9 and the like, as probabilities and smoothed masks do"),
        (TUMOUR * np.linspace(0, 1, 26), "as probabilities and smoothed masks do"),
        (-1 * TUMOUR, "holds -1. It should be 0 outside"),
        (np.arange(TUMOUR.size).reshape(TUMOUR.shape), "different values, as a scan does"),
        (BRAIN, "takes 100 % of its scan's brain, and no tumour takes more than 50 %"),
        (BRAIN & ~TUMOUR, "or have inside and outside exchanged"),
    ],
)
def test_what_is_no_mask_of_a_tumour_is_refused_in_words_of_its_own(
    give: Give, values: np.ndarray, words: str
) -> None:
    outcome, copy = give(values)
    assert outcome.status is Status.FAILED
    assert outcome.message.startswith("The corrected mask ")
    assert outcome.message.endswith(corrections.ADVICE)
    assert words in outcome.message
    assert "dseg" not in outcome.message, "which --corrections does not read"
    assert not copy.exists()


def test_an_empty_mask_is_called_so() -> None:
    with pytest.raises(UnusableScanError, match="The annotation x is empty: every voxel is 0"):
        as_mask(np.zeros((3, 3, 3)), Drawing(Path("x")))


def test_sheared_axes_are_those_of_the_mask(give: Give) -> None:
    sheared = GRID.copy()
    sheared[0, 1] = 0.5
    outcome, _ = give(TUMOUR, sheared)
    assert outcome.message.startswith("The corrected mask ")
    assert "sheared by 7.0 degrees: resample it to an unsheared grid first." in outcome.message
    assert "the scan" not in outcome.message
    assert outcome.message.endswith(corrections.ADVICE)


def test_annotations_hold_their_classes_alone(tmp_path: Path) -> None:
    """Of ``--annotated-dir``, where classes may have been meant and not the whole tumour."""
    drawn, transform = tmp_path / "drawn.nii.gz", tmp_path / "identity.mat"
    ants.write_transform(ants.create_ants_transform(dimension=3), str(transform))
    brain = nib.Nifti1Image(BRAIN.astype(np.uint8), GRID)
    (scan,) = make_job(tmp_path, tumours=1, tumourfree=0).selection.everything
    for values, indices, words in (
        (255 * TUMOUR, [1], "holds 255, but its values should be 0, 1: a label-L_mask holds"),
        (TUMOUR + 3 * CORE, [1], "holds 4, but its values should be 0, 1"),
    ):
        nib.save(nib.Nifti1Image(values.astype(np.float32), GRID), drawn)
        with pytest.raises(UnusableScanError, match=words):
            on_template(scan, Drawing(drawn), indices, brain, brain, brain, transform)
    carried = on_template(scan, Drawing(drawn), [1, 4], brain, brain, brain, transform)
    assert np.unique(carried).tolist() == [0, 1, 2]
