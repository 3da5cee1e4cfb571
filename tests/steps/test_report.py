"""The report step: scans as they are stored, pages of participants, the methods text."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_json, write_tsv
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import Failure, Identity, Stop
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import Method, Role, Step
from synthtumour_bids.steps import methods_text, participant_report, report, scan_report
from tests.builders.datasets import make
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_settings,
)
from tests.builders.reports import make_head, segmented, stored, task_of
from tests.builders.starters import write_starter

# ---------------------------------------------------------------------- scans


def report_on(root: Path, order: str = "RAS", **changes: Any) -> tuple[Job, Scan]:
    """Report on a head that was segmented in this axis order."""
    job, scan = segmented(root, make_head(), order)
    scan_report.report_scan(task_of(job, scan, **changes))
    return job, scan


def figures(job: Job) -> dict[str, bytes]:
    folder = job.settings.output_dir / "sub-tumour0" / "figures"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_pictures_do_not_depend_on_how_a_scan_is_stored(tmp_path: Path) -> None:
    drawn = [figures(report_on(tmp_path / order, order)[0]) for order in ("RAS", "PIL")]
    names = {name for name in drawn[0] if name.endswith((".svg", ".js"))}
    assert {f"sub-tumour0_desc-{desc}_FLAIR.svg" for desc in ("brain", "tumour", "truth")} < names
    assert [name for name in names if drawn[0][name] != drawn[1][name]] == []


def test_scores_do_not_depend_on_how_a_scan_is_stored(tmp_path: Path) -> None:
    scores = []
    for order in ("RAS", "PIR"):
        job, scan = report_on(tmp_path / order, order, viewer=False)
        scores.append(json.loads(job.layout.scores(scan.name).read_text()))
    assert scores[0] == scores[1]
    assert 0 < scores[0]["dice"] < 1


def test_pictures_follow_content_not_times(tmp_path: Path) -> None:
    job, scan = report_on(tmp_path)
    picture = job.layout.figure(scan, "tumour", ".svg")
    before = picture.read_bytes()
    os.utime(picture, (2e9, 2e9))  # the clock jumped
    task = task_of(job, scan, truth=None)
    moved = stored(np.roll(make_head()["mask"], 4, axis=1))
    nib.save(moved, job.layout.native(scan, label="L", suffix="mask"))
    scan_report.report_scan(task)
    assert picture.read_bytes() != before
    os.utime(picture, (0, 0))  # nothing has changed
    scan_report.report_scan(task)
    assert picture.stat().st_mtime == 0


def test_parts_that_nobody_asks_for_any_more_go(tmp_path: Path) -> None:
    job, scan = report_on(tmp_path)
    assert {"sub-tumour0_desc-interactive_FLAIR.html", "sub-tumour0_desc-viewer_FLAIR.js"} < set(
        figures(job)
    )
    job.layout.native(scan, label="L", desc="junior", suffix="mask").unlink()  # now a starter's
    job.layout.scores(scan.name).unlink()
    scan_report.report_scan(task_of(job, scan, truth=None, viewer=False))
    left = {name.partition("desc-")[2].partition("_")[0] for name in figures(job)}
    assert not left & {"interactive", "viewer"}
    assert not [name for name in figures(job) if "networks" in name and name.endswith("html")]
    assert not [name for name in figures(job) if "truth" in name and name.endswith("html")]


def test_regions_are_on_the_page_and_old_pictures_go(tmp_path: Path) -> None:
    job, scan = segmented(tmp_path, make_head())
    old = job.layout.figure(scan, "tumour", ".png")
    old.parent.mkdir(parents=True)
    old.touch()
    brain = standard_brain(job.layout.resolution)
    inside = (np.asanyarray(brain.dataobj) > 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(inside, brain.affine), tmp_path / "lobes.nii.gz")
    (tmp_path / "lobes.tsv").write_text("index\tname\n1\t<b>Everything</b>\n")
    task = task_of(job, scan, viewer=False, truth=None, atlas=str(tmp_path / "lobes.nii.gz"))
    scan_report.report_scan(task)
    part = job.layout.figure(scan, "summary").read_text()
    assert "&lt;b&gt;Everything&lt;/b&gt;</th><td>0.6</td><td>100 %" in part  # all of 0.6 mL
    assert "in one axial slice" in part
    assert not old.exists()


def test_one_truth_scores_one_scan(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = make_scan(tmp_path / "bids", "01")
    runs = [replace(one, entities=(*one.entities, ("run", run))) for run in ("1", "2")]
    other = make_scan(tmp_path / "bids", "02")
    job = make_job(tmp_path, scans=(*runs, other), truth=tmp_path / "truth")
    for scan in job.selected():
        write_json(job.layout.result(scan), {})
    for label in ("01", "02"):
        path = tmp_path / "truth" / f"sub-{label}" / "anat" / f"sub-{label}_label-L_mask.nii.gz"
        path.parent.mkdir(parents=True)
        path.touch()
    assert list(report._truths(job)) == [other.key]
    assert "sub-01_run-1_FLAIR, raw/sub-01_run-2_FLAIR are not scored" in caplog.text


def test_a_truth_that_cannot_be_used_stops_the_scores_alone(tmp_path: Path) -> None:
    job, scan = segmented(tmp_path, make_head())
    (tmp_path / "truth.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataError, match="cannot be used"):
        scan_report.report_scan(task_of(job, scan))
    assert job.layout.figure(scan, "tumour").is_file()
    assert not job.layout.scores(scan.name).is_file()


def test_scores_of_another_truth_go_with_it(tmp_path: Path) -> None:
    job, scan = report_on(tmp_path, viewer=False)
    assert job.layout.scores(scan.name).is_file()
    finer = nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), np.eye(4))
    nib.save(finer, tmp_path / "truth.nii.gz")
    with pytest.raises(DataError, match="scans' grids"):
        scan_report.report_scan(task_of(job, scan, viewer=False))
    assert not job.layout.scores(scan.name).is_file()
    assert not [name for name in figures(job) if "truth" in name and name.endswith("html")]


def test_scores_go_where_a_folder_of_truths_has_none_of_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job, scan = report_on(tmp_path, viewer=False)
    other = make_scan(job.settings.bids_dir, "other")
    write_json(job.layout.scores(other.record), {"dice": 1.0})  # another job's
    for name in ("write_methods", "write_training_page"):
        monkeypatch.setattr(report, name, lambda *_: None)
    report.run(job, method_of(job))
    assert job.layout.scores(scan.record).is_file(), "nobody has asked for other scores"
    others = tmp_path / "others"
    make(others, f"sub-{scan.subject}_dseg.nii.gz")
    report.run(with_settings(job, truth=others), method_of(job))
    assert f"{others} (--truth); there is " in caplog.text
    assert f"sub-{scan.subject}_dseg.nii.gz." in caplog.text
    assert not job.layout.scores(scan.record).is_file()
    assert not job.layout.figure(scan, "truth").is_file()
    assert job.layout.scores(other.record).is_file()


# ---------------------------------------------------------------------- pages


def page_of(job: Job, subject: str = "tumour0") -> str:
    assert participant_report.write_pages(job) == []
    return job.layout.page("raw", subject).read_text(encoding="utf-8")


def test_a_page_tells_of_all_sessions(tmp_path: Path) -> None:
    scans = []
    for session in ("one", "two"):
        job, scan = segmented(tmp_path, make_head(), session=session)
        mark_preprocessed(job, scan, fingerprint="p", template="")
        scan_report.report_scan(task_of(job, scan, viewer=False))
        scans.append(scan)
    page = page_of(replace(job, selection=Selection(tuple(scans), tuple(scans))))
    for scan in scans:
        assert page.count(f"sub-tumour0/figures/{scan.stem}_desc-tumour_FLAIR.svg") == 2
    for words in ("Dice below 0.5", "right, centre at", "(L)", "Positions are in mm", "0 to 1 bit"):
        assert words in page


def test_a_page_tells_why_a_participant_failed_and_is_escaped(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    (scan,) = job.selected()
    message = "<script>alert('x')</script> & more"
    job.ledger.mark_failure(Failure(Step.PREPROCESS, Identity.of(scan), scan.role, message))
    (job.layout.logs / "run").mkdir()
    (job.layout.logs / "run" / f"crash-preprocess-{scan.slug}.txt").write_text("trace")
    page = page_of(job)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more") == 2
    assert f'href="logs/run/crash-preprocess-{scan.slug}.txt"' in page


@pytest.mark.parametrize(
    ("step", "told"),
    [
        *(("preprocess", False), ("segment", False), ("report", True), ("change", True)),
        *(("t1w", True), ("healthy_twin", True), ("space-MNI152NLin6Asym", True)),
    ],
)
def test_what_fails_later_takes_nothing_from_a_mask(tmp_path: Path, step: str, told: bool) -> None:
    job, scan = segmented(tmp_path, make_head())
    mark_preprocessed(job, scan, fingerprint="p")
    job.ledger.mark_failure(Failure(step, Identity.of(scan), scan.role, "a reason."))
    page = page_of(job)
    assert f"{step} failed: a reason." in page
    assert ("segmented; 1.2 mL are marked" in page) is told
    assert ("low_agreement" in page) is told


def test_a_page_tells_why_the_run_stopped(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    mark_preprocessed(job, *job.selected())
    job.ledger.mark_stop(Stop(Step.TRAIN, "The junior found no tumour."))
    page = page_of(job)
    assert page.count("The junior found no tumour.") == 2  # in the summary, and among the errors
    assert "<p>None.</p>" not in page


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
    for words in ("in 3 FLAIR scans", "2 tumour-free scans were prepared as hosts", "(embedded)"):
        assert words in whole
    for scan in job.selected(Role.TUMOUR):
        assert methods(alone(job, scan)) == whole


def test_the_text_is_of_the_network_that_made_the_masks(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    mark_trained(job)
    starter = write_starter(tmp_path / "more")
    own, (first, second) = {"junior": "a"}, job.selected(Role.TUMOUR)
    own["senior"] = ModelCard.read(job.layout.network(Network.SENIOR)).fingerprint
    given = {"starter": ModelCard.read(starter).fingerprint}

    def made_by(*models: Mapping[str, str]) -> str:
        for scan, one in zip((first, second), models, strict=False):
            job.ledger.mark(Step.SEGMENT, scan.key, "p", scan=scan, models=one)
        return methods(with_settings(job, model=starter))

    assert "Stage 2" in made_by()
    text = made_by(own, own)
    assert "Stage 2" in text
    assert "Scans by the network" not in text
    text = made_by(given, own)
    assert "Stage 2" in text
    assert f"* senior {own['senior']}: 1\n* starter {given['starter']}: 1\n" in text
    text = made_by(given, given)
    assert "segmented by the starter" in text
    assert "Stage 2" not in text
    assert "Scans by the network" not in text


def test_no_training_is_told_of_before_there_is_a_senior(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    for untrained in (job, with_settings(job, steps=(Step.REPORT,))):
        written = methods(untrained)
        assert "There is no trained senior network in the output folder yet." in written
        for words in ("Stage 1", "Stage 2", "was trained", "The senior's tumour probability"):
            assert words not in written
    assert "A senior network" in methods(with_settings(job, boilerplate_only=True)), "the plan"
    mark_trained(job)
    assert "A senior network" in methods(with_settings(job, steps=(Step.REPORT,)))


def test_annotated_scans_that_another_job_preprocessed_are_counted(tmp_path: Path) -> None:
    job = make_job(tmp_path, method=Method.FABRICATION, boilerplate_only=True)
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
    assert "1 tumour-free scans were prepared as hosts" in written
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
    job = with_settings(job, boilerplate_only=True)
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
