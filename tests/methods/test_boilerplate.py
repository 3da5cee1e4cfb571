"""The methods text of a run."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.files import write_json
from synthtumour_bids.methods.base import RunFacts
from synthtumour_bids.methods.boilerplate import methods_text
from synthtumour_bids.methods.references import REFERENCES
from synthtumour_bids.methods.registry import method_for
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.bundle import NOT_MEASURED
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.settings import Method, Role, Settings
from synthtumour_bids.synthesis.borders import Evidence
from tests.builders.training import CALIBRATION

VERSIONS = {"antspyx": "0.6.3", "nnunetv2": "2.8.1", "torch": "2.5.0"}


def text(
    settings: Settings,
    *,
    cards: dict[str, dict[str, Any]] | None = None,
    n_annotated: int = 0,
    models_dir: Path = Path("none"),
    **more: Any,
) -> str:
    counts = {Role.TUMOURFREE: 12, Role.TUMOUR: 7, Role.ANNOTATED: n_annotated}
    known = {name: card(name, **fields) for name, fields in (cards or {}).items()}
    facts = RunFacts(settings, VERSIONS, counts, models_dir, cards=known, **more)
    return methods_text(facts, method_for(settings.method, settings.preset))


def card(name: str, **fields: Any) -> ModelCard:
    given = {"method": "synthtumour", "preset": "default", "contrast": "FLAIR", "lesion": "glioma"}
    given |= {"profile": "full", "resolution": 1.0, "seed": 527, "training": {}}
    return ModelCard(name=name, fingerprint="f", recipe="r", **{**given, **fields})


def write_quality(models: Path, quality: dict[str, Any]) -> None:
    write_json(models / "fabricator" / "quality.json", quality)


@pytest.fixture
def settings() -> Settings:
    return Settings(Path("in"), Path("out"), profile=PROFILES["fast"])


def test_the_comparison_with_the_other_side_is_told_where_it_is_made(settings: Settings) -> None:
    told = "less than 0.5 robust standard deviations brighter than the place that mirrors them"
    assert told in text(settings)
    assert told.replace("0.5", "0.3").replace("brighter", "darker") in text(
        dataclasses.replace(settings, contrast="T1w")
    )
    assert "mirrors them" not in text(dataclasses.replace(settings, keep_mask=True))


def test_methods_tell_what_ran(settings: Settings) -> None:
    cards = {"junior": {"best_epoch": 17}, "senior": {"best_epoch": 23}}
    written = text(settings, head_templates=("OASIS30ANTs",), cards=cards, n_pseudo_labels=6)
    for words in (
        *("7 FLAIR scans", "12 tumour-free", "OASIS30ANTs", "2 mm", "nnU-Net 2.8.1", "seed 527"),
        *(str(PROFILES["fast"].n_train), "(epoch 17)", "(epoch 23)", "6 scans", "CC0"),
    ):
        assert words in written
    assert "Evaluation" not in written


def test_methods_claim_no_host_and_no_mask_that_there_was_not(settings: Settings) -> None:
    hosts = "12 tumour-free scans were hosts"
    assert hosts in text(settings)
    given = dataclasses.replace(settings, model=Path("model"))
    assert hosts not in text(given, cards={"starter": {}})
    untrained = text(settings, untrained=True)
    assert hosts not in untrained
    assert "12 tumour-free scans were prepared as hosts" in untrained
    assert "(glioma) were prepared to be segmented in 7 FLAIR scans" in untrained
    assert "were segmented in" not in untrained


def test_methods_tell_of_further_rounds(settings: Settings) -> None:
    told = {"Round": 3, "Teacher": {"Round": 2, "Fingerprint": "f"}}
    cards = {"junior": {}, "senior": {"best_epoch": 9, "details": told}}
    written = text(settings, cards=cards, n_pseudo_labels=6)
    assert "Stage 2 was done 3 times" in written
    assert "the senior of round 3 of 3 (epoch 9), which learned from the last" in written
    assert "pseudo-labels (6 scans)." in written
    assert written.count("6 scans") == 1
    assert "done 2 times" in text(dataclasses.replace(settings, rounds=2)), "before it is trained"
    assert "Further rounds" not in text(settings, cards={"junior": {}, "senior": {}})
    given = dataclasses.replace(settings, model=Path("models"))
    assert "seed 527, round 3 of 3" in text(given, cards=cards)


def test_methods_tell_of_a_calibration_where_there_is_one(settings: Settings) -> None:
    told = text(settings, cards={"junior": {}, "senior": {"calibration": CALIBRATION}})
    assert "of 1.50, fitted on 12 cases with known tumours (mixes)" in told
    assert "On calibration of modern neural networks" in told
    assert "Dice to be expected" in told
    assert "temperature" not in text(settings, cards={"junior": {}, "senior": {}})


def test_methods_tell_what_a_verdict_takes_from_masks(settings: Settings) -> None:
    controls = Controls("simulated heads", {f"{n:04d}": 0.0 for n in range(79)})
    networks: dict[str, dict[str, Any]] = {"junior": {}, "senior": {}}
    for witness, parts, emptied in (
        (Witness("junior", controls, beside=True, measured=True), True, True),
        (Witness("senior", controls, measured=True), False, True),
        (Witness("junior", controls, beside=True), False, False),
        (Witness("senior"), False, False),
    ):
        told = text(settings, cards=networks, witness=witness)
        assert ("had not found were dropped" in told) is parts
        assert "people without a tumour" not in told
        compared = text(settings, cards=networks, witness=witness, n_norm=12)
        assert ("any of 12 people without a tumour within 4 mm" in compared) is emptied
        assert ("Where p > 0.5, nothing was kept of a mask." in told) is emptied
        assert "nothing was kept" not in text(
            dataclasses.replace(settings, keep_mask=True), cards=networks, witness=witness
        )


@pytest.mark.parametrize("limits", [[], [NOT_MEASURED]])
def test_methods_tell_of_a_starter_that_was_never_measured(
    settings: Settings, limits: list[str]
) -> None:
    told = {"Limits": limits, "MeasuredOnRealScans": not limits, "Data": "Simulated heads."}
    cards = {"starter": {"details": told}}
    given = dataclasses.replace(settings, model=Path("starter"))
    words = "heads. It was tried on simulated heads alone, and not measured on real scans."
    assert (words in text(given, cards=cards)) is bool(limits)
    beside = RunFacts(
        settings, VERSIONS, {}, Path("none"), cards={"junior": card("starter", details=told)}
    )
    written = methods_text(beside, method_for(settings.method, settings.preset))
    assert (words in written) is bool(limits)


def test_methods_follow_the_settings(settings: Settings) -> None:
    reference = text(dataclasses.replace(settings, preset="reference", hold_out=("07",)))
    assert "published shape and intensity parameters" in reference
    assert "07" in reference
    assert "Evaluation" in text(dataclasses.replace(settings, truth=Path("truth")))
    given = dataclasses.replace(settings, model=Path("models"))
    with_model = text(given, cards={"senior": {"scans": ("a", "b")}})
    assert "Nothing was trained" in with_model
    assert "trained on 2 other scans" in with_model
    assert "Stage 1" not in with_model


def test_methods_tell_whose_borders_the_scan_refined(settings: Settings) -> None:
    told = "likelihood ratio of tumour and normal brain"
    assert told in text(settings)
    assert told not in text(dataclasses.replace(settings, preset="reference"))
    assert told not in text(dataclasses.replace(settings, method=Method.FABRICATION))
    stored = dataclasses.asdict(Evidence())
    for told_by_card in ({}, {"details": {"BorderRefinement": stored}}):
        assert told in text(settings, cards={"senior": told_by_card})


@pytest.mark.parametrize("method", Method)
def test_citations_are_numbered_in_their_order_and_all_listed(
    settings: Settings, method: Method
) -> None:
    chosen = dataclasses.replace(settings, truth=Path("truth"), method=method, healthy_twin=True)
    chosen = dataclasses.replace(chosen, output_spaces=("T1w", "MNI152NLin6Asym:res-1:res-2"))
    cards: dict[str, dict[str, Any]] = {"junior": {}, "senior": {"calibration": CALIBRATION}}
    written = text(chosen, head_templates=("embedded",), n_compared=2, cards=cards)
    assert "bent into MNI152NLin6Asym by" in written
    body, listed = written.split("## References")
    cited = [int(n) for group_ in re.findall(r"\[([\d, ]+)\]", body) for n in group_.split(", ")]
    numbers = list(dict.fromkeys(cited))
    assert numbers == list(range(1, len(REFERENCES)))  # all but that of the other method
    assert re.findall(r"^(\d+)\. ", listed, flags=re.M) == [str(n) for n in numbers]
    assert ("2511.18654" in listed) == (method is Method.FABRICATION)


def test_corrected_masks_are_told(settings: Settings) -> None:
    assert "trains without manual annotations" in text(settings)
    written = text(settings, n_corrected=3)
    assert "trains with 3 corrected masks" in written
    assert "3 masks, corrected by a person, took the place of pseudo-labels" in written
    assert "without manual annotations" not in written


def test_an_evaluation_tells_of_scans_that_were_learned_from(settings: Settings) -> None:
    chosen = dataclasses.replace(settings, truth=Path("truth"))
    alone, without = "which nothing but this comparison read", "are left out of means and medians"
    told = text(chosen)
    assert (alone in told, without in told) == (True, False)
    told = text(chosen, n_corrected=3)
    assert (alone in told, without in told) == (False, True)
    given = dataclasses.replace(chosen, model=Path("models"))
    assert alone in text(given, cards={"senior": {}}, n_corrected=3), "of other scans"


def test_fabrication_tells_its_samples_and_what_was_dropped(
    settings: Settings, tmp_path: Path
) -> None:
    quality: dict[str, Any] = {"Judged": 232, "Dropped": 29, "Rate": 0.125, "RefinementHelps": True}
    classes = (TumourClass(1, "oedema"), TumourClass(3, "core"))
    cards: dict[str, dict[str, Any]] = {
        "junior": {"best_epoch": 17},
        "senior": {"best_epoch": 23, "classes": classes},
    }
    chosen = dataclasses.replace(settings, method=Method.FABRICATION)
    write_quality(tmp_path, quality)
    more: dict[str, Any] = {"cards": cards, "n_annotated": 3, "n_pseudo_labels": 6}
    more["models_dir"] = tmp_path
    written = text(chosen, **more)
    for words in (
        *("3 annotated scans with 2 classes (oedema, core)", "Of 232 refined samples 29 (12 %)"),
        *("(epoch 17)", "(epoch 23)", "design is this software's own"),
    ):
        assert words in written
    assert "and on the refined samples that were kept" in written
    assert "without manual annotations" not in written
    for words in ("semi-supervised", "other annotated scans"):
        assert words not in written
    semi = dataclasses.replace(chosen, semi_supervised=True)
    assert "the junior's segmentations of unlabelled tumour scans" in text(semi, **more)
    assert "(6 scans)" in text(semi, **more)
    cards["senior"]["details"] = {"SemiSupervised": True, "Teacher": {"Method": "synthtumour"}}
    assert "(method synthtumour, without any annotation)" in text(semi, **more)
    write_quality(tmp_path, {**quality, "InAnnotatedScans": 116})
    assert "hosts of 116 of them were other annotated scans" in text(chosen, **more)
    for kind, on in (
        ("coarse samples", "the same, as no refined sample for training was kept"),
        ("refined samples", "these and on the refined samples that were kept"),
    ):
        cards["senior"]["details"] = {"Cases": {"Training": {"annotated scans": 2, kind: 24}}}
        assert f"(epoch 23) on {on}." in text(chosen, **more)


def test_fabrication_counts_what_was_learned_from(settings: Settings) -> None:
    """And not scans annotated later, or samples that were planned."""
    profile = settings.profile
    chosen = dataclasses.replace(settings, method=Method.FABRICATION)
    planned = f"{profile.n_train} coarse training samples"
    sides = {
        "Training": {"annotated scans": 3, "coarse samples": 95, "refined samples": 40},
        "Validation": {"annotated scans": 1, "coarse samples": 19},
    }
    for details, told in (
        ({}, ("5 annotated scans", planned, f"{profile.n_shifted} validation samples")),
        (
            {"Cases": sides},
            ("Lesions of 4 annotated", "95 coarse training samples", "19 validation samples"),
        ),
    ):
        written = text(chosen, cards={"senior": {"details": details}}, n_annotated=5)
        for words in told:
            assert words in written
    assert "5 annotated scans" in text(chosen, n_annotated=5)


def test_fabrication_claims_no_verdict_where_refinement_did_not_help(
    settings: Settings, tmp_path: Path
) -> None:
    none = dict.fromkeys(("Judged", "Dropped", "Rate", "Reasons", "Thresholds"))
    chosen = dataclasses.replace(settings, method=Method.FABRICATION)
    # Older records have a rate all the same; it tells nothing.
    for judged in (none, {"Judged": 232, "Dropped": 29, "Rate": 0.125}):
        write_quality(tmp_path, {**judged, "RefinementHelps": False})
        useless = text(chosen, models_dir=tmp_path, n_annotated=3)
        assert "no refined samples were used" in useless
        assert "was trained to refine those in tumour-free brains" in useless
        for words in ("dropped", "%", "discriminator or", "that were kept"):
            assert words not in useless.split("## References")[0].split("**Fabrication.**")[1]
    write_quality(tmp_path, {**none, "RefinementHelps": False, "GanTrained": False})
    without = text(chosen, models_dir=tmp_path, n_annotated=3)
    assert "was left out, as too few annotated persons could be held out" in without
    assert "was trained to refine" not in without
