"""A small network is calibrated on cases that are known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.calibration import Answer, calibrate, calibration_of, spread
from synthtumour_bids.methods.label_free import known_cases, stage_two
from synthtumour_bids.methods.label_free.stage_one_samples import TRAIN, Sample
from synthtumour_bids.methods.pseudo_labels import KIND
from synthtumour_bids.methods.segmenter import Segmenter
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import CARD
from synthtumour_bids.segmentation.reliability import PICTURE
from tests.builders.blob_cases import write_cases
from tests.builders.jobs import (
    make_job,
    mark_preprocessed,
    method_of,
    with_settings,
    write_network,
)
from tests.builders.networks import SHAPE, VOXEL


@pytest.fixture
def job(tmp_path: Path, model: Path) -> Job:
    """A run with a trained senior that was not calibrated."""
    job = make_job(tmp_path, tumours=1, tumourfree=0)
    mark_preprocessed(job, *job.selection.everything)
    folder = job.layout.network(Network.SENIOR)
    shutil.copytree(model, folder)
    write_network(folder, Network.SENIOR, resolution=VOXEL)
    return job


def known(job: Job, count: int) -> list[Case]:
    cases = write_cases(job.settings.work_dir / "blobs", 0, count, shape=SHAPE, voxel=VOXEL)
    return [replace(case, kind="mixes") for case in cases]


def test_a_senior_is_calibrated_once_and_on_no_pseudo_label(job: Job) -> None:
    *drawn, last = known(job, 9)
    guessed = replace(last, kind=KIND)
    path = job.layout.scratch(Scratch.STAGE_TWO) / "cases.json"
    senior, method = job.model(Network.SENIOR), method_of(job)
    calibrate(job, method, senior)  # its cases are gone
    assert senior.card.calibration is None
    write_json(path, [case.to_json() for case in (*drawn, guessed)])
    weights = senior.card.fingerprint
    calibrate(job, method, senior)
    calibration = senior.card.calibration
    assert calibration is not None
    assert calibration.cases == 8
    assert calibration.after.error <= calibration.before.error
    assert senior.card.fingerprint == weights
    assert (senior.folder / PICTURE).is_file()
    card = (senior.folder / CARD).read_bytes()
    path.unlink()
    calibrate(job, method, senior)
    assert (senior.folder / CARD).read_bytes() == card


def test_the_log_tells_on_how_many_cases_and_of_which_kinds(
    job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    cases = [replace(case, kind="ab"[n % 2]) for n, case in enumerate(known(job, 8))]
    path = job.layout.scratch(Scratch.STAGE_TWO) / "cases.json"
    write_json(path, [case.to_json() for case in cases])
    with caplog.at_level("INFO"):
        calibrate(job, method_of(job), job.model(Network.SENIOR))
    assert "calibrated on 8 cases with known tumours (a, b): temperature" in caplog.text


def test_a_network_that_threads_share_says_the_same(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    senior, method = job.model(Network.SENIOR), method_of(job)
    write_json(
        job.layout.scratch(Scratch.STAGE_TWO) / "cases.json",
        [case.to_json() for case in known(job, 9)],
    )
    uncalibrated, found = (senior.folder / CARD).read_bytes(), set()
    for at_once in (1, 3):
        (senior.folder / CARD).write_bytes(uncalibrated)
        monkeypatch.setattr(Segmenter, "at_once", at_once)
        calibrate(job, method, senior)
        found.add((senior.folder / CARD).read_bytes())
    assert len(found) == 1
    assert uncalibrated not in found


@pytest.mark.parametrize(("n_mixes", "origins"), [(16, {"mixes"}), (15, {"mixes", "shifted"})])
def test_drawn_tumours_calibrate_where_mixes_are_few(
    job: Job, n_mixes: int, origins: set[str]
) -> None:
    cases = [
        replace(case, kind="mixes" if number < n_mixes else "shifted")
        for number, case in enumerate(known(job, 20))
    ]
    path = job.layout.scratch(Scratch.STAGE_TWO) / "cases.json"
    write_json(path, [case.to_json() for case in cases])
    assert {case.kind for case in method_of(job).calibration_cases(job)} == origins


def test_mixes_that_were_made_to_calibrate_are_all_that_does(job: Job) -> None:
    made, others = known(job, 20)[:9], known(job, 36)[20:]
    write_json(
        job.layout.scratch(Scratch.STAGE_TWO) / known_cases.CASES,
        [case.to_json() for case in others],
    )
    known_cases.keep(job, made)
    assert method_of(job).calibration_cases(job) == made
    made[0].label.unlink()
    assert method_of(job).calibration_cases(job) == made[1:]
    made[1].label.unlink()
    assert method_of(job).calibration_cases(job) == others, "7 tell nothing of the Dice"


def test_what_lies_in_the_work_folder_of_another_run_calibrates_nothing(job: Job) -> None:
    path = job.layout.scratch(Scratch.STAGE_TWO) / known_cases.CASES
    elsewhere = with_settings(job, work_dir=job.settings.work_dir.with_name("other"))
    lineage.mark_samples(job, stage_two.NAME, "these", [path], members={})
    write_json(path, [case.to_json() for case in known(job, 20)])
    assert len(method_of(job).calibration_cases(job)) == 20
    lineage.mark_samples(elsewhere, stage_two.NAME, "others", [], members={})
    job.ledger.forget()
    assert method_of(job).calibration_cases(job) == []


@pytest.mark.parametrize("hosts", [1, 20])
@pytest.mark.parametrize("tumours", [1, 2])
def test_one_person_s_tumour_is_not_all_that_calibrates(job: Job, tumours: int, hosts: int) -> None:
    made, drawn = known(job, 30)[:20], known(job, 30)[20:]
    made = [
        replace(case, persons=frozenset({f"tumour{number % tumours}", f"host{number % hosts}"}))
        for number, case in enumerate(made)
    ]
    write_json(
        job.layout.scratch(Scratch.STAGE_ONE) / "samples.json",
        [
            Sample(f"s{n}", TRAIN, f"raw/host{n}", Path(), Path(), f"host{n}").to_json()
            for n in range(hosts)
        ],
    )
    drawn = [replace(case, kind="shifted") for case in drawn]
    path = job.layout.scratch(Scratch.STAGE_TWO) / known_cases.CASES
    write_json(path, [case.to_json() for case in drawn])
    known_cases.keep(job, made)
    found = method_of(job).calibration_cases(job)
    assert {case.kind for case in found} == ({"mixes", "shifted"} if tumours == 1 else {"mixes"})


@pytest.mark.parametrize(("factor", "mended"), [(3.0, True), (1.0, False)])
def test_a_temperature_makes_maps_more_reliable(factor: float, mended: bool) -> None:
    """Too sure is mended; of too much, which is another fault, next to nothing is."""
    rng = np.random.default_rng(0)
    true = np.concatenate([np.full(20_000, 0.001), rng.uniform(0.02, 0.98, 2000)])
    labels = rng.random(true.size) < true
    if mended:
        said = special.expit(factor * special.logit(true))
    else:
        said = np.where(true > 0.02, 0.999, true)
    calibration = calibration_of([Answer(said.astype(np.float32), labels, None, 0.8)], "mixes")
    assert calibration is not None
    before, after = calibration.before.error, calibration.after.error
    assert after <= before
    assert (calibration.temperature > 2) == (after < before / 2) == mended
    assert 1 <= calibration.temperature < (4 if mended else 1.1)
    assert calibration.expected_dice is None
    assert calibration_of([], "mixes") is None
    shares = np.linspace(0.3, 0.9, 10)
    known = [Answer(said, labels, share, share) for share in shares]
    silent = Answer(said, labels, None, 0.1)
    line = calibration_of([*known, silent], "mixes").expected_dice  # type: ignore[union-attr]
    assert line is not None
    assert line.masks == 10
    assert line.at(0.6).value == pytest.approx(0.6, abs=0.02)


def test_cases_are_taken_from_every_kind() -> None:
    cases = [
        Case(f"{kind}{number}", Path(), Path(), True, kind=kind)
        for kind, count in (("a", 50), ("b", 3), ("c", 20))
        for number in range(count)
    ]
    chosen = [case.name for case in spread(cases, 24)]
    assert [sum(name[0] == kind for name in chosen) for kind in "abc"] == [11, 3, 10]
    assert {"a0", "a49", "b2", "c0", "c19"} <= set(chosen)
    assert len(set(chosen)) == 24
    assert spread(cases[:2], 24) == cases[:2]
    assert spread([], 24) == []
