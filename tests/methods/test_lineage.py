"""Which finished network is still good."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import lineage
from synthtumour_bids.settings import Role
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_settings,
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    root = tmp_path / "bids"
    tumours = [make_scan(root, f"{number:02d}") for number in range(4)]
    hosts = [make_scan(root, f"hc{number}", Role.TUMOURFREE) for number in range(3)]
    return make_job(tmp_path, scans=(*tumours, *hosts))


def preprocess(job: Job, *scans, fingerprint: str = "p") -> None:
    mark_preprocessed(job, *scans, fingerprint=fingerprint)


def test_training_is_kept_until_a_scan_it_learned_from_changes(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans[:3])
    model = job.settings.output_dir / "model"
    model.write_text("a network")
    members = job.preprocessing_fingerprints(scans)
    job.ledger.mark(COHORT, "senior", "s", [model], members=members)
    assert lineage.finished(job, "senior", "s")
    assert not lineage.finished(job, "senior", "other settings")
    preprocess(job, scans[3])  # a new scan alone does not call for training anew
    assert lineage.finished(job, "senior", "s")
    preprocess(job, scans[0], fingerprint="changed")
    assert not lineage.finished(job, "senior", "s")
    preprocess(job, scans[0])
    model.unlink()
    job.ledger.forget()
    assert not lineage.finished(job, "senior", "s")


def test_what_is_made_of_other_scans_is_not_up_to_date(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans[:3])
    members = job.preprocessing_fingerprints(scans)
    job.ledger.mark(COHORT, "samples", "s", members=members)
    assert lineage.is_made_from(job, "samples", "s", scans)
    assert not lineage.is_made_from(job, "samples", "s", scans[:2])
    preprocess(job, scans[3])
    assert not lineage.is_made_from(job, "samples", "s", scans)
    assert lineage.is_made_from(job, "samples", "s", scans[:3])


def test_scans_of_which_nothing_could_be_made_teach_nobody(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans)
    members = job.preprocessing_fingerprints(scans)
    job.ledger.mark(COHORT, "samples", "s", members=members, failed=[scans[1].key])
    assert not lineage.is_made_from(job, "samples", "s", scans), "it is tried again"
    others = [scan for scan in scans if scan is not scans[1]]
    assert lineage.made_from(job, "samples", "s", scans) == others
    assert lineage.made_from(job, "samples", "s", others) == others


def test_samples_in_another_work_folder_are_not_those_that_the_stamp_tells_of(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans)
    members = job.preprocessing_fingerprints(scans)
    other = with_settings(job, work_dir=job.settings.work_dir.with_name("other"))
    for run, settings in ((job, "glioma"), (other, "metastasis")):
        path = run.settings.work_dir / "list.json"
        lineage.begin_samples(run, "samples", path)
        write_json(path, [])
        lineage.mark_samples(run, "samples", settings, [path], members=members)
    job.ledger.forget()
    assert lineage.is_made_from(other, "samples", "metastasis", scans)
    older = with_settings(job, work_dir=job.settings.work_dir.with_name("older"))
    assert not lineage.is_made_from(older, "samples", "metastasis", scans), "nothing says so there"
    for settings in ("glioma", "metastasis"):
        assert not lineage.is_made_from(job, "samples", settings, scans)
        with pytest.raises(DataError, match="are not those of this run"):
            lineage.made_from(job, "samples", settings, scans)


def test_samples_of_a_version_before_are_kept(job: Job) -> None:
    scans = job.selection.everything
    preprocess(job, *scans)
    members = job.preprocessing_fingerprints(scans)
    job.ledger.mark(COHORT, "samples", "s", members=members)
    assert lineage.lie_here(job, "samples")
    assert lineage.made_from(job, "samples", "s", scans) == list(scans)


def test_a_finished_junior_fixes_the_hosts_of_what_is_still_to_be_made(job: Job) -> None:
    scans, method = job.selection.everything, method_of(job)
    preprocess(job, *scans[:5])
    assert lineage.known_before(job, method, scans) == list(scans)
    mark_trained(job, Network.JUNIOR, members=job.preprocessing_fingerprints(scans))
    preprocess(job, *scans)
    assert lineage.known_before(job, method, scans) == list(scans[:5])


def test_given_networks_are_finished(job: Job) -> None:
    method = method_of(job)
    assert not lineage.is_trained(job, method)
    assert lineage.is_trained(with_settings(job, model=job.layout.models), method)


def test_settings_that_matter_change_the_fingerprints_of_what_depends_on_them(job: Job) -> None:
    def fingerprints(**changes: object) -> tuple[str, ...]:
        other = with_settings(job, **changes)
        return tuple(method_of(other).fingerprint(other, network) for network in Network)

    junior, senior = fingerprints()
    assert fingerprints(hold_out=("01",))[0] == junior
    assert fingerprints(hold_out=("01",))[1] != senior
    assert fingerprints(seed=1)[0] != junior
    assert fingerprints(preset="reference")[0] != junior
    priors = job.settings.output_dir / "priors.json"
    priors.write_text("{}")
    assert fingerprints(priors=priors) == (junior, senior)
    priors.write_text('{"common": {"open_core_probability": 0.0}}')
    assert fingerprints(priors=priors)[0] != junior
    assert fingerprints(device="cpu") == (junior, senior)
    assert fingerprints(keep_mask=True) == (junior, senior), "a finished training stays"
