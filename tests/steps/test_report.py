"""The report step: pictures of scans as they are stored, and the methods text of what is there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ants
import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.names import derivative_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import write_json, write_tsv
from synthtumour_bids.job import Job
from synthtumour_bids.reports import reportlets
from synthtumour_bids.settings import Method, Role, Step
from synthtumour_bids.steps import methods_text, report
from tests.builders.jobs import make_job, mark_preprocessed, method_of

SPACING = (1.0, 2.0, 3.0)  # mm, towards the right, the front and the top

# ---------------------------------------------------------------------- pictures


@pytest.fixture
def head() -> dict[str, np.ndarray]:
    """A brain with a tumour on the left, at the front, above the middle; arrays in RAS order."""
    i, j, k = np.meshgrid(*[np.arange(n) for n in (40, 30, 20)], indexing="ij")
    brain = ((i - 20) / 17) ** 2 + ((j - 15) / 12) ** 2 + ((k - 10) / 8) ** 2 < 1
    tumour = ((i - 12) / 4) ** 2 + ((j - 19) / 3) ** 2 + ((k - 12) / 2) ** 2 < 1
    return {
        "image": (100.0 * brain + 80 * tumour).astype(np.float32),
        "brain": brain.astype(np.uint8),
        "mask": tumour.astype(np.uint8),
        "probability": (0.9 * tumour).astype(np.float32),
        "truth": np.roll(tumour, 2, axis=1).astype(np.uint8),
    }


def stored(data: np.ndarray, order: str) -> nib.Nifti1Image:
    """Image of an array in RAS order with its axes in another one, the same in the world."""
    image = nib.Nifti1Image(data, np.diag([*SPACING, 1.0]))
    return image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(order)
        )
    )


def reported(root: Path, head: dict[str, np.ndarray], order: str) -> tuple[Job, Scan]:
    """Report on a head that was segmented in this axis order."""
    job = make_job(root, tumours=1, tumourfree=0)
    (scan,) = job.selected()
    names = {
        "image": {"desc": "preproc", "suffix": "FLAIR"},
        "brain": {"desc": "brain", "suffix": "mask"},
        "mask": {"label": "L", "suffix": "mask"},
        "probability": {"label": "L", "suffix": "probseg"},
    }
    out = job.settings.output_dir
    paths = {kind: derivative_path(scan, out, **entities) for kind, entities in names.items()}
    junior = derivative_path(scan, out, label="L", desc="junior", suffix="mask")
    truth = root / "truth.nii.gz"
    for path, kind in ((truth, "truth"), (junior, "mask"), *((p, k) for k, p in paths.items())):
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(stored(head[kind], order), path)
    write_json(job.layout.result(scan), {"volume_mL": 1.2})
    identity = ants.create_ants_transform(transform_type="AffineTransform", dimension=3)
    ants.write_transform(identity, str(job.layout.transform(scan)))
    report.report_scan(report.ReportTask(scan, truth, job.layout, redraw=False))
    return job, scan


@pytest.mark.parametrize("order", ["RAS", "LAS", "PIR"])
def test_pictures_do_not_depend_on_how_a_scan_is_stored(
    head: dict[str, np.ndarray], order: str, tmp_path: Path
) -> None:
    job, scan = reported(tmp_path, head, order)
    expected = tmp_path / "brain.png", tmp_path / "tumour.png"
    title = f"{scan.stem} FLAIR"
    reportlets.brain_mask_mosaic(
        head["image"], head["brain"] > 0, expected[0], f"{title}: brain mask", SPACING
    )
    reportlets.tumour_mosaic(
        head["image"],
        head["mask"] > 0,
        head["probability"],
        expected[1],
        f"{title}: 1.2 mL",
        SPACING,
        truth=head["truth"] > 0,
    )
    folder = job.settings.output_dir / f"sub-{scan.subject}" / "figures"
    for name, path in zip(("brain", "tumour"), expected, strict=True):
        drawn = folder / f"{scan.stem}_desc-{name}_FLAIR.png"
        assert drawn.read_bytes() == path.read_bytes()


def test_scores_do_not_depend_on_how_a_scan_is_stored(
    head: dict[str, np.ndarray], tmp_path: Path
) -> None:
    scores = []
    for order in ("RAS", "PIR"):
        job, scan = reported(tmp_path / order, head, order)
        path = job.layout.scores(scan.name)
        scores.append(json.loads(path.read_text()))
    assert scores[0] == scores[1]
    assert 0 < scores[0]["dice"] < 1


def test_pictures_follow_content_not_times(head: dict[str, np.ndarray], tmp_path: Path) -> None:
    job, scan = reported(tmp_path, head, "RAS")
    picture = job.layout.picture(scan, "tumour")
    before = picture.read_bytes()
    os.utime(picture, (2e9, 2e9))  # the clock jumped
    task = report.ReportTask(scan, None, job.layout, redraw=False)
    nib.save(stored(np.roll(head["mask"], 4, axis=1), "RAS"), mask_of(job, scan))
    report.report_scan(task)
    drawn = picture.read_bytes()
    assert drawn != before
    os.utime(picture, (0, 0))  # nothing has changed
    report.report_scan(task)
    assert picture.stat().st_mtime == 0


def mask_of(job: Job, scan: Scan) -> Path:
    return job.layout.native(scan, label="L", suffix="mask")


# ---------------------------------------------------------------------- methods text


def methods(job: Job) -> str:
    report.write_methods(job, method_of(job))
    return (job.settings.output_dir / "logs" / "CITATION.md").read_text()


def mark(job: Job, scans: Sequence[Scan], *templates: str) -> None:
    """Say that scans are preprocessed, each with a head template, or none for a stripped one."""
    for scan, template in zip(scans, templates, strict=True):
        mark_preprocessed(job, scan, fingerprint="p", template=template)


def alone(job: Job, scan: Scan) -> Job:
    """Job of an array, which knows one scan."""
    return replace(job, selection=Selection((scan,), (scan,)))


def test_each_job_of_an_array_tells_of_all_scans(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=3, tumourfree=2)
    mark(job, job.selected(), "", "embedded", "embedded", "embedded", "")
    whole = methods(job)
    for words in ("in 3 FLAIR scans", "2 tumour-free scans were hosts", "(embedded)"):
        assert words in whole
    for scan in job.selected(Role.TUMOUR):
        assert methods(alone(job, scan)) == whole


def test_annotated_scans_that_another_job_preprocessed_are_counted(tmp_path: Path) -> None:
    job = make_job(tmp_path, method=Method.FABRICATION)
    first, *others = job.selected()
    annotated = [
        replace(first, entities=(("sub", name),), role=Role.ANNOTATED, dataset_name="annotated")
        for name in ("a", "b", "c")
    ]
    mark(job, [first, *others, *annotated], *["embedded"] * 7)
    assert "Lesions of 3 annotated scans" in methods(alone(job, first))


def test_scans_that_are_not_used_are_not_counted(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=5, tumourfree=0, exclude_participant_label=("sub-tumour1",))
    first, excluded, coarser, without_outputs, other_role = job.selected()
    mark(job, (first, excluded, other_role), "", "embedded", "")
    resolution = job.settings.profile.resolution
    mark_preprocessed(job, coarser, template="embedded", resolution=resolution + 1)
    gone = [job.settings.output_dir / "gone.nii.gz"]
    more = {"resolution": resolution, "role": "tumour", "template": "embedded"}
    step = Step.PREPROCESS
    job.ledger.mark(step, without_outputs.key, "p", gone, scan=without_outputs, **more)
    known = replace(other_role, role=Role.TUMOURFREE)  # participants.tsv has changed since
    written = methods(replace(job, selection=Selection((known,), (known,))))
    assert "in 1 FLAIR scans" in written
    assert "1 tumour-free scans were hosts" in written
    assert "without skull or with a precomputed mask" in written


def test_what_arrives_while_the_text_is_written_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(tmp_path, tumours=2, tumourfree=0)
    first, second = job.selected()
    mark(job, [first], "")
    made = methods_text.of_output

    def meanwhile(*given: Any) -> str:
        text = made(*given)
        mark(job, [second], "embedded")
        return text

    monkeypatch.setattr(methods_text, "of_output", meanwhile)
    assert "in 2 FLAIR scans" in methods(alone(job, first))


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize(("accepted", "relaxed"), [(0, 10), (3, 2), (6, 0)])
def test_pseudo_labels_that_did_not_pass_are_told_apart(
    tmp_path: Path, method: Method, accepted: int, relaxed: int
) -> None:
    job = make_job(tmp_path, method=method, semi_supervised=method is Method.FABRICATION)
    verdicts = [(True, True)] * accepted + [(True, False)] * relaxed + [(False, False)] * 4
    rows = [
        {"scan": f"raw/sub-{number}_FLAIR", "used": used, "accepted": passed}
        for number, (used, passed) in enumerate(verdicts)
    ]
    write_tsv(job.layout.models / "pseudo_labels.tsv", rows, list(rows[0]))
    written = methods(job)
    assert "chosen by a quality control" in written
    assert "that passed a quality control" not in written
    if relaxed:
        told = f"({accepted + relaxed} scans; {relaxed} of them did not pass all of its rules, but"
    else:
        told = f"({accepted} scans)"
    assert told in written
