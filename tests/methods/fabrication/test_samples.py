"""What fabrication keeps and records: verdicts on refined samples, pseudo-labels beside them."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthtumour_bids.steps.coarse_samples import Sample, stored_name
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.refined_samples import folder, refine_samples
from synthtumour_bids.steps.stored_scans import StoredScan, store_images, store_label

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import write_json
from synthtumour_bids.settings import Method, Role, Settings
from synthtumour_bids.steps import fabricate, train
from synthtumour_bids.synthesis.fabrication.gan_settings import SLOPPY
from synthtumour_bids.synthesis.fabrication.quality import Scores, Verdict, judge

from .fabrication_scans import annotated

LEAST = Scores(0.0, 0.5, 0.5)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    settings = Settings(tmp_path / "bids", tmp_path / "out", work_dir=tmp_path / "work")
    return Job(settings, Selection((), ()), tmp_path)


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


def stored(where: Path, name: str) -> Sample:
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
    return Sample(files, "train", "bids:raw:h", "bids:raw:a#0", 0, None, 4.2, {"match": 1.0})


def refined(job: Job, helps: bool, **realness: float) -> tuple[list[str], Any, Any]:
    """Names kept, and the contents of both records."""
    where = folder(job)
    where.mkdir(parents=True)
    (where / "fabricator.pt").write_text("weights")
    samples = [stored(job.settings.work_dir.parent / "coarse", name) for name in realness]
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


def test_samples_in_annotated_scans_are_neither_refined_nor_judged(
    job: Job, monkeypatch: Any
) -> None:
    made = stored
    monkeypatch.setitem(
        globals(), "stored", lambda *where: replace(made(*where), mixed=where[1] == "mixed")
    )
    kept, samples, quality = refined(job, True, good=1.0, mixed=-9.0)
    assert kept == ["refined-good"]
    assert [sample["HostIsAnnotated"] for sample in samples["Samples"]] == [False, True]
    assert "Accepted" not in samples["Samples"][1]
    assert (quality["Judged"], quality["InAnnotatedScans"]) == (1, 1)


# ---------------------------------------------------------------------- pseudo-labels


def scan(subject: str, session: str, role: Role, dataset: str = "raw") -> Scan:
    root = Path("/data")
    name = f"sub-{subject}_ses-{session}_FLAIR.nii.gz"
    entities = (("sub", subject), ("ses", session))
    return Scan(root / name, entities, "FLAIR", role, root, dataset)


def test_no_session_of_a_validating_person_gets_a_pseudo_label(job: Job, monkeypatch: Any) -> None:
    annotated_scans = [scan(subject, "1", Role.ANNOTATED) for subject in ("01", "02")]
    tumours = [
        scan("01", "2", Role.TUMOUR),
        scan("02", "2", Role.TUMOUR),
        scan("03", "1", Role.TUMOUR),
        scan("01", "1", Role.TUMOUR, "other"),
    ]
    scans = (*annotated_scans, *tumours)
    settings = replace(job.settings, method=Method.FABRICATION, semi_supervised=True)
    job = replace(job, selection=Selection(scans, scans), settings=settings)
    for one in scans:
        job.stamps.mark("preprocess", one.key, "p", resolution=settings.profile.resolution)
    pairs = [
        {"kind": kind, "purpose": purpose, "scan": {"name": stored_name(one)}}
        for one, kind, purpose in (
            (annotated_scans[0], "annotated", "validation"),
            (annotated_scans[1], "annotated", "train"),
            (tumours[2], "coarse", "validation"),
        )
    ]
    write_json(fabricate.pairs_file(job), pairs)
    asked: list[str] = []
    monkeypatch.setattr(
        train.pseudo, "cases", lambda _, given: asked.extend(one.key for one in given) or []
    )
    monkeypatch.setattr(train.fabricate, "cases", lambda *_, **__: [])
    for name in ("_train", "_finish"):
        monkeypatch.setattr(train, name, lambda *_, **__: None)
    train.train_senior(job)
    assert asked == [one.key for one in tumours[1:]]
