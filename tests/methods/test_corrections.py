"""Corrected masks: when they call for a new senior, and in whose place they teach."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import corrections, lineage
from synthtumour_bids.methods.label_free import known_cases, senior, stage_one
from synthtumour_bids.methods.label_free.senior import real_case, with_corrected
from synthtumour_bids.methods.label_free.stage_two import split_tumours
from synthtumour_bids.methods.learners import learnable
from synthtumour_bids.methods.pseudo_labels import Labelled
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.settings import Role
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_drawn,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_settings,
    write_network,
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = make_job(tmp_path, tumours=3, tumourfree=2)
    mark_preprocessed(job, *job.selection.everything)
    return job


def with_masks(job: Job, **masks: bytes) -> Job:
    """The job with corrected masks of tumour scans, by their subjects."""
    folder = job.settings.output_dir.parent / "edited"
    folder.mkdir(exist_ok=True)
    found = {}
    for scan in job.selection.everything:
        if scan.subject in masks:
            found[scan.key] = folder / scan.name
            found[scan.key].write_bytes(masks[scan.subject])
    selection = dataclasses.replace(job.selection, corrections=found)
    job = dataclasses.replace(job, selection=selection)
    return with_settings(job, corrections=folder)


def carry(job: Job, emptied: tuple[str, ...] = ()) -> None:
    """Say that all corrected masks are on the template grid, and which subjects' are empty."""
    for scan in job.selection.everything:
        if (current := corrections.in_effect(job).get(scan.key)) is not None:
            record = job.preprocessing(scan)
            assert record is not None
            about: dict[str, Any] = {corrections.PREPROCESSING: record.fingerprint}
            if scan.subject in emptied:
                about[corrections.EMPTY] = True
            job.ledger.mark(corrections.STEP, scan.key, current, scan=scan, **about)


def is_finished(job: Job) -> tuple[bool, ...]:
    return tuple(lineage.is_finished(job, method_of(job), network) for network in Network)


def test_new_corrections_retrain_the_senior_and_nothing_else(job: Job) -> None:
    mark_trained(job)
    assert is_finished(job) == (True, True)
    given = with_masks(job, tumour0=b"a")
    assert is_finished(given) == (True, False)
    carry(given)
    mark_trained(given, Network.SENIOR, corrections=corrections.carried(given))
    assert is_finished(given) == (True, True)
    assert is_finished(with_masks(job, tumour0=b"edited again")) == (True, False)
    assert is_finished(with_masks(job, tumour0=b"a", tumour1=b"b")) == (True, False)
    assert is_finished(with_masks(job)) == (True, False), "taken back"
    with_masks(job, tumour0=b"a")
    assert is_finished(job) == (True, True), "what was said before still counts without the flag"
    assert corrections.carried(job) == corrections.carried(given)
    held_out = with_settings(given, hold_out=("tumour0",))
    assert corrections.in_effect(held_out) == {}


def test_refused_masks_and_those_of_scans_that_validate_call_for_no_training(job: Job) -> None:
    given = with_masks(job, tumour0=b"a", tumour1=b"b")
    refused, validating, *_ = job.selection.everything
    current = corrections.in_effect(given)[refused.key]
    job.ledger.mark(corrections.STEP, refused.key, current, scan=refused, refused=True)
    assert set(corrections.in_effect(given)) == {validating.key}
    mark_trained(job, validating=[validating.key])
    assert is_finished(given) == (True, True)
    mended = with_masks(job, tumour0=b"mended", tumour1=b"b")
    assert is_finished(mended) == (True, False)
    assert corrections.teachable(job) == {"sub-tumour0_FLAIR", "sub-tumour2_FLAIR"}


def test_a_mask_of_whoever_is_held_out_by_another_name_teaches_nobody(job: Job) -> None:
    first, second, third, *_ = job.selection.everything
    held_out = with_settings(with_masks(job, tumour1=b"b", tumour2=b"c"), hold_out=("tumour0",))
    mark_trained(held_out, corrections=dict.fromkeys((second.key, third.key), "of before"))
    mark_preprocessed(job, first, second, image="of one person")
    assert set(corrections.in_effect(held_out)) == {third.key}
    assert corrections.teachable(held_out) == set()
    current = corrections.in_effect(held_out)[third.key]
    mark_trained(held_out, corrections={second.key: "taught nothing", third.key: current})
    assert is_finished(held_out) == (True, True), "of a version before, which had noted it"
    assert corrections.teachable(with_masks(held_out)) == set()
    mark_trained(held_out)
    assert corrections.teachable(held_out) == {third.name}


def test_a_new_session_of_whoever_chooses_the_epoch_calls_for_no_training(tmp_path: Path) -> None:
    scans = [make_scan(tmp_path / "bids", f"{n}", session=s) for n in (1, 2) for s in ("a", "b")]
    chooses, new, teaches, other = scans
    job = make_job(tmp_path, scans=tuple(scans))
    mark_preprocessed(job, *scans, fingerprint="p")
    mark_trained(job, validating=[chooses.key])
    assert corrections.teachable(job) == {teaches.name, other.name}
    given = with_masks(job, **{"1": b"x"})
    assert set(corrections.in_effect(given)) == {chooses.key, new.key}
    assert is_finished(given) == (True, True)
    assert is_finished(with_masks(job, **{"2": b"x"})) == (True, False)
    write_network(job.layout.network(Network.SENIOR), validation_cases=(f"val-{chooses.stem}",))
    mark_trained(job, Network.JUNIOR)
    job.ledger.mark(COHORT, Network.SENIOR, "of a version that did not tell", members={})
    assert corrections.teachable(job) == {teaches.name, other.name}


@given(
    accepted=st.sets(st.integers(0, 9)),
    corrected=st.sets(st.integers(0, 9)),
    erased=st.sets(st.integers(0, 9)),
    seed=st.integers(0, 9),
)
def test_corrected_masks_teach_and_never_validate(
    accepted: set[int], corrected: set[int], erased: set[int], seed: int
) -> None:
    def labels(persons: set[int], *, corrected: bool = False) -> list[Labelled]:
        root = Path("/d")
        return [Labelled(make_scan(root, f"{n}"), Path("l"), corrected) for n in sorted(persons)]

    train, validation = split_tumours(labels(accepted), seed)
    persons = {item.scan.person for item in validation}
    own, emptied = labels(corrected, corrected=True), corrected & erased
    keys = {item.scan.key for item in own if int(item.scan.subject) in emptied}
    learned, in_vain = with_corrected(train, persons, own, keys)
    by_person = {int(item.scan.subject): item.corrected for item in learned}
    validating = {int(item.scan.subject) for item in validation}
    assert not validating & set(by_person)
    drawn = corrected - validating - emptied
    assert {person for person, own in by_person.items() if own} == drawn
    assert set(by_person) == (accepted | corrected) - validating - emptied
    assert len(in_vain) == len(corrected & validating)


def test_an_emptied_mask_leaves_its_scan_without_a_label_and_is_not_counted(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = with_masks(job, tumour0=b"empty", tumour1=b"drawn")
    carry(given, emptied=("tumour0",))
    tumours = learnable(given, Role.TUMOUR)
    pseudo = [Labelled(scan, Path("l")) for scan in tumours]
    recorded: list[set[str]] = []
    monkeypatch.setattr(senior, "judge", lambda *_: ([], pseudo))
    monkeypatch.setattr(senior, "record_pseudo_labels", lambda *one: recorded.extend(one[2:]))
    recipe = method_of(given).recipe
    train, validation = senior.label(given, recipe, given.model(Network.JUNIOR), tumours)
    assert {item.scan.subject: item.corrected for item in train} == {
        "tumour1": True,
        "tumour2": False,
    }
    assert not validation
    used, corrected = recorded
    assert not any("tumour0" in key for key in used | corrected)

    def make(job: Job, *_: object, **__: object) -> list[Case]:
        known_cases.keep(job, [])
        return [real_case(job, item, "train") for item in train]

    hosts = [scan for scan in given.selection.everything if scan.role is Role.TUMOURFREE]
    write_network(given.layout.network(Network.JUNIOR), Network.JUNIOR)
    mark_trained(given, Network.JUNIOR, members=given.preprocessing_fingerprints(hosts))
    samples = [
        stage_one.Sample(side, side, host.key, Path("i"), Path("l"), host.person).to_json()
        for side, host in zip((stage_one.TRAIN, stage_one.SHIFTED), hosts, strict=True)
    ]
    write_json(given.settings.work_dir / "stage_one" / "samples.json", samples)
    mark_drawn(given)
    monkeypatch.setattr(senior, "make_cases", make)
    material = method_of(given).material(given, Network.SENIOR)
    assert material.details["corrections"] == corrections.carried(given)
    assert material.card["Corrections"]["Scans"] == [tumours[1].uri]


def test_corrected_scans_weigh_more(job: Job) -> None:
    scan = job.selection.everything[0]
    plain, edited = (
        real_case(job, Labelled(scan, Path("l"), own), "train") for own in (False, True)
    )
    assert (plain.times, edited.times) == (1, corrections.TIMES)
    details = corrections.details_of([edited], [scan], {scan.key: "f"})
    assert details == {"corrections": {scan.key: "f"}, "validating": []}
    card = corrections.card_of([scan], details["corrections"])
    assert card["Corrections"]["Count"] == 1
    assert corrections.card_of([scan], {}) == {}
