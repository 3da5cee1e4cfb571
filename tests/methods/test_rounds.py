"""Further rounds: which is to be trained, who takes whose place, and who learns from whom."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import corrections, lineage, rounds
from synthtumour_bids.methods.base import Material
from synthtumour_bids.methods.label_free import senior, stage_one
from synthtumour_bids.methods.label_free.method import LabelFree
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.methods.learners import learnable
from synthtumour_bids.methods.pseudo_labels import Labelled, unlabelled
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import Role
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


@pytest.fixture
def job(tmp_path: Path) -> Job:
    job = make_job(tmp_path)
    mark_preprocessed(job, *job.selection.everything)
    return job


def train_round(job: Job, **changes: object) -> None:
    """Leave what the training of a round leaves, apart from its stamp."""
    folder = rounds.room(job, Network.SENIOR)
    write_network(folder, f"senior {job.round}", details=rounds.told(job), **changes)


def finish(job: Job, **details: object) -> None:
    """Finish a round as the training step does."""
    train_round(job)
    if job.round > 1:
        rounds.take_place(job, lambda: stamp(job, **details))
    else:
        stamp(job, **details)


def stamp(job: Job, **details: object) -> None:
    place = job.layout.network(Network.SENIOR)
    recipe = method_of(job).fingerprint(job, Network.SENIOR)
    told = {"members": {}, **rounds.details(job), **details}
    job.ledger.mark(COHORT, Network.SENIOR, recipe, [place], **told)


def to_come(job: Job) -> list[int]:
    return [one.round for one in rounds.to_come(job, method_of(job))]


def place_of(job: Job) -> int:
    return rounds.of_card(ModelCard.read(job.layout.network(Network.SENIOR)))


def test_a_finished_folder_goes_on_from_its_senior(job: Job) -> None:
    mark_trained(job, Network.JUNIOR)
    assert to_come(job.until_round(3)) == [1, 2, 3]
    mark_trained(job)
    assert to_come(job) == to_come(job.until_round(1)) == [1]
    raised = job.until_round(2)
    assert to_come(raised) == [2]
    assert not lineage.is_trained(raised, method_of(raised))
    first = job.model(Network.SENIOR).card.fingerprint
    assert rounds.teacher(raised).card.fingerprint == first
    finish(raised)
    assert lineage.is_trained(raised, method_of(raised))
    assert place_of(job) == 2
    assert rounds.teacher(raised).card.fingerprint == first
    assert to_come(job.until_round(4)) == [3, 4]
    assert job.model(Network.SENIOR).card.details["Teacher"] == {"Round": 1, "Fingerprint": first}
    (job.layout.round(1) / "model.json").unlink()  # whoever needs the room may empty it
    job.ledger.forget()
    assert to_come(raised) == [2]
    assert lineage.is_trained(raised, method_of(raised))


@pytest.mark.parametrize("stopped_at", ["mark", "rename", "clear"])
def test_a_senior_that_was_stopped_on_its_way_takes_its_place_all_the_same(
    job: Job, stopped_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_trained(job)
    raised = job.until_round(2)
    train_round(raised)
    owner = Path if stopped_at == "rename" else job.ledger
    does = getattr(owner, stopped_at)

    def stopped(*args: object, **more: object) -> None:
        does(*args, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, stopped_at, stopped)
        with pytest.raises(KeyboardInterrupt):
            rounds.take_place(raised, lambda: stamp(raised))
    job.ledger.forget()
    assert to_come(raised) == [2]
    assert rounds.of_card(rounds.teacher(raised).card) == 1
    rounds.take_place(raised, lambda: stamp(raised))
    assert place_of(job) == 2
    assert to_come(job.until_round(3)) == [3]
    assert rounds.of_card(rounds.teacher(raised).card) == 1


def test_a_round_that_is_in_its_place_is_not_trained_again(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_trained(job)
    raised = job.until_round(2)
    train_round(raised)
    renamed: list[Path] = []

    does = Path.rename

    def rename(path: Path, target: Path) -> None:
        does(path, target)
        renamed.append(target)
        if len(renamed) == 2:  # the senior before is aside, and this one in its place
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            rounds.take_place(raised, lambda: stamp(raised))
    job.ledger.forget()
    assert to_come(job.until_round(3)) == [3]
    assert place_of(job) == 2


def test_another_first_senior_makes_all_those_after_it_anew(job: Job) -> None:
    for number in (1, 2, 3):
        mark_trained(job, Network.JUNIOR)
        finish(job.until_round(number))
    assert rounds.rooms(job.layout) == [1, 2]
    assert to_come(with_settings(job.until_round(3), hold_out=("tumour0",))) == [1, 2, 3]
    rounds.forget_after(job, 1)
    assert rounds.rooms(job.layout) == [1]
    rounds.forget_after(job, 0)
    assert rounds.rooms(job.layout) == []


def test_what_the_first_senior_has_learned_the_second_has_learned_too(job: Job) -> None:
    mark_trained(job, Network.JUNIOR)
    finish(job, members={"raw/gone": "p"})
    assert rounds.members(job.until_round(2), Network.SENIOR) == {"raw/gone": "p"}
    assert rounds.members(job.until_round(2), Network.JUNIOR) == {}
    assert rounds.members(job, Network.SENIOR) == {}


def test_hosts_of_a_first_senior_beside_a_starter_keep_their_sides(job: Job) -> None:
    first = [make_scan(Path("/d"), f"hc{n}", Role.TUMOURFREE) for n in range(9)]
    new = [make_scan(Path("/d"), f"a{n}", Role.TUMOURFREE) for n in range(9)]
    job = with_scans(with_settings(job, junior=Path("starter")), *first)
    mark_preprocessed(job, *first, *new, fingerprint="p")
    method = LabelFree(RECIPES["default"])  # whose junior tells nothing of hosts: it is not there
    drawn = stage_one._tasks(job, method, method.recipe)
    sides = {one.host.scan.key: one.purpose for one in drawn}
    told = {f"{one.purpose}-{n}": {"Host": one.host.source} for n, one in enumerate(drawn)}
    write_json(job.layout.models / "stage_one.json", told)
    seen = {scan.key: "p" for scan in first if scan.key in sides}
    mark_trained(with_settings(job, junior="train"), Network.SENIOR, members=seen)

    def drawn_again(job: Job) -> dict[str, str]:
        tasks = stage_one._tasks(with_scans(job, *first, *new), method, method.recipe)
        return {one.host.scan.key: one.purpose for one in tasks}

    assert drawn_again(job.until_round(2)) == sides
    assert drawn_again(job) != sides, "a first senior starts from weights that have seen none"


@given(
    accepted=st.lists(st.sets(st.integers(0, 9)), min_size=2, max_size=4),
    corrected=st.sets(st.integers(0, 9), max_size=3),
    held_out=st.sets(st.integers(0, 9), max_size=3),
    newcomers=st.sets(st.integers(0, 9), max_size=4),
    seed=st.integers(0, 9),
)
@settings(max_examples=10, deadline=None)
def test_over_all_rounds_nobody_teaches_and_then_validates(
    accepted: list[set[int]],
    corrected: set[int],
    held_out: set[int],
    newcomers: set[int],
    seed: int,
) -> None:
    """Whichever pseudo-labels pass in which round, and whoever comes after the first."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        scans = [make_scan(root / "bids", str(n), session=one) for n in range(10) for one in "ab"]
        labels = tuple(str(n) for n in held_out)
        job = make_job(root, scans=tuple(scans), seed=seed, hold_out=labels)
        mark_preprocessed(
            job, *(one for one in scans if int(one.subject) not in newcomers), fingerprint="p"
        )
        mark_trained(job, Network.JUNIOR)
        patch.setattr(senior, "record_pseudo_labels", lambda *_: None)
        patch.setattr(corrections, "carried", lambda job: _keys(job, corrected))
        taught: set[str] = set()
        for number, good in enumerate(accepted, 1):
            so_far = job.until_round(number)
            tumours = learnable(so_far, Role.TUMOUR)
            found = [Labelled(one, Path("l")) for one in tumours if int(one.subject) in good]
            patch.setattr(senior, "judge", lambda *_, found=found: ([], found))
            validating = rounds.validating(so_far, tumours)
            try:
                train, validation = senior.label(
                    so_far, method_of(job).recipe, rounds.teacher(so_far), tumours, validating
                )
            except senior.DataError:
                return  # nobody is left to learn from
            sides = (("train", train), ("val", validation))
            cases = [senior.real_case(job, one, side) for side, some in sides for one in some]
            Material(tuple(cases), ())  # refuses a person on both sides
            taught |= {person for case in cases if not case.validation for person in case.persons}
            validate = {person for case in cases if case.validation for person in case.persons}
            assert not taught & validate
            assert not held_out & {int(one.scan.subject) for one in (*train, *validation)}
            told = corrections.details_of(cases, tumours, {}, validating)
            finish(so_far, **told)
            mark_preprocessed(job, *scans, fingerprint="p")


def _keys(job: Job, persons: set[int]) -> dict[str, str]:
    return {scan.key: "f" for scan in unlabelled(job) if int(scan.subject) in persons}
