"""Whether there is a tumour: by which network, and what becomes of the mask."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.ledger import Ledger
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.segmentation.norm import Norm
from synthtumour_bids.segmentation.norm_file import find_norm, write_norm
from synthtumour_bids.segmentation.other_side_rules import OtherSide, Reason
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.steps.participant_report import told
from synthtumour_bids.steps.segment import SegmentTask, segment_scan
from synthtumour_bids.volumes import load_volume
from tests.builders.segmenting import LESION, SHAPE, make_task, save


@pytest.fixture
def task(tmp_path: Path) -> SegmentTask:
    return make_task(tmp_path)


def test_scans_are_judged_by_what_tumour_free_ones_look_like(task: SegmentTask) -> None:
    def figures(controls: Controls | None) -> dict[str, Any]:
        witness = Witness(task.networks.main, controls, measured=True)
        networks = replace(task.networks, witness=witness)
        segment_scan(replace(task, networks=networks))
        assert networks.is_done(Ledger(task.layout.output_dir), task.scan, task.preprocessing)
        found: dict[str, Any] = json.loads(task.layout.result(task.scan).read_text())
        return found

    def people(likeness: float) -> Controls:
        return Controls("tumour-free scans", {f"raw/{n}": likeness for n in range(40)})

    unknown = figures(None)
    assert (unknown["tumour_present"], unknown["presence_p"]) == ("unsure", None)
    assert unknown["tumour_likeness"] > 1
    sure = figures(people(0.0))
    assert (sure["tumour_present"], sure["presence_p"]) == ("yes", pytest.approx(1 / 41, abs=1e-4))
    none = figures(people(1e5))
    assert (none["tumour_present"], none["volume_mL"]) == ("no", sure["volume_mL"])
    assert "tumour_unlikely" in none["qc_flags"]
    ledger = Ledger(task.layout.output_dir)
    assert not task.networks.is_done(ledger, task.scan, task.preprocessing)


@pytest.mark.parametrize(
    ("alike", "present", "left"),
    [(4, "unsure", True), (16, "no", True), (19, "no", True), (20, "no", False), (40, "no", False)],
)
@pytest.mark.parametrize("measured", [True, False])
def test_nothing_is_kept_that_most_people_without_a_tumour_have(
    task: SegmentTask, alike: int, present: str, left: bool, measured: bool
) -> None:
    values = [1e5] * alike + [0.0] * (40 - alike)
    people = Controls("tumour-free scans", {f"raw/{n}": one for n, one in enumerate(values)})
    witness = Witness(task.networks.main, people, measured=measured)
    comparison = Comparison(OtherSide(least_difference=-100))
    noise = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
    save(task.layout.standard_image(task.scan), noise)
    segment_scan(
        replace(task, networks=replace(task.networks, witness=witness, comparison=comparison))
    )
    found = json.loads(task.layout.result(task.scan).read_text())
    assert found["tumour_present"] == present
    assert (found["volume_mL"] > 1) is (left or not measured)
    mask = task.layout.native(task.scan, label="L", suffix="mask")
    sidecar = json.loads(mask.with_name(mask.name[:-7] + ".json").read_text())
    reasons = {one["Reason"] for one in sidecar["DroppedComponents"]}
    assert reasons == (set() if left or not measured else {Reason.USUAL.value})
    if reasons:
        assert (found["junior_volume_mL"], found["junior_senior_dice"]) == (0, 1)
        assert found["qc_flags"] == ["empty"]
    probability = task.layout.native(task.scan, label="L", suffix="probseg")
    assert nib.load(probability).get_fdata().max() > 0.8, "the map stays whole"


def test_the_network_that_was_calibrated_is_judged(task: SegmentTask) -> None:
    nothing = save(task.probabilities["senior"].with_name("nothing.nii.gz"), np.zeros(SHAPE, "f4"))
    controls = Controls("simulated heads", {f"{n:04d}": 0.0 for n in range(79)})
    witness = Witness("junior", controls, beside=True, measured=True)
    networks = replace(task.networks, witness=witness)
    for junior, present, p in ((task.probabilities["junior"], "yes", 1 / 80), (nothing, "no", 1)):
        maps = {**task.probabilities, "junior": junior}
        segment_scan(replace(task, networks=networks, probabilities=maps))
        found = json.loads(task.layout.result(task.scan).read_text())
        assert (found["tumour_present"], found["presence_p"]) == (present, p)
        assert found["volume_mL"] > 1, "the senior's mask stays what it is"
        mask = task.layout.native(task.scan, label="L", suffix="mask")
        sidecar = json.loads(mask.with_name(mask.name[:-7] + ".json").read_text())
        known = {"Source": "simulated heads", "Persons": 79, "Network": "junior"}
        assert sidecar["PresenceCalibration"] == known
    assert "tumour_unlikely" in found["qc_flags"]
    # Without --keep-mask, what the junior did not find goes.
    networks = replace(networks, comparison=Comparison(OtherSide(least_difference=-100)))
    noise = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
    save(task.layout.standard_image(task.scan), noise)
    segment_scan(replace(task, networks=networks, probabilities=maps))
    found = json.loads(task.layout.result(task.scan).read_text())
    assert (found["tumour_present"], found["volume_mL"]) == ("no", 0)
    assert "tumour_unlikely" not in found["qc_flags"]
    # A starter that no real scan has tried judges, but takes nothing away.
    witness = replace(witness, measured=False)
    networks = replace(networks, witness=witness)
    segment_scan(replace(task, networks=networks, probabilities=maps))
    found = json.loads(task.layout.result(task.scan).read_text())
    assert found["tumour_present"] == "no"
    assert found["volume_mL"] > 1
    # What was segmented when nobody judged stays.
    ledger = Ledger(task.layout.output_dir)
    segment_scan(replace(task, networks=replace(networks, witness=None)))
    assert networks.is_done(ledger, task.scan, task.preprocessing)
    own = replace(networks, witness=replace(witness, beside=False))
    assert not own.is_done(ledger, task.scan, task.preprocessing)


def test_a_page_says_who_found_what_the_mask_has_nothing_of(task: SegmentTask) -> None:
    nothing = save(task.probabilities["senior"].with_name("nothing.nii.gz"), np.zeros(SHAPE, "f4"))
    controls = Controls("simulated heads", {f"{n:04d}": 0.0 for n in range(79)})
    networks = replace(task.networks, witness=Witness("junior", controls, beside=True))
    maps = {**task.probabilities, "senior": nothing}
    segment_scan(replace(task, networks=networks, probabilities=maps))
    found = json.loads(task.layout.result(task.scan).read_text())
    assert "although the junior found what may be a tumour (p = 0.013)" in told(found)
    by = found.pop("presence_network")
    assert "although the senior found" in told({**found, "presence_network": "senior"})
    assert by not in told(found), "results of before do not tell who judged"


@pytest.mark.parametrize("starter", ["starter 0.1", ""])
def test_what_the_starter_holds_for_a_tumour_stays_whoever_judges(
    task: SegmentTask, starter: str
) -> None:
    """The senior's part reaches so far that it is like the other side; people calibrate it."""
    image = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
    image[LESION] += 50
    save(task.layout.standard_image(task.scan), image)
    large, lesion = np.zeros((2, *SHAPE), np.float32)
    lesion[LESION] = large[LESION] = large[*LESION[:2], LESION[2].stop : LESION[2].stop + 7] = 0.9
    maps = {
        name: save(task.probabilities[name].with_name(f"{name}2.nii.gz"), values)
        for name, values in (("junior", lesion), ("senior", large))
    }
    people = Controls("tumour-free scans", {f"raw/{n}": 0.0 for n in range(40)})
    networks = replace(
        task.networks,
        witness=Witness("senior", people, measured=True),
        comparison=Comparison(OtherSide(least_difference=0.4, compact=2)),
        junior_source=starter,
    )
    segment_scan(replace(task, networks=networks, probabilities=maps))
    found = json.loads(task.layout.result(task.scan).read_text())
    assert found["tumour_present"] == ("yes" if starter else "no")
    assert (found["volume_mL"] > 12) is bool(starter)


@pytest.mark.parametrize(
    ("alike", "measured", "bright", "left"),
    [
        (10, True, True, False),
        (10, True, False, True),
        (10, False, True, True),
        (4, True, True, True),
        (0, True, True, True),
    ],
)
def test_what_people_without_a_tumour_have_there_goes_where_none_is_seen(
    task: SegmentTask, tmp_path: Path, alike: int, measured: bool, bright: bool, left: bool
) -> None:
    """Of 40 people, so many look as much like a tumour; some of them are, or are not, as bright."""
    affine = load_volume(task.layout.standard_brain(task.scan)).affine
    highest = np.full(SHAPE, 100.0 if bright else -100.0, np.float32)
    rules = OtherSide(least_difference=-100)
    write_norm(tmp_path / "models", Norm(highest, affine, 12), rules, "senior")
    noise = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
    save(task.layout.standard_image(task.scan), noise)
    values = [1e5] * alike + [0.0] * (40 - alike)
    people = Controls("tumour-free scans", {f"raw/{n}": one for n, one in enumerate(values)})
    before = replace(
        task.networks,
        witness=Witness("senior", people, measured=measured),
        comparison=Comparison(rules),
    )
    networks = replace(before, norm=find_norm(tmp_path / "models", rules, "senior"))
    segment_scan(replace(task, networks=networks))
    found = json.loads(task.layout.result(task.scan).read_text())
    assert found["tumour_likeness"] > 1
    assert (found["volume_mL"] > 1) is left
    mask = task.layout.native(task.scan, label="L", suffix="mask")
    sidecar = json.loads(mask.with_name(mask.name[:-7] + ".json").read_text())
    reasons = {one["Reason"] for one in sidecar["DroppedComponents"]}
    assert reasons == (set() if left else {Reason.USUAL_HERE.value})
    ledger = Ledger(task.layout.output_dir)
    assert sidecar["Norm"]["Persons"] == 12
    # What was segmented before there was a norm, or with one that is gone, stays.
    assert before.is_done(ledger, task.scan, task.preprocessing)
    segment_scan(replace(task, networks=before))
    assert networks.is_done(ledger, task.scan, task.preprocessing)
