"""From probabilities on the template grid to one scan's masks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ants
import nibabel as nib
import numpy as np
import pytest
from scipy import special

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.files import fingerprint, write_json
from synthtumour_bids.job import Preprocessing
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.methods.comparison import KEPT, Comparison
from synthtumour_bids.methods.replanting import UNCALIBRATED, Replanted
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.segmentation.calibration import UNKNOWN
from synthtumour_bids.segmentation.class_maps import classes_path
from synthtumour_bids.segmentation.other_side_rules import OtherSide
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.settings import TEMPLATE, Role, Step
from synthtumour_bids.steps import segment, segmented_scan
from synthtumour_bids.steps.segment import STEP, Networks, SegmentTask, segment_scan
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.geometry import dice
from synthtumour_bids.synthesis.replanting import Overlaps
from tests.builders.jobs import make_job, mark_trained, method_of, with_settings
from tests.builders.training import CALIBRATION

SHAPE = (24, 28, 26)
VOXEL = 3.0
LESION = (slice(5, 12), slice(8, 16), slice(8, 16))  # 12 mL
SATELLITE = (slice(16, 18), slice(10, 12), slice(12, 15))  # 0.32 mL: under 3 % of the lesion
SMALL = (slice(16, 18), slice(10, 12), slice(18, 19))  # 0.1 mL
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
SPECK = (18, 20, 18)  # 0.03 mL
FALSE = (slice(14, 20), slice(18, 24), slice(5, 10))  # 5 mL of normal brain


def save(path: Path, data: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([VOXEL, VOXEL, VOXEL, 1.0])
    affine[0, 3] = -VOXEL * (SHAPE[0] - 1) / 2  # left and right of x = 0, as on the template
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


@pytest.fixture
def task(tmp_path: Path) -> SegmentTask:
    """A preprocessed scan on the template's very grid, and what both networks say about it."""
    job = make_job(tmp_path, tumours=1)
    scan = job.selection.everything[0]
    brain = np.zeros(SHAPE, np.uint8)
    brain[2:-2, 2:-2, 2:-2] = 1
    probability = np.zeros(SHAPE, np.float32)
    for place in (LESION, SATELLITE, SMALL, SPECK):
        probability[place] = 0.9
    layout = job.layout
    save(layout.native_image(scan), brain.astype(np.float32))
    for path in (layout.native_brain(scan), layout.standard_brain(scan)):
        save(path, brain)
    identity = ants.create_ants_transform(transform_type="AffineTransform", dimension=3)
    ants.write_transform(identity, str(layout.transform(scan)))
    predicted = {
        name: save(tmp_path / "predictions" / f"{name}.nii.gz", probability)
        for name in ("junior", "senior")
    }
    unrefined = dict.fromkeys(predicted)
    fingerprints = {name: f"weights of {name}" for name in predicted}
    networks = Networks(fingerprints, unrefined, WHOLE_TUMOUR, "glioma", Comparison(None, KEPT))
    record = Preprocessing("p", {}, (), scan.role, 4.0, "")
    return SegmentTask(scan, predicted, record, networks, layout)


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


def test_scans_are_judged_by_what_tumour_free_ones_look_like(task: SegmentTask) -> None:
    def figures(controls: Controls | None) -> dict[str, Any]:
        witness = Witness(task.networks.main, controls)
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


def test_the_network_that_was_calibrated_is_judged(task: SegmentTask) -> None:
    nothing = save(task.probabilities["senior"].with_name("nothing.nii.gz"), np.zeros(SHAPE, "f4"))
    controls = Controls("simulated heads", {f"{n:04d}": 0.0 for n in range(79)})
    networks = replace(task.networks, witness=Witness("junior", controls, beside=True))
    for junior, present, p in ((task.probabilities["junior"], "yes", 1 / 80), (nothing, "no", 1)):
        maps = {**task.probabilities, "junior": junior}
        segment_scan(replace(task, networks=networks, probabilities=maps))
        found = json.loads(task.layout.result(task.scan).read_text())
        assert (found["tumour_present"], found["presence_p"]) == (present, p)
        assert found["volume_mL"] > 1, "the senior's mask stays what it is"
        mask = task.layout.native(task.scan, label="L", suffix="mask")
        sidecar = json.loads(mask.with_name(mask.name[:-7] + ".json").read_text())
        told = {"Source": "simulated heads", "Persons": 79, "Network": "junior"}
        assert sidecar["PresenceCalibration"] == told
    assert "tumour_unlikely" in found["qc_flags"]
    # Without --keep-mask, what the junior did not find goes.
    networks = replace(networks, comparison=Comparison(OtherSide(least_difference=-100)))
    noise = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
    save(task.layout.standard_image(task.scan), noise)
    segment_scan(replace(task, networks=networks, probabilities=maps))
    found = json.loads(task.layout.result(task.scan).read_text())
    assert (found["tumour_present"], found["volume_mL"]) == ("no", 0)
    assert "tumour_unlikely" not in found["qc_flags"]
    test = json.loads(mask.with_name(mask.name[:-7] + ".json").read_text())["ReplantTest"]
    assert "that the junior did not find were dropped" in test["Skipped"]
    # A starter that no real scan has tried judges, but takes nothing away.
    witness = Witness("junior", controls, beside=True, measured=False)
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
    assert told(0, "ReplantTest") == {"Skipped": UNCALIBRATED}
    out, record = task.layout.output_dir, task.preprocessing
    calibrated = replace(task.networks, calibration=CALIBRATION)
    assert calibrated.is_done(Ledger(out), task.scan, record), "finished outputs stay"
    test = Replanted(Overlaps(0.4, 0.3, 0.5), "the healthy half")
    segment_scan(replace(task, networks=calibrated, replanted=test))
    assert calibrated.is_done(Ledger(out), task.scan, record)
    assert not task.networks.is_done(Ledger(out), task.scan, record)
    after = read()
    assert np.array_equal(after[0], before[0])
    assert after[1][LESION].max() == pytest.approx(
        special.expit(special.logit(0.9) / 1.5), abs=1e-4
    )
    assert np.array_equal(after[1] >= 0.5, before[1] >= 0.5)
    assert told(1, "Calibration") == {"Temperature": 1.5, "Origin": "mixes", "Cases": 12}
    assert told(0, "ReplantTest")["Same"] == 0.4
    figures = json.loads(task.layout.result(task.scan).read_text())
    assert figures["expected_dice"] == 0.43  # .1 + .5 * .4 + .1 * .3 + .2 * .5
    assert (figures["expected_dice_low"], figures["expected_dice_high"]) == (0.31, 0.55)
    assert "low_expected_dice" in figures["qc_flags"]


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
        {"starter": "weights"}, {"starter": None}, WHOLE_TUMOUR, "glioma", Comparison(None, KEPT)
    )
    predicted = {"starter": task.probabilities["senior"]}
    segment_scan(replace(task, networks=networks, probabilities=predicted))
    assert not list(folder.glob("*junior*")), "what an earlier run left is of other masks"
    assert json.loads((folder / f"{task.scan.stem}_label-L_mask.json").read_text())["Models"] == {
        "starter": "weights"
    }
    sidecar = json.loads((folder / f"{task.scan.stem}_desc-uncertainty_probseg.json").read_text())
    assert sidecar["Description"] == "Entropy of the starter's tumour probability"
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
