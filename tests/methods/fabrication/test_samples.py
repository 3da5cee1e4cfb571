"""What fabrication keeps and records: verdicts on refined samples, pseudo-labels beside them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_json, write_tsv
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, pseudo_label_table
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods.base import Material
from synthtumour_bids.methods.fabrication import method, pairs
from synthtumour_bids.methods.fabrication.coarse_samples import Sample, stored_name
from synthtumour_bids.methods.fabrication.pairs import Pair
from synthtumour_bids.methods.fabrication.refined_samples import (
    Side,
    read_quality,
    read_records,
    refine_samples,
    train_fabricator,
)
from synthtumour_bids.methods.fabrication.stored_scans import (
    StoredScan,
    StoredScans,
    store_images,
    store_label,
)
from synthtumour_bids.methods.pseudo_labels import Labelled, unlabelled
from synthtumour_bids.settings import Method, Role
from synthtumour_bids.synthesis.fabrication import gan_training
from synthtumour_bids.synthesis.fabrication.gan_settings import SLOPPY
from synthtumour_bids.synthesis.fabrication.gan_training import TrainingData
from synthtumour_bids.synthesis.fabrication.quality import Scores, Verdict, judge
from tests.builders.fabrication_scans import annotated
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    method_of,
    with_scans,
    with_settings,
    write_network,
)

LEAST = Scores(0.0, 0.5, 0.5)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path, tumours=0, tumourfree=0)


# ---------------------------------------------------------------------- refined samples


@dataclass(frozen=True)
class Judge:
    """In the place of a GAN: realness of each sample, by its name."""

    helps: bool
    realness: dict[str, float]
    thresholds: Scores = LEAST
    best_step: int = 3
    history: tuple[Any, ...] = ()
    settings: Any = SLOPPY

    def refine(self, coarse: Any) -> Any:
        return replace(coarse, images=coarse.images + np.float32(1))

    def judge(self, refined: Any) -> Verdict:
        return judge(Scores(self.realness[refined.source], 0.9, 0.9), self.thresholds)


@dataclass(frozen=True)
class Parameters:
    """In the place of what a coarse sample was drawn with."""

    def to_json(self) -> dict[str, float]:
        return {"match": 1.0}


def stored(where: Path, name: str, *, mixed: bool = False) -> Sample:
    made = annotated(contrasts=1)
    where.mkdir(exist_ok=True)
    to = (np.eye(4), where, name)
    files = StoredScan(
        name,
        store_images(made.images, *to, {}),
        store_label(made.brain, *to, "brain"),
        store_label(made.classes, *to, "label"),
        name,
    )
    origin = ("bids:raw:h", "bids:raw:a#0", 0)
    return Sample(files, "train", *origin, None, 4.2, Parameters(), mixed)


def refined(
    job: Job, helps: bool, mixed: tuple[str, ...] = (), **realness: float
) -> tuple[list[str], Any, Any]:
    """Names kept, and the contents of both records."""
    where = job.layout.fabricator
    where.mkdir(parents=True)
    (where / "fabricator.pt").write_text("weights")
    coarse = job.settings.work_dir.parent / "coarse"
    samples = [stored(coarse, name, mixed=name in mixed) for name in realness]
    kept = refine_samples(job, Judge(helps, realness), samples)
    records = (json.loads((where / f"{name}.json").read_text()) for name in ("samples", "quality"))
    return [scan.name for scan in kept], *records


def test_what_is_kept_and_what_is_dropped_is_told(job: Job) -> None:
    kept, samples, quality = refined(job, True, good=1.0, bad=-1.0)
    assert kept == ["refined-good"]
    assert [sample["Accepted"] for sample in samples["Samples"]] == [True, False]
    assert [sample["Reasons"] for sample in samples["Samples"]] == [[], ["realness"]]
    assert (quality["Judged"], quality["Dropped"], quality["Rate"]) == (2, 1, 0.5)
    assert quality["Reasons"] == {"realness": 1}
    assert quality["Thresholds"]["kinds"] == 0.5


def test_no_verdict_is_told_where_refinement_does_not_help(job: Job, caplog: Any) -> None:
    with caplog.at_level(logging.INFO):
        kept, samples, quality = refined(job, False, good=1.0, bad=-1.0)
    assert kept == []
    assert [sample["Name"] for sample in samples["Samples"]] == ["good", "bad"]
    assert all(sample["Parameters"] == {"match": 1.0} for sample in samples["Samples"])
    assert all(sample["VolumeML"] == 4.2 for sample in samples["Samples"])
    for sample in samples["Samples"]:
        assert not {"Accepted", "Reasons", "Scores"} & set(sample)
    for key in ("Judged", "Dropped", "Rate", "Reasons", "Thresholds"):
        assert quality[key] is None
    assert quality["RefinementHelps"] is False
    assert "no refined sample is used" in caplog.text
    assert "dropped" not in caplog.text


def test_a_gan_that_nobody_could_judge_is_left_out(job: Job, caplog: Any) -> None:
    where, coarse = job.layout.fabricator, job.settings.work_dir.parent / "coarse"
    where.mkdir(parents=True)
    for name in ("fabricator.pt", "curve.png"):
        (where / name).write_text("of a training with more annotated persons")
    sample = stored(coarse, "rough")
    scans = [replace(sample.files, persons=frozenset({person})) for person in "aabcde"]
    train, held_out = Side((*scans[3:],), (), (sample,)), Side((*scans[:3],), (), (sample,))
    with caplog.at_level(logging.INFO):
        assert train_fabricator(job, train, held_out, 1, "recipe") is None
    assert "2 of 5 persons here, where 3 are needed" in caplog.text
    assert not list(where.iterdir())
    assert refine_samples(job, None, [sample]) == []
    quality = read_quality(job.layout.models)
    assert quality is not None
    assert (quality["GanTrained"], quality["RefinementHelps"], quality["Judged"]) == (
        False,
        False,
        None,
    )
    assert [one["Name"] for one in read_records(job.layout.models)] == ["rough"]


def test_each_person_held_out_judges_with_one_scan(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several scans of one person are no independent lesions."""
    sample = stored(job.settings.work_dir.parent / "coarse", "rough")
    annotated_scans = [
        replace(sample.files, name=f"{person}{number}", persons=frozenset({person}))
        for person, number in ("b2", "a1", "c1", "b1", "a2", "d1")
    ]
    train = Side((*annotated_scans[5:],), (), (sample,))
    held_out = Side((*annotated_scans[:5],), (), (sample,))
    given: list[TrainingData] = []
    monkeypatch.setattr(gan_training, "train", lambda data, *_, **__: given.append(data))
    train_fabricator(job, train, held_out, 1, "recipe")
    (data,) = given
    judges = data.real_held_out
    assert isinstance(judges, StoredScans)
    assert [scan.name for scan in judges.files] == ["a1", "b1", "c1"]


def test_samples_in_annotated_scans_are_neither_refined_nor_judged(job: Job) -> None:
    kept, samples, quality = refined(job, True, ("within",), good=1.0, within=-9.0)
    assert kept == ["refined-good"]
    assert [sample["HostIsAnnotated"] for sample in samples["Samples"]] == [False, True]
    assert "Accepted" not in samples["Samples"][1]
    assert (quality["Judged"], quality["InAnnotatedScans"]) == (1, 1)


def test_samples_are_shown_with_the_verdict_on_them(job: Job) -> None:
    where = job.layout.fabricator
    where.mkdir(parents=True)
    (where / "fabricator.pt").write_text("weights")
    realness = {"good": 1.0, "bad": -1.0, "within": 0.0}
    samples = [stored(where / "s", name, mixed=name == "within") for name in realness]
    pairs.show_samples(job, samples, refine_samples(job, Judge(True, realness), samples))
    record = json.loads(job.layout.training_record(pairs.NAME).read_text())
    shown = {one["Name"]: one for one in record["Samples"]}
    assert {name: one["Facts"]["refined"] for name, one in shown.items()} == {
        "good": "yes, and kept",
        "bad": "yes, but dropped by the quality control (realness too low)",
        "within": "no: the host has a tumour of its own",
    }
    assert [name for name, one in shown.items() if "after refinement" in one["Description"]] == [
        "good"
    ]
    assert shown["bad"]["Parameters"]["scores"]["realness"] == -1
    assert job.layout.training_figure(f"{pairs.NAME}_00").is_file()


# ---------------------------------------------------------------------- who learns from whom


def pair(scan: Scan, kind: str, purpose: str, *persons: str) -> Pair:
    files = (Path(f"{scan.name}-{kind}.nii"),), Path("brain.nii"), Path(f"{scan.name}-{kind}-l.nii")
    name = stored_name(scan) if kind == "annotated" else f"{kind}-{scan.name}"
    return Pair(kind, purpose, StoredScan(name, *files, scan.uri, frozenset(persons)))


@pytest.fixture
def cohort(job: Job) -> Job:
    """Two annotated persons, one on each side, with later visits that nobody annotated."""
    root = job.settings.bids_dir
    one, two = (make_scan(root, name, Role.ANNOTATED, "1") for name in ("01", "02"))
    tumours = [
        make_scan(root, "01", session="2"),
        make_scan(root, "02", session="2"),
        make_scan(root, "03", session="1"),
        make_scan(root, "01", session="1", dataset="other"),
    ]
    job = with_scans(job, one, two, *tumours)
    job = with_settings(job, method=Method.FABRICATION, semi_supervised=True)
    mark_preprocessed(job, *job.selection.everything, fingerprint="p")
    write_network(job.layout.network(Network.JUNIOR), Network.JUNIOR, method="fabrication")
    made = [
        pair(one, "annotated", "validation", one.person),
        pair(two, "annotated", "train", two.person),
        pair(one, "coarse", "validation", one.person, "raw/h1"),
        pair(two, "coarse", "train", two.person, "raw/h2"),
    ]
    write_json(pairs.list_file(job), [one.to_json() for one in made])
    mark_made(job)
    return job


def mark_made(job: Job, **details: Any) -> None:
    """Say that the pairs were made from the annotated scans."""
    members = job.preprocessing_fingerprints(job.preprocessed(Role.ANNOTATED))
    current = method_of(job)._samples_fingerprint(job)
    job.ledger.mark(COHORT, pairs.NAME, current, members=members, **details)


def test_nothing_is_trained_on_samples_of_another_run(cohort: Job) -> None:
    one, two, *tumours = cohort.selection.everything
    for other in (
        with_settings(cohort, seed=1),
        with_settings(cohort, hold_out=("02",)),
        with_scans(cohort, one, *tumours),
    ):
        for network in Network:
            with pytest.raises(DataError, match=r"not those of this run.*--steps synthesise train"):
                method_of(other).material(other, network)
        with pytest.raises(DataError, match="not those of this run"):
            method_of(other).check_material(other)
    new = make_scan(cohort.settings.bids_dir, "04", Role.ANNOTATED)
    mark_preprocessed(cohort, new, fingerprint="p")
    more = with_scans(cohort, *cohort.selection.everything, new)
    assert method_of(more).material(more, Network.JUNIOR).scans == (one, two)
    mark_made(cohort, failed=[two.key])
    assert method_of(cohort).material(cohort, Network.JUNIOR).scans == (one,)
    assert not method_of(cohort).has_samples(cohort)


def senior_of(job: Job, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Scan], Material]:
    """Scans that pseudo-labels are asked for, all of them good, and what the senior learns from."""
    asked: list[Scan] = []

    def label(_: Job, __: Any, ___: Any, tumours: list[Scan]) -> list[Labelled]:
        asked.extend(tumours)
        return [Labelled(scan, Path(f"{scan.slug}.nii")) for scan in tumours]

    monkeypatch.setattr(method, "pseudo_labelled", label)
    return asked, method_of(job).material(job, Network.SENIOR)


def test_no_session_of_a_validating_person_gets_a_pseudo_label(
    cohort: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, material = senior_of(cohort, monkeypatch)
    tumours = [scan for scan in cohort.selection.everything if scan.role is Role.TUMOUR]
    assert {scan.key for scan in asked} == {scan.key for scan in tumours[1:]}
    real = [case for case in material.cases if not case.validation and "coarse" not in case.name]
    assert len(real) == 4
    assert material.card["SemiSupervised"] is True


@pytest.mark.parametrize("subject", ["03", "02"])
def test_an_annotated_scan_gets_no_pseudo_label_under_another_name(
    cohort: Job, monkeypatch: pytest.MonkeyPatch, subject: str
) -> None:
    """Whether the other name is another person's or another session of the same."""
    _, two, *tumours = cohort.selection.everything
    copy = next(scan for scan in tumours if scan.subject == subject)
    mark_preprocessed(cohort, two, copy, fingerprint="p", image="same")
    asked, material = senior_of(cohort, monkeypatch)
    assert copy.key not in {scan.key for scan in asked}
    assert {"02", "03"} - {subject} <= {scan.subject for scan in asked}
    real = [case for case in material.cases if not case.validation and "coarse" not in case.name]
    assert len(real) == 3


@pytest.mark.parametrize("semi_supervised", [True, False])
def test_pseudo_labels_of_another_senior_go(
    cohort: Job, monkeypatch: pytest.MonkeyPatch, semi_supervised: bool
) -> None:
    """Whether this one learns from none, or can learn from none of those there are today."""
    layout = cohort.layout
    table, record = pseudo_label_table(layout.models), layout.training_record("pseudo_labels")
    write_tsv(table, [{"scan": "raw/sub-9_FLAIR", "used": True, "accepted": True}], ["scan"])
    of_before = [table, record, table.with_suffix(".json")]
    of_before.append(layout.training_figure("pseudo_labels_raw__sub-9_FLAIR"))
    for path in of_before[1:]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    # Nobody but the person who validates is there without an annotation.
    left = [scan for scan in cohort.selection.everything if scan.subject == "01"]
    two = cohort.selection.everything[1]
    job = with_settings(cohort, semi_supervised=semi_supervised)
    job = with_scans(job, *(s for s in (*left, two) if s.dataset_name == "raw"))
    asked, material = senior_of(job, monkeypatch)
    assert not asked
    assert material.card["SemiSupervised"] is semi_supervised
    assert not any(path.exists() for path in of_before)


def test_the_junior_learns_from_both_kinds_of_pairs(cohort: Job) -> None:
    material = method_of(cohort).material(cohort, Network.JUNIOR)
    assert len(material.cases) == 4
    assert sum(case.validation for case in material.cases) == 2
    assert material.start is None
    starting = with_settings(cohort, junior=Path("a starter"))
    assert method_of(starting).material(starting, Network.JUNIOR).start == Path("a starter")


pair_lists = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["coarse", "refined"])),
    max_size=12,
    unique=True,
)


@given(drawn=pair_lists, validating=st.sets(st.integers(0, 5), min_size=1, max_size=5))
def test_nobody_stands_on_both_sides(
    drawn: list[tuple[int, int, str]], validating: set[int]
) -> None:
    """Each side has lesions and hosts of its own; ``Material`` refuses anything else."""
    made = []
    for person in range(6):
        side = "validation" if person in validating else "train"
        scan = make_scan(Path("/d"), f"a{person}", Role.ANNOTATED)
        made.append(pair(scan, "annotated", side, scan.person))
    for number, (person, host, kind) in enumerate(drawn):
        side = "validation" if person in validating else "train"
        scan = make_scan(Path("/d"), f"x{number}")
        made.append(pair(scan, kind, side, f"raw/a{person}", f"raw/{side}-h{host}"))
    for refined in (False, True):
        cases = pairs.cases(made, refined=refined)
        material = Material(tuple(cases), ())
        kept = [one for one in made if refined or one.kind != "refined"]
        assert len(material.cases) == len(kept)


def test_no_held_out_scan_is_learned_from(cohort: Job) -> None:
    held = with_settings(cohort, hold_out=("02", "03"))
    assert {scan.subject for scan in unlabelled(held)} == {"01"}
