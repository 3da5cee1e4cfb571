"""What fabrication cannot be done with, told before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import Method, Role, Step
from synthtumour_bids.steps import checks
from tests.builders.jobs import make_job, make_scan, mark_trained, method_of, with_settings


def asked(root: Path, *, hosts: int = 2, annotated: int = 3, tumours: int = 1, **more: Any) -> Job:
    counts = ((Role.TUMOURFREE, hosts), (Role.ANNOTATED, annotated), (Role.TUMOUR, tumours))
    scans = tuple(
        make_scan(root / "bids", f"{role}{number}", role)
        for role, count in counts
        for number in range(count)
    )
    return make_job(root, scans=scans, method=Method.FABRICATION, **more)


def refuse(job: Job) -> None:
    checks.refuse(job, method_of(job))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hosts": 1}, r"2 tumour-free participants.*; 1 found\. .*--tumourfree-dir"),
        ({"hosts": 0, "hold_out": ("x",)}, r"; 0 found outside --hold-out\."),
        ({"annotated": 2}, r"3 annotated scans of at least 2 persons; 2 of 2 found"),
        ({"tumours": 0, "semi_supervised": True}, r"has none\. Leave --semi-supervised out"),
        ({"semi_supervised": True, "hold_out": ("tumour0",)}, "has none outside --hold-out"),
    ],
)
def test_a_cohort_that_is_too_small_is_refused(
    tmp_path: Path, given: dict[str, Any], words: str
) -> None:
    job = asked(tmp_path, **given)
    with pytest.raises(DataError, match=words):
        refuse(job)
    refuse(with_settings(job, steps=(Step.PREPROCESS,)))
    mark_trained(job)
    refuse(job)


def test_a_cohort_that_is_large_enough_is_taken(tmp_path: Path) -> None:
    job = asked(tmp_path, semi_supervised=True)
    refuse(job)
    refuse(with_settings(job, hold_out=("tumour0",), steps=(Step.SYNTHESISE,)))


@pytest.mark.parametrize(
    ("value", "words"), [(0, "No voxel of .*place"), (None, "place.* cannot be used")]
)
def test_a_place_for_no_lesion_is_refused(tmp_path: Path, value: int | None, words: str) -> None:
    place = tmp_path / "place.nii.gz"
    place.write_bytes(b"no image")
    if value is not None:
        grid = standard_brain(4.0)
        nib.save(nib.Nifti1Image(np.full(grid.shape, value, np.uint8), grid.affine), place)
    with pytest.raises(DataError, match=words):
        refuse(asked(tmp_path, lesion_place=place))
