"""What every step of a run shares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from synthtumour_bids.execution.pool import Result
from synthtumour_bids.job import cluster_of, steps_of
from synthtumour_bids.settings import Role, Step
from tests.builders.jobs import make_job, make_scan, mark_preprocessed, with_settings


def test_steps_are_narrowed_by_level_model_and_reports_only(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    assert job.steps == tuple(Step)
    group = with_settings(job, analysis_level="group")
    assert group.steps == (Step.SYNTHESISE, Step.TRAIN, Step.REPORT)
    model = with_settings(job, model=job.settings.output_dir)
    assert model.steps == (Step.PREPROCESS, Step.SEGMENT, Step.REPORT)
    assert steps_of(with_settings(job, reports_only=True).settings) == (Step.REPORT,)


def test_preprocessing_at_another_resolution_does_not_count(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    one = job.selection.everything[0]
    mark_preprocessed(job, one, resolution=1.0)
    assert job.preprocessing(one) is None
    mark_preprocessed(job, one, fingerprint="p")
    record = job.preprocessing(one)
    assert record is not None
    assert record.fingerprint == "p"


def test_dask_workers_must_see_all_files_that_they_read(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("priors", "lesion_place")}
    for path in files.values():
        path.touch()
    job = make_job(tmp_path / "job", dask_scheduler="tcp://host:1", **files)
    cluster = cluster_of(job.settings)
    assert cluster is not None
    assert {*files.values(), job.settings.bids_dir, job.settings.output_dir} <= {*cluster.paths}
    assert cluster_of(make_job(tmp_path / "other").settings) is None


def test_one_image_under_two_names_is_one_person(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=3, tumourfree=3)
    tumours = job.selected(Role.TUMOUR)
    hosts = job.selected(Role.TUMOURFREE)
    images = ["a", "b", "a", "c", "c", "b"]
    for scan, image in zip([*tumours, *hosts], images, strict=True):
        mark_preprocessed(job, scan, image=image)
    persons = [scan.person for scan in job.preprocessed(Role.TUMOUR)]
    assert persons == [tumours[0].person, tumours[1].person, tumours[0].person]
    assert [scan.key for scan in job.preprocessed(Role.TUMOURFREE)] == [h.key for h in hosts[:2]]
    assert {scan.person for scan in job.preprocessed(Role.TUMOURFREE)} == {hosts[0].person}
    assert job.preprocessed(Role.TUMOUR) == tumours, "a scan is what it was"


def test_all_scans_of_two_names_that_share_an_image_are_of_one_person(tmp_path: Path) -> None:
    root = tmp_path / "bids"
    named = (("01", "1"), ("02", "1"), ("02", "2"), ("03", "1"), ("03", "2"), ("04", "1"))
    scans = tuple(make_scan(root, name, session=session) for name, session in named)
    job = make_job(tmp_path, scans=scans)
    for scan, image in zip(scans, "abccde", strict=True):
        mark_preprocessed(job, scan, fingerprint="p", image=image)
    # 03 is 02 by its first scan; its second has the image of no other person.
    persons = ["raw/01", "raw/02", "raw/02", "raw/02", "raw/02", "raw/04"]
    assert [scan.person for scan in job.preprocessed(Role.TUMOUR)] == persons
    assert [scan.person for scan in job.to_segment()] == persons
    for scan, image in zip(scans, "aabbcc", strict=True):  # a chain of copies
        mark_preprocessed(job, scan, fingerprint="p", image=image)
    assert {scan.person for scan in job.preprocessed(Role.TUMOUR)} == {"raw/01"}


def test_who_has_a_tumour_by_one_name_is_nowhere_tumour_free(tmp_path: Path) -> None:
    root = tmp_path / "bids"
    patient = make_scan(root, "p")
    control = [
        make_scan(root, "c", Role.TUMOURFREE, session, "tumourfree") for session in ("1", "2")
    ]
    other = make_scan(root, "d", Role.TUMOURFREE, dataset="tumourfree")
    job = make_job(tmp_path, scans=(patient, *control, other))
    for scan, image in zip((patient, *control, other), "aabc", strict=True):
        mark_preprocessed(job, scan, fingerprint="p", image=image)
    assert [scan.subject for scan in job.preprocessed(Role.TUMOURFREE)] == ["d"]


def test_stamps_without_a_hash_of_the_image_tell_nothing(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    mark_preprocessed(job, *job.selected())
    assert job.copies() == {}


def test_a_trace_is_kept_where_the_folder_of_the_log_was_removed_meanwhile(tmp_path: Path) -> None:
    job = replace(make_job(tmp_path), log_dir=tmp_path / "out" / "logs" / "gone")
    scan = job.selected()[0]
    result = Result(scan, error="it broke", trace="Traceback: it broke")
    (outcome,) = job.record(Step.SEGMENT, [result], lambda item: item)
    assert outcome.message == "it broke"
    assert Path(outcome.log).read_text() == "Traceback: it broke"
