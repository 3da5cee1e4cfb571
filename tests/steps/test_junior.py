"""``--junior``: what it finds, what it takes over, and what it is refused for."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import DataError, UnavailableError, UsageError
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import STARTED_FROM
from synthtumour_bids.methods.registry import method_of_run
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation import starters
from synthtumour_bids.segmentation.model_card import CARD, ModelCard
from synthtumour_bids.settings import Method, Settings, Step
from synthtumour_bids.steps import train
from synthtumour_bids.steps.given_networks import with_networks
from synthtumour_bids.steps.junior import with_junior
from tests.builders.datasets import make
from tests.builders.jobs import (
    make_job,
    mark_trained,
    with_scans,
    with_settings,
    write_network,
    write_networks,
)
from tests.builders.starters import change_card, write_only_starter, write_starter


@pytest.fixture(autouse=True)
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one starter that there is."""
    return write_only_starter(tmp_path, monkeypatch)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path, tumours=4, tumourfree=0)


def settled(job: Job, **settings: object) -> Settings:
    return with_junior(with_settings(job, **settings))[0].settings


def test_a_starter_is_the_junior_where_there_is_one(job: Job, starter: Path, tmp_path) -> None:
    assert settled(job).junior == starter
    assert settled(job, contrast="T2w").junior == "train"
    assert settled(job, lesion="stroke").junior == "train"
    assert settled(job, preset="reference").junior == "train"
    assert settled(job, priors=tmp_path / "priors.json").junior == "train"
    assert settled(job, model=tmp_path).junior is None


def test_fabrication_starts_from_it_where_it_fits(job: Job, starter: Path, tmp_path: Path) -> None:
    fabricating = with_settings(job, method=Method.FABRICATION)
    settled_job, why = with_junior(fabricating)
    assert settled_job.settings.junior == starter
    assert "starts from the weights of the starter 1.0" in why
    for other in (
        {"junior": "train"},
        {"contrast": "T2w"},
        {"more_contrasts": ("T2w",)},
        {"profile": PROFILES["fast"]},  # the starter is for 4 mm
        {"steps": (Step.PREPROCESS,)},
    ):
        assert with_junior(with_settings(fabricating, **other))[0].settings.junior == "train"
    assert settled(fabricating, model=tmp_path).junior is None
    mark_trained(fabricating, Network.JUNIOR)
    there = with_junior(fabricating)
    assert there == (with_settings(fabricating, junior=starter), ""), "should a scan have changed"
    change_card(starter, Template="other")
    assert with_junior(fabricating) == (with_settings(fabricating, junior="train"), "")


def test_a_junior_of_fabrication_that_is_trained_anew_starts_as_the_first(
    job: Job, starter: Path
) -> None:
    fabricating = with_settings(job, method=Method.FABRICATION)
    mark_trained(fabricating, Network.JUNIOR)
    for other in ({"hold_out": ("tumour0",)}, {"seed": 1}, {"retrain": True}):
        later, why = with_junior(with_settings(fabricating, **other))
        assert later.settings.junior == starter
        assert "starts from the weights of the starter 1.0" in why
    fabricating.ledger.clear("cohort", Network.JUNIOR)  # a training that was stopped goes on
    assert settled(fabricating, seed=1).junior == starter


def test_one_that_started_from_a_starter_stays_and_that_is_said(job: Job, starter: Path) -> None:
    fabricating = with_settings(job, method=Method.FABRICATION, junior="train")
    mark_trained(fabricating, Network.JUNIOR)
    assert with_junior(fabricating)[1] == ""
    write_network(job.layout.network(Network.JUNIOR), "junior", details={STARTED_FROM: "1234"})
    later, why = with_junior(fabricating)
    assert later.settings.junior == "train"
    assert "--junior train has no effect without --retrain" in why
    for other in ({"retrain": True}, {"seed": 1}, {"steps": (Step.SEGMENT,)}):
        assert with_junior(with_settings(fabricating, **other))[1] == ""


def test_one_that_is_not_there_is_explained(job: Job, starter: Path) -> None:
    with pytest.raises(UnavailableError, match=r"--junior starter: looked in .*--junior train"):
        settled(job, junior="starter", contrast="T2w")
    change_card(starter, Template="other")
    with pytest.raises(UnavailableError, match=r"another template.*--junior train"):
        settled(job)
    assert settled(job, junior="train").junior == "train"


def test_a_trained_junior_stays(job: Job, starter: Path) -> None:
    mark_trained(with_settings(job, junior="train"))
    later, why = with_junior(job)
    assert later.settings.junior == "train"
    assert "that of the output folder was, too" in why
    assert lineage.is_trained(later, method_of_run(later))
    assert settled(job, junior="starter").junior == starter
    assert settled(job, retrain=True).junior == starter
    change_card(starter, Template="other")  # which is mentioned only
    later, why = with_junior(job)
    assert later.settings.junior == "train"
    assert "--junior starter" not in why


def test_the_starter_is_copied_and_stays_whatever_comes_later(
    job: Job, starter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, _ = with_junior(job)
    method = method_of_run(now)
    assert [one.status for one in train.run(now, method, Network.JUNIOR)] == [Status.DONE]
    own = job.layout.network(Network.JUNIOR)
    assert ModelCard.read(own).fingerprint == ModelCard.read(starter).fingerprint
    assert sorted(path.name for path in job.layout.models.iterdir()) == ["junior"]

    monkeypatch.delenv(starters.VARIABLE)
    later, why = with_junior(job)
    assert later.settings.junior == own
    assert "the starter 1.0: the output folder has it" in why
    method = method_of_run(later)
    assert [one.status for one in train.run(later, method, Network.JUNIOR)] == [Status.SKIPPED]
    job.ledger.clear("cohort", Network.JUNIOR)  # stopped between the copy and its record
    assert [one.status for one in train.run(later, method, Network.JUNIOR)] == [Status.DONE]
    assert ModelCard.read(own).name == "starter"

    (own / CARD).write_text(json.dumps({}))
    with pytest.raises(UnavailableError, match=r"cannot be used.*--retrain"):
        with_junior(job)


def test_that_of_the_folder_may_be_for_something_else(job: Job, tmp_path: Path) -> None:
    now, _ = with_junior(job)
    train.run(now, method_of_run(now), Network.JUNIOR)
    root = tmp_path / "for-metastases"
    other = write_starter(root, lesion="metastasis")
    shutil.copytree(other, tmp_path / "more" / "starters" / other.name)
    for settings in ({"lesion": "metastasis"}, {"lesion": "metastasis", "junior": "starter"}):
        later, why = with_junior(with_settings(job, **settings))
        assert later.settings.junior == tmp_path / "more" / "starters" / other.name
        assert "--junior train trains one instead" in why
        assert "has it" not in why
    few = with_scans(job, *job.selected()[:1])
    assert settled(few, lesion="metastasis").model is not None, "the folder's is no reason to train"
    assert settled(few).model is None
    _, why = with_junior(with_settings(job, lesion="stroke"))
    assert "no starter" in why


def test_an_output_folder_with_it_is_a_model(job: Job, tmp_path: Path) -> None:
    now, _ = with_junior(job)
    train.run(now, method_of_run(now), Network.JUNIOR)
    write_networks(tmp_path / "other")
    (tmp_path / "other" / "senior").rename(job.layout.network(Network.SENIOR))
    given = Settings(tmp_path / "bids", tmp_path / "new", model=job.settings.output_dir)
    assert with_networks(given).model == job.layout.models
    (job.layout.network(Network.JUNIOR) / "plans.json").unlink()
    with pytest.raises(UnavailableError, match=r"missing: junior/plans\.json"):
        with_networks(given)


def test_a_small_cohort_is_segmented_by_the_starter(tmp_path: Path, starter: Path) -> None:
    few = make_job(tmp_path / "few", tumours=3, tumourfree=2)
    alone, why = with_junior(few)
    assert alone.settings.model == starter
    assert alone.settings.profile.resolution == 4.0
    assert Step.TRAIN not in alone.steps
    assert "of 3 persons with a tumour, fewer than 4. --junior train learns" in why
    assert settled(few, junior="train").junior == "train"
    for steps in ((Step.PREPROCESS,), (Step.SEGMENT, Step.REPORT), (Step.REPORT,)):
        assert settled(few, steps=steps).model == starter, "whichever steps one run does"
    assert settled(few, reports_only=True).model == starter
    assert settled(few, analysis_level="group", steps=(Step.REPORT,)).model == starter
    assert settled(few, steps=(Step.SYNTHESISE,)).model is None, "samples to be looked at"
    with pytest.raises(DataError, match="--model starter"):
        settled(few, analysis_level="group")
    held_out = make_job(tmp_path / "held", tumours=4, hold_out=("tumour0",))
    assert settled(held_out).model == starter
    again, why = with_junior(with_settings(few, retrain=True))
    assert again.settings.model == starter
    assert "There is nothing to --retrain then" in why


def test_a_job_for_one_participant_goes_by_the_whole_cohort(tmp_path: Path, starter: Path) -> None:
    """Of an array that preprocesses first, each job looks at its own scans alone."""
    steps = (Step.PREPROCESS,)
    for tumours, alone in ((4, False), (3, True)):
        whole = make_job(tmp_path / str(tumours), tumours=tumours, tumourfree=2, steps=steps)
        rows = "".join(f"sub-tumour{n}\ttumour\nsub-tumourfree{n}\tcontrol\n" for n in range(5))
        table = whole.settings.bids_dir / "participants.tsv"
        table.write_text(f"participant_id\tgroup\n{rows}")
        first = replace(whole, selection=Selection(*((whole.selected()[0],),) * 2))
        asked = {"participant_label": ("tumour0",)}
        assert settled(first, **asked).model == (starter if alone else None)
        if not alone:
            assert settled(first, **asked, hold_out=("tumour1",)).model == starter
            table.unlink()
            assert settled(first, **asked).model is None


@pytest.mark.parametrize(
    "flags",
    [["--preset", "reference"], ["--priors", __file__], ["--model", "starter"]],
)
def test_what_a_starter_cannot_follow_is_refused(flags: list[str], tmp_path: Path) -> None:
    bids = make(tmp_path / "bids", "sub-01_FLAIR.nii.gz")
    command = [str(bids), str(tmp_path / "new"), "participant", *flags, "--junior"]
    with pytest.raises(UsageError, match="--junior starter"):
        parse_settings([*command, "starter"])
    if flags[0] != "--model":
        assert parse_settings([*command, "train"]).junior == "train"
