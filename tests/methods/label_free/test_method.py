"""What junior and senior of SynthTumour learn from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synthtumour_bids.bids.hold_out import with_held_out
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods.base import Material
from synthtumour_bids.methods.label_free import (
    known_cases,
    senior,
    simulated_hosts,
    stage_one,
    stage_two,
)
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
    with_scans,
    with_settings,
    write_network,
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path, tumours=4, tumourfree=3)


def sample(host: Scan, purpose: str, index: int = 0) -> stage_one.Sample:
    name = f"{purpose}-{host.name}-{index}"
    return stage_one.Sample(name, purpose, host.key, Path("i"), Path("l"), host.person)


def store(job: Job, *samples: stage_one.Sample) -> None:
    path = job.settings.work_dir / "stage_one" / "samples.json"
    write_json(path, [one.to_json() for one in samples])
    mark_drawn(job)


def test_hosts_keep_the_side_that_their_samples_were_drawn_for(job: Job) -> None:
    hosts = [one for one in job.selection.everything if one.role is Role.TUMOURFREE]
    mark_preprocessed(job, *hosts)
    store(job, sample(hosts[0], stage_one.SHIFTED), sample(hosts[1], stage_one.TRAIN))
    assert stage_one.sides(job, stage_one.read_samples(job)) == ([hosts[1]], [hosts[0]])
    material = method_of(job).material(job, Network.JUNIOR)
    assert [case.validation for case in material.cases] == [True, False]
    assert material.details == {"shifted": [hosts[0].key]}


def test_hosts_stay_on_their_side_when_a_finished_junior_has_not_seen_all_of_them(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = tuple(make_scan(Path("/d"), f"hc{n:02d}", Role.TUMOURFREE) for n in range(40))
    profile = dataclasses.replace(job.settings.profile, n_train=12, n_shifted=6)
    settings = dataclasses.replace(job.settings, profile=profile)
    job = with_scans(dataclasses.replace(job, settings=settings), *hosts)
    mark_preprocessed(job, *hosts, fingerprint="p")
    drawn = []

    def draw(task: stage_one.DrawTask) -> list[stage_one.Sample]:
        drawn.append(task.host.scan.key)
        samples = [sample(task.host.scan, task.purpose, index) for index in task.indices]
        folder = job.settings.work_dir
        samples = [dataclasses.replace(one, image=folder / f"{one.name}.nii") for one in samples]
        for one in samples:
            write_json(one.image.with_suffix(".json"), {})
        return samples

    monkeypatch.setattr(stage_one, "draw", draw)
    monkeypatch.setattr(stage_one, "draw_sheet", lambda *_: None)
    label_free = method_of(job)
    label_free.make_samples(job)
    sides = stage_one.sides(job, stage_one.read_samples(job))
    assert tuple(map(len, sides)) == (12, 6)
    assert len(drawn) == 18
    label_free.make_samples(job)
    assert len(drawn) == 18  # hosts without a sample do not call for drawing anew

    seen = job.preprocessing_fingerprints([*sides[0], *sides[1]])
    mark_trained(job, Network.JUNIOR, members=seen, shifted=[one.key for one in sides[1]])
    assert label_free.make_samples(job)[0].status is Status.SKIPPED
    (job.settings.work_dir / "stage_one" / "samples.json").unlink()  # another node's work folder
    job.ledger.forget()
    label_free.make_samples(job)
    assert len(drawn) == 36
    assert stage_one.sides(job, stage_one.read_samples(job)) == sides


def test_nothing_is_trained_on_samples_of_another_run(job: Job) -> None:
    hosts = [one for one in job.selection.everything if one.role is Role.TUMOURFREE]
    mark_preprocessed(job, *job.selection.everything, fingerprint="p")
    mark_preprocessed(job, hosts[2], resolution=1.0)  # to come
    store(job, sample(hosts[0], stage_one.SHIFTED), sample(hosts[1], stage_one.TRAIN))
    everyone = job.selection.everything
    held_out = with_held_out(everyone, (hosts[1].subject,))
    for other in (
        with_settings(job, seed=1),
        with_settings(job, lesion="metastasis"),
        with_scans(job, *(scan for scan in everyone if scan != hosts[1])),
        with_scans(with_settings(job, hold_out=(hosts[1].subject,)), *held_out),
    ):
        for looked_at in (
            lambda run: method_of(run).material(run, Network.JUNIOR),
            lambda run: method_of(run).check_material(run),
        ):
            with pytest.raises(DataError, match=r"not those of this run.*--steps synthesise train"):
                looked_at(other)
    mark_preprocessed(job, hosts[2], fingerprint="p")  # one who is new does no harm
    assert len(method_of(job).material(job, Network.JUNIOR).cases) == 2
    mark_preprocessed(job, hosts[0], fingerprint="changed")
    with pytest.raises(DataError, match="scans that have changed"):
        method_of(job).material(job, Network.JUNIOR)


def test_samples_of_which_some_failed_are_learned_from_and_made_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_preprocessed(job, *job.selection.everything)
    tasks = stage_one._tasks(job, method_of(job), method_of(job).recipe)
    training = [one.host.scan.key for one in tasks if one.purpose == stage_one.TRAIN]
    assert len(training) > 1

    def draw(task: stage_one.DrawTask) -> list[stage_one.Sample]:
        if task.host.scan.key == training[0]:
            raise DataError("no tumour fits")
        folder = job.settings.work_dir
        drawn = [sample(task.host.scan, task.purpose, index) for index in task.indices]
        for one in drawn:
            write_json(folder / f"{one.name}.json", {})
        return [dataclasses.replace(one, image=folder / f"{one.name}.nii") for one in drawn]

    monkeypatch.setattr(stage_one, "draw", draw)
    monkeypatch.setattr(stage_one, "draw_sheet", lambda *_: None)
    label_free = method_of(job)
    assert Status.FAILED in [one.status for one in label_free.make_samples(job)]
    assert not label_free.has_samples(job)
    material = label_free.material(job, Network.JUNIOR)
    assert training[0] not in {scan.key for scan in material.scans}
    members = job.preprocessing_fingerprints(material.scans)
    mark_trained(job, Network.JUNIOR, members=members, **material.details)
    label_free.check_material(job)


def test_mixes_that_were_written_over_are_made_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = job.selection.everything
    first, second = [one for one in everyone if one.role is Role.TUMOUR][:2]
    hosts = [one for one in everyone if one.role is Role.TUMOURFREE]
    mark_preprocessed(job, *everyone, fingerprint="p")
    store(job, sample(hosts[0], stage_one.SHIFTED), sample(hosts[1], stage_one.TRAIN))
    write_network(job.layout.network(Network.JUNIOR), Network.JUNIOR)
    mark_trained(job, Network.JUNIOR, members=job.preprocessing_fingerprints(hosts))
    made: list[str] = []

    def make(_: Job, __: Any, ___: Any, tumours: Sequence[Scan], *____: Any, **_____: Any):
        known_cases.keep(job, [])
        made.append(tumours[0].subject)
        if len(made) == 2:
            raise KeyboardInterrupt
        person = frozenset((tumours[0].person,))
        return [Case("mix", Path("image"), Path("label"), validation=False, persons=person)]

    monkeypatch.setattr(senior, "make_cases", make)
    held = with_settings(job, hold_out=(first.subject,))

    def taught(run: Job) -> list[str]:
        run.ledger.forget()
        return [p for c in method_of(run).material(run, Network.SENIOR).cases for p in c.persons]

    assert taught(held) == taught(held) == [second.person]
    assert made == [second.subject]
    with pytest.raises(KeyboardInterrupt):  # a run without --hold-out, killed while it mixes
        taught(job)
    assert taught(held) == [second.person]
    assert made == [second.subject, first.subject, second.subject]
    # What lies in another work folder is of another run.
    path = held.layout.scratch(Scratch.STAGE_TWO) / known_cases.CASES
    write_json(path, [replace_person(path, first.person)])
    assert taught(held) == [second.person]
    assert len(made) == 4


def replace_person(path: Path, person: str) -> dict[str, Any]:
    """A stored case, of somebody else."""
    (case,) = json.loads(path.read_text())
    return {**case, "persons": [person]}


def test_samples_are_drawn_again_while_the_senior_may_need_them(job: Job) -> None:
    # The junior is trained, but on another node: its samples are not in this work folder.
    mark_trained(job, Network.JUNIOR)
    elsewhere = job.settings.output_dir / "samples.json"
    elsewhere.touch()
    current = stage_one.settings_fingerprint(job.settings)
    job.ledger.mark(COHORT, "stage_one", current, [elsewhere], members={})
    with pytest.raises(DataError, match="at least 2 tumour-free participants"):
        method_of(job).make_samples(job)
    mark_trained(job, Network.SENIOR)
    assert [one.status for one in method_of(job).make_samples(job)] == [Status.SKIPPED]


def test_too_few_tumourfree_scans_are_explained(job: Job) -> None:
    hosts = [one for one in job.selection.everything if one.role is Role.TUMOURFREE]
    mark_preprocessed(job, hosts[0])
    with pytest.raises(DataError, match=r"at least 2 tumour-free participants.*--tumourfree-dir"):
        method_of(job).make_samples(job)


def labelled(subject: str, session: str | None = None) -> Labelled:
    return Labelled(make_scan(Path("/d"), subject, session=session), Path("label"))


def test_visits_of_one_person_stay_on_one_side() -> None:
    scans = [labelled(f"{person:02d}", visit) for person in range(10) for visit in ("a", "b")]
    training, validation = stage_two.split_tumours(scans, seed=1)
    assert validation
    assert not {item.scan.person for item in training} & {item.scan.person for item in validation}
    assert len(training) + len(validation) == 20


def test_few_tumours_all_train() -> None:
    few = [labelled("01"), labelled("02")]
    assert stage_two.split_tumours(few, seed=1) == (few, [])


# ---------------------------------------------------------------------- who learns from whom

visits = st.lists(
    st.tuples(st.integers(0, 11), st.sampled_from(["a", "b", "c"])), min_size=1, unique=True
)


@settings(deadline=None)
@given(
    tumours=visits,
    n_hosts=st.integers(0, 8),
    heads=st.booleans(),
    count=st.integers(4, 20),
    seed=st.integers(0, 99),
    healthy_halves=st.booleans(),
)
def test_nobody_stands_on_both_sides_of_the_senior_s_validation(
    tumours: list[tuple[int, str]],
    n_hosts: int,
    heads: bool,
    count: int,
    seed: int,
    healthy_halves: bool,
) -> None:
    """Every case once, no person on both sides, whatever cohort (``Material`` refuses others)."""
    root = Path("/d")
    job = with_scans(make_job_without_files(seed))
    hosts = [make_scan(root, f"hc{n}", Role.TUMOURFREE) for n in range(n_hosts)]
    assume(n_hosts >= 2 or heads)
    roles = stage_one._roles(job, method_of(job), method_of(job).recipe, hosts)
    simulated = simulated_hosts.sides(job) if heads else ([], [])
    whole = [
        stage_one.whole_brains(job, [host for host in hosts if host.key in side]) + drawn
        for side, drawn in zip((roles.hosts, roles.selection), simulated, strict=True)
    ]
    synthetic = [
        sample(host.scan, purpose).case()
        for side, purpose in zip(whole, (stage_one.TRAIN, stage_one.SHIFTED), strict=True)
        for host in side
    ]
    scans = [labelled(f"{person:02d}", visit) for person, visit in tumours]
    train, validation = stage_two.split_tumours(scans, seed)
    recipe = method_of(job).recipe
    halves = [stage_one.Host(item.scan, Path("i"), Path("m"), "half") for item in train]
    tasks = stage_two.plan(
        job,
        recipe,
        (train, validation),
        (whole[0] + (halves if healthy_halves else []), whole[1]),
        count,
    )
    made = [stage_two.case_of(task, Path("i"), Path("l")) for task in tasks]
    mixes = [case for case in made if not stage_two.is_calibrating(case)]
    calibrating = [case for case in made if stage_two.is_calibrating(case)]
    assert bool(calibrating) is bool(validation)
    real = [
        case
        for side, items in ((stage_two.TRAIN, train), (stage_two.VALIDATION, validation))
        for case in (senior.real_case(job, item, side) for item in items)
    ]
    in_halves = [sample(item.scan, stage_one.TRAIN).case("half-") for item in train]
    cases = senior.senior_cases(
        mixes,
        real,
        synthetic if healthy_halves else [],
        in_halves if healthy_halves else [],
        synthetic,
    )
    material = Material(tuple(cases), ())
    assert any(case.validation for case in material.cases)
    assert {case.name for case in real} <= {case.name for case in material.cases}
    taught = {person for case in cases if not case.validation for person in case.persons}
    assert not any(case.persons & taught for case in calibrating)
    assert not {case.name for case in calibrating} & {case.name for case in material.cases}


def make_job_without_files(seed: int) -> Job:
    from synthtumour_bids.bids.inputs import Selection
    from synthtumour_bids.ledger import Ledger
    from synthtumour_bids.settings import Settings

    settings = Settings(Path("/d"), Path("/o"), work_dir=Path("/w"), seed=seed)
    return Job(settings, Selection((), ()), Path("/l"), Ledger(settings.output_dir))


def test_material_refuses_a_person_on_both_sides_and_a_case_twice() -> None:
    def case(name: str, validation: bool, person: str) -> Case:
        return Case(name, Path("i"), Path("l"), validation, persons=frozenset((person,)))

    Material((case("a", False, "p"), case("b", True, "q")), ())
    with pytest.raises(ValueError, match="both teach a network and choose its epoch: p"):
        Material((case("a", False, "p"), case("b", True, "p")), ())
    with pytest.raises(ValueError, match="there twice: a"):
        Material((case("a", False, "p"), case("a", True, "q")), ())
