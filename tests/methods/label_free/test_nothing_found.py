"""A junior that finds a tumour nowhere, or everywhere, teaches no senior."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import EXIT_NO_DATA, DataError
from synthtumour_bids.files import fingerprint, write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import Role
from tests.builders.jobs import (
    make_job,
    mark_drawn,
    mark_preprocessed,
    method_of,
    write_network,
)


def say_everywhere(job: Job, value: float) -> None:
    """Let the junior have given each voxel of each tumour scan the same probability."""
    write_network(job.layout.network(Network.JUNIOR), Network.JUNIOR)
    weights = job.model(Network.JUNIOR).card.fingerprint
    predictions = job.layout.scratch(Scratch.PREDICTIONS, Network.JUNIOR)
    brain = standard_brain(job.settings.profile.resolution)
    image = brain.get_fdata(dtype=np.float32)
    inside = (image > 0).astype(np.uint8)
    for scan in job.selected(Role.TUMOUR):
        mark_preprocessed(job, scan, fingerprint="p")
        maps = {
            "predict-junior": predictions / f"{scan.slug}_probseg.nii.gz",
            "predict-junior-unmirrored": predictions / f"{scan.slug}_unmirrored.nii.gz",
        }
        written = dict.fromkeys(maps.values(), (value * inside).astype(np.float32))
        written |= {
            job.layout.standard_image(scan): image,
            job.layout.standard_brain(scan): inside,
        }
        for path, data in written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(data, brain.affine), path)
        current = fingerprint(weights=weights, scan="p")
        for step, path in maps.items():
            job.scratch_ledger.mark(step, scan.key, current, [path])


@pytest.mark.parametrize(
    ("value", "keep_mask", "reason"),
    [
        (0.0, False, "nothing was labelled"),
        (1.0, False, "nothing was labelled"),  # each half is like the other
        (1.0, True, "of the brain"),
    ],
)
def test_the_run_ends_with_a_sentence(
    tmp_path: Path, value: float, keep_mask: bool, reason: str
) -> None:
    job = make_job(tmp_path, tumours=1, keep_mask=keep_mask)
    say_everywhere(job, value)
    write_json(job.layout.scratch(Scratch.STAGE_ONE) / "samples.json", [])
    mark_drawn(job)
    with pytest.raises(DataError, match=r"no usable tumour.*\(1 looked at\)") as stopped:
        method_of(job).material(job, Network.SENIOR)
    assert stopped.value.exit_code == EXIT_NO_DATA
    with (job.layout.models / "pseudo_labels.tsv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["used"] for row in rows] == ["false"]
    assert all(reason in row["reasons"] for row in rows)
