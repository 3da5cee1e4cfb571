from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError, StoppedError, UnavailableError, UsageError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.segmentation.uncertainty import other_opinion
from synthtumour_bids.settings import Role, Settings, Step
from synthtumour_bids.steps import (
    cohort,
    given_models,
    mixing,
    plan,
    predictions,
    scratch,
    segment,
    synthesise,
    train,
)
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.pseudo import Labelled
from tests.test_given_models import write_networks


def scan(subject: str, role: Role = Role.TUMOUR, session: str | None = None) -> Scan:
    entities = (("sub", subject),) + ((("ses", session),) if session else ())
    root = Path("/data")
    name = "_".join(f"{key}-{value}" for key, value in entities)
    return Scan(
        root / f"sub-{subject}" / "anat" / f"{name}_FLAIR.nii.gz", entities, "FLAIR", role, root
    )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    scans = tuple(scan(f"{number:02d}") for number in range(4)) + tuple(
        scan(f"hc{number}", Role.TUMOURFREE) for number in range(3)
    )
    settings = Settings(tmp_path / "bids", tmp_path / "out", work_dir=tmp_path / "work")
    for folder in (settings.bids_dir, settings.output_dir, tmp_path / "log"):
        folder.mkdir()
    return Job(settings, Selection(scans, scans), tmp_path / "log")


def preprocess(job: Job, *scans: Scan, print_: str = "p") -> None:
    for one in scans:
        job.stamps.mark("preprocess", one.key, print_, resolution=job.settings.profile.resolution)


def test_steps_are_narrowed_by_level_model_and_reports_only(job: Job) -> None:
    settings = job.settings
    assert plan.steps(settings) == tuple(Step)
    group = dataclasses.replace(settings, analysis_level="group")
    assert plan.steps(group) == (Step.SYNTHESISE, Step.TRAIN, Step.REPORT)
    model = dataclasses.replace(settings, model=settings.output_dir)
    assert plan.steps(model) == (Step.PREPROCESS, Step.SEGMENT, Step.REPORT)
    assert plan.steps(dataclasses.replace(settings, reports_only=True)) == (Step.REPORT,)


def test_preprocessing_at_another_resolution_does_not_count(job: Job) -> None:
    one = job.selection.everything[0]
    job.stamps.mark("preprocess", one.key, "p", resolution=4.0)
    assert job.preprocessing_print(one) is None
    preprocess(job, one)
    assert job.preprocessing_print(one) == "p"


def test_training_is_kept_until_a_scan_it_learned_from_changes(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans[:3])
    model = job.settings.output_dir / "model"
    model.touch()
    cohort.mark(job, "senior", "s", cohort.members(job, scans), [model])
    assert cohort.finished(job, "senior", "s")
    assert not cohort.finished(job, "senior", "other settings")
    preprocess(job, scans[3])  # a new scan alone does not call for training anew
    assert cohort.finished(job, "senior", "s")
    preprocess(job, scans[0], print_="changed")
    assert not cohort.finished(job, "senior", "s")
    preprocess(job, scans[0])
    model.unlink()
    assert not cohort.finished(job, "senior", "s")


def test_what_is_made_of_other_scans_is_not_up_to_date(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans[:3])
    cohort.mark(job, "samples", "s", cohort.members(job, scans), [])
    assert cohort.up_to_date(job, "samples", "s", scans)
    assert not cohort.up_to_date(job, "samples", "s", scans[:2])
    preprocess(job, scans[3])
    assert not cohort.up_to_date(job, "samples", "s", scans)
    assert cohort.up_to_date(job, "samples", "s", scans[:3])


def finish(job: Job, name: str, print_: str) -> Path:
    folder = job.settings.output_dir / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.json").touch()
    used = cohort.members(job, job.selection.everything)
    cohort.mark(job, name, print_, used, [folder / "model.json"])
    return folder


def test_a_finished_junior_fixes_the_hosts_of_what_is_still_to_be_made(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans[:5])
    assert train.known_to_junior(job, scans) == list(scans)
    finish(job, "junior", train.junior_print(job))
    preprocess(job, *scans)
    assert train.known_to_junior(job, scans) == list(scans[:5])


def test_retraining_starts_anew_once_and_then_goes_on(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    preprocess(job, *job.selection.everything)
    old = [finish(job, "junior", train.junior_print(job))]
    old.append(finish(job, "senior", train.senior_print(job)))
    retraining = dataclasses.replace(job, settings=dataclasses.replace(job.settings, retrain=True))
    assert not train.junior_is_finished(retraining)
    with pytest.raises(DataError, match="run the synthesise step first"):
        train.run(retraining)
    assert all(folder.exists() for folder in old)  # nothing to learn from: nothing is removed
    synthesise.samples_file(job).parent.mkdir(parents=True)
    synthesise.samples_file(job).write_text("[]")

    def stopped(_: Job) -> None:
        raise StoppedError("no time left")

    monkeypatch.setattr(train, "train_junior", stopped)
    with pytest.raises(StoppedError):
        train.run(retraining)
    assert not any(folder.exists() for folder in old)
    new = finish(job, "junior", train.junior_print(job))
    assert train.junior_is_finished(retraining)
    with pytest.raises(StoppedError):
        train.run(retraining)
    assert new.exists()
    monkeypatch.setattr(train, "train_junior", lambda _: None)
    monkeypatch.setattr(train, "train_senior", lambda _: None)
    train.run(retraining)
    assert not train.junior_is_finished(retraining)  # the next --retrain is a new one


def test_hosts_keep_the_side_that_their_samples_were_drawn_for(job: Job) -> None:
    hosts = [one for one in job.selection.everything if one.role is Role.TUMOURFREE]
    preprocess(job, *hosts)
    path = synthesise.samples_file(job)
    path.parent.mkdir(parents=True)
    sides = {hosts[0]: "shifted", hosts[1]: "train"}
    path.write_text(json.dumps([{"host": h.key, "purpose": side} for h, side in sides.items()]))
    assert synthesise.sides(job) == ([hosts[1]], [hosts[0]])


def test_hosts_stay_on_their_side_when_a_finished_junior_has_not_seen_all_of_them(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tuple(scan(f"hc{number:02d}", Role.TUMOURFREE) for number in range(40))
    profile = dataclasses.replace(job.settings.profile, n_train=12, n_shifted=6)
    settings = dataclasses.replace(job.settings, profile=profile)
    job = dataclasses.replace(job, settings=settings, selection=Selection(hosts, hosts))
    preprocess(job, *hosts)
    drawn = []

    def draw(task: synthesise.Task) -> list[dict[str, str]]:
        drawn.append(task.host.key)
        paths = {"image": "", "label": ""}
        return [
            {"name": "", "purpose": task.purpose, "host": task.host.key, **paths}
            for _ in task.indices
        ]

    monkeypatch.setattr(synthesise, "draw", draw)
    monkeypatch.setattr(synthesise, "draw_samples", lambda *_: None)
    synthesise.run(job)
    training, shifted = synthesise.sides(job)
    assert (len(training), len(shifted)) == (12, 6)
    assert len(drawn) == 18
    synthesise.run(job)
    assert len(drawn) == 18  # hosts without a sample do not call for drawing anew

    junior = job.models_dir / "junior.json"
    junior.parent.mkdir(parents=True)
    junior.touch()
    seen = cohort.members(job, [*training, *shifted])
    keys = [one.key for one in shifted]
    cohort.mark(job, "junior", train.junior_print(job), seen, [junior], shifted=keys)
    assert synthesise.run(job)[0].status is Status.SKIPPED
    synthesise.samples_file(job).unlink()  # another node's work folder
    synthesise.run(job)
    assert len(drawn) == 36
    assert synthesise.sides(job) == (training, shifted)


def test_segmenting_what_is_not_preprocessed_fails_with_the_flag(job: Job) -> None:
    for name in ("junior", "senior"):
        folder = job.models_dir / name / "fold_0"
        folder.mkdir(parents=True)
        (folder / "checkpoint_best.pth").touch()
        (folder.parent / "model.json").write_text("{}")
    alone = dataclasses.replace(
        job, settings=dataclasses.replace(job.settings, steps=(Step.SEGMENT, Step.REPORT))
    )
    records = segment.run(alone)
    assert [record.status for record in records] == [Status.FAILED] * 4
    assert "Run --steps preprocess first, with the same --profile" in records[0].message
    assert segment.run(job) == []  # whole runs have told why each was not preprocessed


def test_the_first_crash_ends_the_run_where_that_is_asked_for(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthtumour_bids import app
    from synthtumour_bids.steps import preprocess as preprocessing

    states = (Status.DONE, Status.FAILED)
    records = [ScanOutcome(state, "preprocess", state) for state in states]
    monkeypatch.setattr(preprocessing, "run", lambda _: records)
    learned = []
    monkeypatch.setattr(app, "_learn", lambda *_: learned.append("learned") or [])
    monkeypatch.setattr(segment, "run", lambda _: learned.append("segmented") or [])
    monkeypatch.setattr(app, "_report", lambda *_: [])
    first = dataclasses.replace(
        job, settings=dataclasses.replace(job.settings, stop_on_first_crash=True)
    )
    assert app._run_steps(first) == records
    assert learned == []
    app._run_steps(job)
    assert learned == ["learned", "segmented"]


def test_a_stop_is_obeyed_while_finished_scans_are_looked_at(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthtumour_bids.steps import preprocess as preprocessing

    def stopped(_: object) -> str:
        raise StoppedError("no time left")

    preprocess(job, job.selection.everything[0])
    monkeypatch.setattr(preprocessing.Task, "fingerprint", stopped)
    with pytest.raises(StoppedError):
        preprocessing.run(job)


def test_the_second_opinion_is_that_of_the_mirrored_scan() -> None:
    one, other = np.random.default_rng(0).normal(0, 3, (2, 1000))
    both = special.expit((one + other) / 2).astype(np.float32)  # nnU-Net's mean of logits
    found = other_opinion(both, special.expit(one).astype(np.float32))
    assert np.allclose(found, special.expit(other), atol=1e-3)


def test_settings_that_matter_change_the_prints_of_what_depends_on_them(job: Job) -> None:
    held = dataclasses.replace(job, settings=dataclasses.replace(job.settings, hold_out=("01",)))
    assert train.junior_print(held) == train.junior_print(job)
    assert train.senior_print(held) != train.senior_print(job)
    seeded = dataclasses.replace(job, settings=dataclasses.replace(job.settings, seed=1))
    assert synthesise.settings_print(seeded) != synthesise.settings_print(job)
    assert train.junior_print(seeded) != train.junior_print(job)
    priors = job.settings.output_dir / "priors.json"
    own = dataclasses.replace(job, settings=dataclasses.replace(job.settings, priors=priors))
    priors.write_text("{}")
    assert synthesise.settings_print(own) == synthesise.settings_print(job)
    priors.write_text(json.dumps({"common": {"open_core_probability": 0.0}}))
    assert synthesise.settings_print(own) != synthesise.settings_print(job)
    device = dataclasses.replace(job, settings=dataclasses.replace(job.settings, device="cpu"))
    assert train.senior_print(device) == train.senior_print(job)


def test_visits_of_one_person_stay_on_one_side() -> None:
    labelled = [
        Labelled(scan(f"{person:02d}", session=visit), Path("label"))
        for person in range(10)
        for visit in ("a", "b")
    ]
    training, validation = mixing.split_tumours(labelled, seed=1)
    assert validation
    assert not {item.scan.subject for item in training} & {item.scan.subject for item in validation}
    assert len(training) + len(validation) == 20


def test_few_tumours_all_train() -> None:
    labelled = [Labelled(scan("01"), Path("label")), Labelled(scan("02"), Path("label"))]
    assert mixing.split_tumours(labelled, seed=1) == (labelled, [])


def test_too_few_tumourfree_scans_are_explained(job: Job) -> None:
    preprocess(job, *[one for one in job.selection.everything if one.subject == "hc0"])
    with pytest.raises(DataError, match=r"at least 2 tumour-free participants.*--tumourfree-dir"):
        synthesise.run(job)


def test_a_missing_network_is_named(job: Job) -> None:
    with pytest.raises(UnavailableError, match="checkpoint_best"):
        predictions.model_print(job.models_dir / "senior")
    with pytest.raises(UnavailableError, match="No trained junior"):
        predictions.predict(job, "junior", [])


def test_contrasts_do_not_share_an_output_folder(job: Job) -> None:
    preprocess(job, job.selection.everything[0])
    plan.check_contrast(job.settings)
    with pytest.raises(UsageError, match="FLAIR"):
        plan.check_contrast(dataclasses.replace(job.settings, contrast="T2w"))


def test_a_model_brings_its_resolution_and_refuses_other_contrasts(job: Job) -> None:
    models = write_networks(job.settings.output_dir / "models")
    model = {"Contrast": "FLAIR", "Resolution": 2.0, "Lesion": "stroke"}
    (models / "senior" / "model.json").write_text(json.dumps(model))
    settings = dataclasses.replace(job.settings, model=job.settings.output_dir)
    taken = given_models.with_model(settings)
    assert taken.model == job.settings.output_dir / "models"
    assert taken.profile.resolution == 2.0
    assert taken.lesion == "stroke"
    with pytest.raises(UsageError, match="--contrast"):
        given_models.with_model(dataclasses.replace(settings, contrast="T1w"))


def test_scratch_of_a_whole_run_is_removed_and_nothing_else(job: Job) -> None:
    from synthtumour_bids.execution.outcome import Outcome

    work = job.settings.work_dir
    (work / "stage_one").mkdir(parents=True)
    (work / "mine.txt").touch()
    some = dataclasses.replace(
        job, settings=dataclasses.replace(job.settings, participant_label=("01",))
    )
    scratch.clean_work(some, Outcome())
    assert (work / "stage_one").is_dir()
    scratch.clean_work(job, Outcome())
    assert [path.name for path in work.iterdir()] == ["mine.txt"]


def test_outputs_that_share_a_work_folder_keep_their_scratch_apart(job: Job) -> None:
    one = scratch.with_own_work_dir(job.settings)
    other = dataclasses.replace(job.settings, output_dir=job.settings.output_dir / "other")
    assert one.work_dir.parent == job.settings.work_dir
    assert scratch.with_own_work_dir(job.settings) == one
    assert scratch.with_own_work_dir(other).work_dir not in (one.work_dir, job.settings.work_dir)
    # Moved or mounted elsewhere, an output finds its scratch again.
    moved = job.settings.output_dir.rename(job.settings.output_dir.with_name("moved"))
    again = scratch.with_own_work_dir(dataclasses.replace(job.settings, output_dir=moved))
    assert again.work_dir == one.work_dir
    assert [path.name for path in (moved / "logs").iterdir()] == ["output_id"]


def test_the_scratch_keeps_its_name_without_hard_links(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as on exFAT and many SMB shares

    monkeypatch.setattr("os.link", refuse)
    one = scratch.with_own_work_dir(job.settings)
    assert scratch.with_own_work_dir(job.settings) == one
    logs = job.settings.output_dir / "logs"
    assert [path.name for path in logs.iterdir()] == ["output_id"]


def test_a_work_folder_inside_the_output_is_taken_as_it_is(job: Job) -> None:
    inside = dataclasses.replace(job.settings, work_dir=job.settings.output_dir / "work")
    assert scratch.with_own_work_dir(inside) == inside


def test_samples_are_drawn_again_while_the_senior_may_need_them(job: Job) -> None:
    # The junior is trained, but on another node: its samples are not in this work folder.
    for name in ("junior", "senior"):
        assert not train.is_finished(job, name)
    cohort.mark(job, "junior", train.junior_print(job), {}, [])
    elsewhere = job.settings.output_dir / "samples.json"
    elsewhere.touch()
    cohort.mark(job, "stage_one", synthesise.settings_print(job), {}, [elsewhere])
    with pytest.raises(DataError, match="at least 2 tumour-free participants"):
        synthesise.run(job)
    cohort.mark(job, "senior", train.senior_print(job), {}, [])
    assert [record.status.value for record in synthesise.run(job)] == ["skipped"]
