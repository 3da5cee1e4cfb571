"""From probabilities on the template grid to one scan's masks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import special

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.files import fingerprint, write_json
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.methods.comparison import KEPT, Comparison
from synthtumour_bids.reports.facts import network_facts
from synthtumour_bids.segmentation.calibration import UNKNOWN
from synthtumour_bids.segmentation.class_maps import classes_path
from synthtumour_bids.segmentation.expected_dice import DiceLine
from synthtumour_bids.segmentation.other_side_rules import OtherSide
from synthtumour_bids.settings import TEMPLATE, Role, Step
from synthtumour_bids.steps import segment, segmented_scan
from synthtumour_bids.steps.segment import STEP, Networks, SegmentTask, segment_scan
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.geometry import dice
from tests.builders.jobs import make_job, mark_trained, method_of, with_settings
from tests.builders.segmenting import (
    FALSE,
    LESION,
    SATELLITE,
    SHAPE,
    SMALL,
    SPECK,
    VOXEL,
    make_task,
    save,
)
from tests.builders.training import CALIBRATION

FIGURES = {
    "TumourPresent",
    "PresenceP",
    "Type",
    "Threshold",
    "Refinement",
    "Models",
    "QualityControl",
    "Flags",
}


@pytest.fixture
def task(tmp_path: Path) -> SegmentTask:
    return make_task(tmp_path)


@pytest.mark.parametrize(
    ("lesion", "smallest", "components"), [("glioma", 0.3, 2), ("metastasis", 0.05, 3)]
)
def test_satellites_stay_and_specks_go_on_both_grids(
    task: SegmentTask, lesion: str, smallest: float, components: int
) -> None:
    segment_scan(replace(task, networks=replace(task.networks, lesion=lesion)))
    folder = task.layout.output_dir / f"sub-{task.scan.subject}" / "anat"
    native = folder / f"{task.scan.stem}_label-L_mask.nii.gz"
    standard = folder / f"{task.scan.stem}_space-{TEMPLATE}_res-4_label-L_mask.nii.gz"
    for path in (native, standard):
        mask = np.asanyarray(nib.load(path).dataobj)
        assert mask.dtype == np.uint8
        assert mask[LESION].all()
        assert mask[SATELLITE].all()
        assert mask[SMALL].all() == (lesion == "metastasis")
        assert not mask[SPECK]
        described = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert described["SmallestComponentML"] == smallest
        assert described["Threshold"] == 0.5
    figures = json.loads(task.layout.result(task.scan).read_text())
    assert figures["n_components"] == components


def test_a_segmentation_that_is_interrupted_is_not_done(
    task: SegmentTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment_scan(task)
    fingerprint = task.networks.fingerprint(task.preprocessing)
    ledger = Ledger(task.layout.output_dir)
    assert ledger.is_done(STEP, task.scan.key, fingerprint)
    write_image = segmented_scan.write_image
    written = []

    def stop_after_two(path: Path, *more: object) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write_image(path, *more)

    monkeypatch.setattr(segmented_scan, "write_image", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        segment_scan(task)
    ledger.forget()
    assert not ledger.is_done(STEP, task.scan.key, fingerprint)


@pytest.mark.parametrize("share", [0.8, 1.0])
def test_masks_hold_what_they_enclose_and_maps_do_not(task: SegmentTask, share: float) -> None:
    """A lesion with a grey core, and a gap through which a cavity would not count as closed."""
    core = tuple(slice(s.start + 2, s.stop - 2) for s in LESION)
    probability = np.zeros(SHAPE, np.float32)
    probability[LESION] = 0.9
    probability[core] = 0.1
    probability[core[0], 11, LESION[2].stop - 2 : LESION[2].stop] = 0.1
    folder = task.layout.output_dir / f"sub-{task.scan.subject}" / "anat"
    grid = f"space-{TEMPLATE}_res-4"
    brain = nib.load(folder / f"{task.scan.stem}_{grid}_desc-brain_mask.nii.gz").get_fdata() > 0
    image = np.where(brain, np.random.default_rng(0).uniform(99, 101, SHAPE), 0)
    save(folder / f"{task.scan.stem}_{grid}_desc-preproc_FLAIR.nii.gz", image.astype(np.float32))
    for path in task.probabilities.values():
        save(path, probability)
    segment_scan(replace(task, networks=replace(task.networks, enclosed=share)))
    for name in ("label-L_mask", f"{grid}_label-L_mask", "label-L_desc-junior_mask"):
        path = folder / f"{task.scan.stem}_{name}.nii.gz"
        mask = np.asanyarray(nib.load(path).dataobj) > 0
        assert mask[core].all() if share < 1 else not mask[core].any()
        sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert sidecar.get("Enclosed", 1.0) == share
    said = nib.load(folder / f"{task.scan.stem}_label-L_probseg.nii.gz").get_fdata()
    assert said[core].max() < 0.5
    figures = json.loads(task.layout.result(task.scan).read_text())
    assert figures["mean_probability"] == pytest.approx(0.9, abs=0.01)


def test_the_scan_refines_masks_and_maps_where_it_is_asked(task: SegmentTask) -> None:
    """The networks find the lesion a voxel too wide; the scan shows where it ends."""
    probability = np.zeros(SHAPE, np.float32)
    probability[tuple(slice(s.start - 1, s.stop + 1) for s in LESION)] = 0.8
    probability[LESION] = 0.95
    folder = task.layout.output_dir / f"sub-{task.scan.subject}" / "anat"
    grid = f"space-{TEMPLATE}_res-4"
    brain = nib.load(folder / f"{task.scan.stem}_{grid}_desc-brain_mask.nii.gz").get_fdata() > 0
    image = np.where(brain, np.random.default_rng(0).normal(100, 5, SHAPE), 0)
    image[LESION] += 60
    save(folder / f"{task.scan.stem}_{grid}_desc-preproc_FLAIR.nii.gz", image.astype(np.float32))
    for path in task.probabilities.values():
        save(path, probability)
    evidence = {"senior": Evidence(), "junior": None}
    segment_scan(replace(task, networks=replace(task.networks, evidence=evidence)))
    lesion = np.zeros(SHAPE, bool)
    lesion[LESION] = True
    for name, wanted, refined in (
        ("label-L_mask", lesion, True),
        (f"{grid}_label-L_mask", lesion, True),
        ("label-L_probseg", lesion, True),
        ("label-L_desc-junior_mask", probability > 0, False),
    ):
        path = folder / f"{task.scan.stem}_{name}.nii.gz"
        found = np.asanyarray(nib.load(path).dataobj) >= 0.5
        assert dice(found, wanted) > 0.95, name
        described = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert bool(described["Refinement"]) is refined


@pytest.mark.parametrize("unmeasured", [(), ("junior",), ("junior", "senior")])
def test_masks_tell_of_starters_that_were_never_measured(
    task: SegmentTask, unmeasured: tuple[str, ...]
) -> None:
    segment_scan(replace(task, networks=replace(task.networks, unmeasured=unmeasured)))
    folder = task.layout.output_dir / f"sub-{task.scan.subject}" / "anat"
    for network, name in (("junior", "label-L_desc-junior_mask"), ("senior", "label-L_mask")):
        told = json.loads((folder / f"{task.scan.stem}_{name}.json").read_text())
        assert told.get("MeasuredOnRealScans", True) is (network not in unmeasured)
        shown = [label for label, _ in network_facts(told)]
        assert ("Measured on real scans" in shown) is (network in unmeasured)


@pytest.fixture
def doubtful(task: SegmentTask) -> SegmentTask:
    """A bright lesion on one side, and on the other a part of normal brain taken for one."""
    layout, scan = task.layout, task.scan
    brain = nib.load(layout.standard_brain(scan)).get_fdata() > 0
    image = np.where(brain, np.random.default_rng(0).normal(100, 5, SHAPE), 0)
    image[LESION] += 60
    save(layout.standard_image(scan), image.astype(np.float32))
    probability = np.zeros(SHAPE, np.float32)
    probability[tuple(slice(s.start - 1, s.stop + 1) for s in FALSE)] = 0.3
    probability[LESION] = probability[FALSE] = 0.9
    for path in task.probabilities.values():
        save(path, probability)
        save(classes_path(path), np.stack([0.4 * probability, 0.6 * probability], axis=-1))
    classes = TumourClass(1, "oedema", "ED"), TumourClass(4, "core", "NC")
    rules = Comparison(OtherSide())
    return replace(task, networks=replace(task.networks, classes=classes, comparison=rules))


def test_classes_go_with_the_network_that_told_them(doubtful: SegmentTask) -> None:
    def there() -> set[str]:
        return {path.name for path in doubtful.layout.output_dir.rglob("*_desc-tumour_dseg.*")}

    segment_scan(doubtful)
    assert len(there()) == 6
    segment_scan(replace(doubtful, networks=replace(doubtful.networks, classes=WHOLE_TUMOUR)))
    assert not there()


@pytest.mark.parametrize("kept", [False, True])
def test_what_is_like_the_other_side_is_dropped_and_told_of(
    doubtful: SegmentTask, kept: bool
) -> None:
    task = doubtful
    if kept:
        networks = replace(task.networks, comparison=Comparison(None, KEPT))
        task = replace(task, networks=networks)
    segment_scan(task)
    folder = task.layout.output_dir / f"sub-{task.scan.subject}" / "anat"

    def voxels(name: str) -> np.ndarray:
        return np.asanyarray(nib.load(folder / f"{task.scan.stem}_{name}.nii.gz").dataobj)

    grid = f"space-{TEMPLATE}_res-4_"
    for name in ("label-L_mask", f"{grid}label-L_mask", "label-L_desc-junior_mask"):
        assert voxels(name)[LESION].all()
        assert voxels(name)[FALSE].all() == voxels(name)[FALSE].any() == kept
        described = json.loads((folder / f"{task.scan.stem}_{name}.json").read_text())
        if kept:
            assert described["OtherSide"] == {"Skipped": KEPT}
            assert described["DroppedComponents"] == []
            continue
        assert described["OtherSide"]["least_difference"] == 0.5
        (dropped,) = described["DroppedComponents"]
        assert dropped["VolumeML"] == pytest.approx(6 * 6 * 5 * VOXEL**3 / 1000, abs=0.001)
        assert dropped["MeanDifference"] < 0.5
        assert dropped["Reason"] == "like the other side"
    for name in ("desc-tumour_dseg", f"{grid}desc-tumour_dseg"):
        assert (voxels(name)[LESION] == 4).all()
        assert voxels(name)[FALSE].any() == kept
    for name in ("label-L_probseg", f"{grid}label-L_probseg"):
        assert voxels(name)[FALSE] == pytest.approx(0.9, abs=0.01)


def test_finished_masks_stay_unless_the_comparison_is_asked_for_otherwise(
    doubtful: SegmentTask,
) -> None:
    ledger, scan, record = Ledger(doubtful.layout.output_dir), doubtful.scan, doubtful.preprocessing
    default = doubtful.networks
    keeping = replace(default, comparison=Comparison(None, KEPT))
    older = fingerprint(
        version="0.1.0",
        models=dict(default.fingerprints),
        evidence=dict.fromkeys(default.evidence),
        scan=record.fingerprint,
    )
    ledger.mark(STEP, scan.key, older)  # as 0.1.0 did, which compared nothing
    assert default.is_done(ledger, scan, record)
    assert keeping.is_done(ledger, scan, record)
    for made_by, other in ((default, keeping), (keeping, default)):
        ledger.mark(STEP, scan.key, made_by.fingerprint(record))
        assert made_by.is_done(ledger, scan, record)
        assert not other.is_done(ledger, scan, record)


@pytest.mark.parametrize(("role", "flags"), [(Role.TUMOUR, ["empty"]), (Role.HELD_OUT, [])])
def test_only_where_a_tumour_should_be_nothing_is_a_flag(
    task: SegmentTask, role: Role, flags: list[str]
) -> None:
    empty = save(task.probabilities["senior"], np.zeros(SHAPE, np.float32))
    scan = replace(task.scan, role=role)
    segment_scan(replace(task, scan=scan, probabilities=dict.fromkeys(task.probabilities, empty)))
    figures = json.loads(task.layout.result(scan).read_text())
    assert (figures["qc_flags"], figures["role"]) == (flags, role)


def test_a_calibrated_map_leaves_the_masks_alone_and_says_what_it_is(task: SegmentTask) -> None:
    segment_scan(task)
    folder = task.layout.output_dir / f"sub-{task.scan.subject}" / "anat"
    paths = [folder / f"{task.scan.stem}_label-L_{kind}.nii.gz" for kind in ("mask", "probseg")]

    def read() -> tuple[np.ndarray, np.ndarray]:
        mask, probability = (np.asanyarray(nib.load(path).dataobj) for path in paths)
        return mask, probability

    def told(kind: int, key: str) -> dict:
        return json.loads(paths[kind].with_name(f"{paths[kind].name[:-7]}.json").read_text())[key]

    before = read()
    assert told(1, "Calibration") == {"Temperature": 1.0, "Skipped": UNKNOWN}
    assert told(0, "ExpectedDice") == {"Skipped": segmented_scan.UNCALIBRATED}
    out, record = task.layout.output_dir, task.preprocessing
    calibrated = replace(task.networks, calibration=CALIBRATION)
    assert calibrated.is_done(Ledger(out), task.scan, record), "finished outputs stay"
    segment_scan(replace(task, networks=calibrated))
    assert calibrated.is_done(Ledger(out), task.scan, record)
    assert not task.networks.is_done(Ledger(out), task.scan, record)
    after = read()
    assert np.array_equal(after[0], before[0])
    assert after[1][LESION].max() == pytest.approx(
        special.expit(special.logit(0.9) / 1.5), abs=1e-4
    )
    assert np.array_equal(after[1] >= 0.5, before[1] >= 0.5)
    assert told(1, "Calibration") == {"Temperature": 1.5, "Origin": "mixes", "Cases": 12}
    assert told(0, "ExpectedDice") == {"Origin": "mixes", "Masks": 12}
    figures = json.loads(task.layout.result(task.scan).read_text())
    assert figures["sure_share"] == 1, "it says .9 everywhere"
    assert figures["expected_dice"] == 0.9  # .1 + .8
    assert (figures["expected_dice_low"], figures["expected_dice_high"]) == (0.78, 1)


def test_a_network_says_what_to_expect_by_how_sure_it_is(task: SegmentTask) -> None:
    def expected(line: DiceLine) -> tuple[float | None, bool]:
        networks = replace(task.networks, calibration=replace(CALIBRATION, expected_dice=line))
        segment_scan(replace(task, networks=networks))
        figures = json.loads(task.layout.result(task.scan).read_text())
        return figures["expected_dice"], "low_expected_dice" in figures["qc_flags"]

    assert expected(DiceLine(0.1, 0.5, 0.2, 79)) == (0.6, False)
    assert expected(DiceLine(0.1, 0.2, 0.2, 79)) == (0.3, True)
    assert expected(DiceLine(0.1, 0, 0.2, 79, planted=(0.4, 0.3, 0.2))) == (None, False)
    empty = save(task.probabilities["senior"], np.zeros(SHAPE, np.float32))
    networks = replace(task.networks, calibration=CALIBRATION)
    maps = dict.fromkeys(task.probabilities, empty)
    segment_scan(replace(task, networks=networks, probabilities=maps))
    figures = json.loads(task.layout.result(task.scan).read_text())
    assert (figures["sure_share"], figures["expected_dice"]) == (None, None)


def test_no_client_reads_the_figures_of_another_file(task: SegmentTask) -> None:
    """By the inheritance principle a sidecar speaks for names with more entities, too.

    pybids lets the first of several in one folder win, which need not be the file's own.
    """
    from bids import BIDSLayout

    segment_scan(task)
    root = task.layout.output_dir
    write_json(
        root / "dataset_description.json",
        {"Name": "x", "BIDSVersion": "1.10.1", "DatasetType": "derivative"},
    )
    layout = BIDSLayout(root, validate=False, is_derivative=True)
    files = layout.get(extension=".nii.gz", subject=task.scan.subject)
    assert len(files) >= 6
    for file in files:
        own = Path(file.path.replace(".nii.gz", ".json"))
        if own.is_file():
            said = {
                key: value for key, value in json.loads(own.read_text()).items() if key in FIGURES
            }
            read = file.get_metadata()
            assert {key: read.get(key) for key in said} == said, file.filename


def test_a_network_alone_has_no_junior_to_be_compared_with(task: SegmentTask) -> None:
    segment_scan(task)
    folder = task.layout.output_dir / f"sub-{task.scan.subject}" / "anat"
    assert len(list(folder.glob("*desc-junior_mask*"))) == 2
    networks = Networks(
        {"starter": "weights"},
        {"starter": None},
        WHOLE_TUMOUR,
        "glioma",
        Comparison(None, KEPT),
        calibration=replace(CALIBRATION, temperature=1.0),
    )
    predicted = {"starter": task.probabilities["senior"]}
    segment_scan(replace(task, networks=networks, probabilities=predicted))
    assert not list(folder.glob("*junior*")), "what an earlier run left is of other masks"
    assert json.loads((folder / f"{task.scan.stem}_label-L_mask.json").read_text())["Models"] == {
        "starter": "weights"
    }
    sidecar = json.loads((folder / f"{task.scan.stem}_desc-uncertainty_probseg.json").read_text())
    assert sidecar["Description"] == "Entropy of the starter's tumour probability"
    assert sidecar["Calibration"] == {"Temperature": 1, "Skipped": segmented_scan.NOT_FITTED}
    figures = json.loads(task.layout.result(task.scan).read_text())
    assert "low_agreement" not in figures["qc_flags"]
    assert not [name for name in figures if "junior" in name]


def test_segmenting_what_is_not_preprocessed_fails_with_the_flag(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=4)
    mark_trained(job)
    alone = with_settings(job, steps=(Step.SEGMENT, Step.REPORT))
    records = segment.run(alone, method_of(job))
    assert [record.status for record in records] == [Status.FAILED] * 4
    assert "Run --steps preprocess first, with the same --profile" in records[0].message
    failures = Ledger(job.settings.output_dir).failures()
    assert {one.step for one in failures} == {"segment"}
    assert len(failures) == 4
    assert segment.run(job, method_of(job)) == []  # whole runs have told why
