"""Who calibrates the verdict, and what is stored of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import Failure, Identity
from synthtumour_bids.methods import control_heads
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation import presence as controls
from synthtumour_bids.segmentation.bundle import MEASURED
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.segmentation.presence import FEWEST_PERSONS, PEOPLE, Controls
from synthtumour_bids.segmentation.presence_file import IN_CARD, PRESENCE, write_controls
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import presence
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_scans,
    with_settings,
    write_network,
)
from tests.builders.training import CALIBRATION

SHAPE = (16, 16, 16)


def cohort(root: Path, held_out: int) -> Job:
    """Held-out people, a host of both networks, and one who came later."""
    folder = root / "bids"
    scans = [make_scan(folder, f"h{number:02d}", Role.HELD_OUT) for number in range(held_out)]
    host, late = (make_scan(folder, name, Role.TUMOURFREE) for name in ("host", "late"))
    job = make_job(root, scans=(*scans, host, late))
    mark_preprocessed(job, *job.selection.everything, fingerprint="p")
    for network in Network:
        mark_trained(job, network, members={host.key: "p"})
    return job


def test_who_taught_a_network_does_not_calibrate_it_by_any_name(tmp_path: Path) -> None:
    job = cohort(tmp_path, held_out=3)
    host, late = job.selection.everything[3:]
    assert [scan.subject for scan in presence.calibrating(job)] == ["h00", "h01", "h02", "late"]
    mark_preprocessed(job, host, late, fingerprint="p", image="the same")
    assert [scan.subject for scan in presence.calibrating(job)] == ["h00", "h01", "h02"]


def test_a_patient_by_another_name_does_not_calibrate(tmp_path: Path) -> None:
    job = cohort(tmp_path, held_out=3)
    patient = make_scan(tmp_path / "bids", "patient")
    job = with_scans(job, *job.selection.everything, patient)
    mark_preprocessed(job, job.selection.everything[1], patient, fingerprint="p", image="the same")
    assert [scan.subject for scan in presence.calibrating(job)] == ["h00", "h02", "late"]


def test_a_copy_is_one_person_where_it_calibrates_and_where_it_is_judged(tmp_path: Path) -> None:
    job = cohort(tmp_path, held_out=3)
    mark_preprocessed(job, *job.selection.everything[:2], fingerprint="p", image="the same")
    assert len({scan.person for scan in presence.calibrating(job)[:3]}) == 2
    assert len({scan.person for scan in job.to_segment()}) == 2


def test_too_few_calibrate_nothing(tmp_path: Path) -> None:
    job = cohort(tmp_path, held_out=FEWEST_PERSONS - 2)
    stale = job.layout.models / PRESENCE
    stale.write_text("{}")
    assert presence.is_done(job)
    assert presence.run(job, method_of(job)) == []
    assert not stale.exists()
    assert presence.witness_of(job).controls is None


@pytest.mark.parametrize("enough", [True, False])
def test_failures_of_those_who_calibrate_no_more_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: bool
) -> None:
    job = cohort(tmp_path, held_out=FEWEST_PERSONS if enough else 3)
    first, host = job.selection.everything[0], job.selection.everything[-2]
    stranger = make_scan(tmp_path / "other", "x", dataset="other")  # of another run
    for scan in (first, host, stranger):
        who = Identity.of(scan)
        job.ledger.mark_failure(Failure(presence.NAME, who, scan.role, "why"))
        job.ledger.mark_failure(Failure(Step.PREPROCESS, who, scan.role, "why"))
    monkeypatch.setattr(presence, "is_done", lambda _: True)
    presence.run(job, method_of(job))
    steps = [failure.step for failure in job.ledger.failures()]
    assert steps.count(Step.PREPROCESS) == 3
    left = {one.scan.key for one in job.ledger.failures() if one.step == presence.NAME}
    assert left == {stranger.key, *([first.key] if enough else [])}


def test_what_tumour_free_scans_look_like_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = cohort(tmp_path, held_out=FEWEST_PERSONS)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[0, 3] = -2.0 * (SHAPE[0] - 1)
    brain = np.ones(SHAPE, np.uint8)

    def predicted(job: Job, model: Model, scans: Sequence[Scan]) -> list[Result[Scan, Path]]:
        """Something bright in the first person; nothing in all others."""
        found = []
        for scan in scans:
            image = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
            probability = np.zeros(SHAPE, np.float32)
            if scan.subject == "h00":
                image[2:6, 5:9, 5:9] += 60
                probability[2:6, 5:9, 5:9] = 0.9
            path = tmp_path / "predictions" / f"{scan.slug}.nii"
            for where, values in (
                (job.layout.standard_image(scan), image),
                (job.layout.standard_brain(scan), brain),
                (path, probability),
            ):
                write_image(where, nib.Nifti1Image(values, affine), {})
            found.append(Result(scan, path))
        return found

    monkeypatch.setattr(presence, "predict", predicted)
    assert not presence.is_done(job)
    outcomes = presence.run(job, method_of(job))
    assert [one.status for one in outcomes] == [Status.DONE] * (FEWEST_PERSONS + 1)
    known = presence.witness_of(job).controls
    assert known is not None
    assert known.source == "tumour-free scans"
    assert len(known.likeness) == FEWEST_PERSONS + 1, "the one who came later calibrates, too"
    assert known.likeness.pop("raw/h00") > 1  # mL · SD
    assert not any(known.likeness.values())
    assert presence.is_done(job)
    assert [one.status for one in presence.run(job, method_of(job))] == [Status.SKIPPED]


def test_simulated_heads_calibrate_where_people_are_too_few(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (presence, controls):
        monkeypatch.setattr(module, "FEWEST_PERSONS", 2)
    profile = replace(PROFILES["sloppy"], n_controls=2)
    job = make_job(tmp_path, tumours=1, tumourfree=1, profile=profile, nprocs=1, device="cpu")
    for network, calibration in ((Network.JUNIOR, None), (Network.SENIOR, CALIBRATION)):
        shutil.copytree(model, job.layout.network(network))
        write_network(job.layout.network(network), network, calibration=calibration)
    assert not presence.is_done(job)
    assert presence.run(job, method_of(job)) == []
    known = presence.witness_of(job).controls
    assert known is not None
    assert known.source == "simulated heads"
    assert len(known.likeness) == 2
    assert presence.is_done(job)
    assert [one.status for one in presence.run(job, method_of(job))] == [Status.SKIPPED]
    # Nothing of before gets a verdict by a new version's heads.
    write_network(job.layout.network(Network.SENIOR), Network.SENIOR)
    assert presence.is_done(job)
    # Nobody has looked at simulated heads of this contrast beside real ones.
    assert not control_heads.possible(with_settings(job, contrast="T2w").settings)


def test_a_starter_that_is_the_junior_needs_no_heads_of_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shipped = Controls("simulated heads", {f"{n:04d}": 1.0 for n in range(79)})
    profile = replace(PROFILES["sloppy"], n_controls=39)
    job = make_job(tmp_path, tumours=1, tumourfree=1, profile=profile)
    junior, senior = (job.layout.network(network) for network in Network)
    write_network(junior, "starter", details={IN_CARD: shipped.to_json(), MEASURED: True})
    write_network(senior, Network.SENIOR, calibration=CALIBRATION)
    assert presence.is_done(job)
    with caplog.at_level("INFO"):
        assert presence.run(job, method_of(job)) == []
    assert "the starter, calibrated by 79 simulated heads, tells" in caplog.text
    assert presence.witness_of(job) == Witness("junior", shipped, beside=True, measured=True)
    # What an earlier version calibrated by simulated heads stays as it is, and so do people of whom
    # nobody is in this run; of those who are, there are too few now.
    (person,) = {scan.person for scan in job.selected(Role.TUMOURFREE)}
    for source, first, status in (
        ("simulated heads", "0000", [Status.SKIPPED]),
        (PEOPLE, "0000", [Status.SKIPPED]),
        (PEOPLE, person, []),
    ):
        own = Controls(source, {first: 2.0, **{f"{n:04d}": 2.0 for n in range(1, 39)}})
        write_controls(job.layout.models, job.main_network.card, own)
        assert [one.status for one in presence.run(job, method_of(job))] == status
        assert presence.witness_of(job).network == ("senior" if status else "junior")
