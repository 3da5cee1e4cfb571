"""The demo cohort: heads like FLAIR, tumours that grow along tissue, bytes that repeat."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.demo import first_mask
from synthtumour_bids.demo.__main__ import main
from synthtumour_bids.demo.acquisition import Acquisition, Scanner, add_noise, fine_grid
from synthtumour_bids.demo.first_mask import stripped_patient
from synthtumour_bids.demo.growth import Growth, grow
from synthtumour_bids.demo.head import simulate_head
from synthtumour_bids.demo.phantom import DemoCohort, write_cohort
from synthtumour_bids.demo.tumour import SOLID
from synthtumour_bids.demo.words import USUAL_DICE, closing_words
from synthtumour_bids.errors import (
    EXIT_DONE,
    EXIT_SOME_FAILED,
    EXIT_STOPPED,
    EXIT_USAGE,
    UsageError,
)
from synthtumour_bids.segmentation import starters
from synthtumour_bids.simulation.fields import smooth_field, smooth_step

SIZE = {"n_tumourfree": 3, "n_tumour": 3, "resolution": 4.0}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> DemoCohort:
    return write_cohort(tmp_path_factory.mktemp("cohort"), seed=1, **SIZE)


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def volume_ml(image: nib.Nifti1Image) -> float:
    return float((image.get_fdata() > 0).sum() * np.prod(image.header.get_zooms())) / 1000


def masks(cohort: DemoCohort, name: str) -> list[Path]:
    return sorted(cohort.truth_dir.glob(f"sub-*/anat/*_{name}_mask.nii.gz"))


# ---------------------------------------------------------------------- cohort


def test_same_arguments_make_the_same_bytes(cohort: DemoCohort, tmp_path: Path) -> None:
    write_cohort(tmp_path, seed=1, nprocs=2, **SIZE)
    assert checksums(tmp_path) == checksums(cohort.bids_dir.parent)


def test_another_seed_makes_other_heads(cohort: DemoCohort, tmp_path: Path) -> None:
    other = write_cohort(tmp_path, n_tumourfree=1, n_tumour=1, resolution=4.0, seed=2)
    name = "sub-control01/anat/sub-control01_FLAIR.nii.gz"
    assert (other.bids_dir / name).read_bytes() != (cohort.bids_dir / name).read_bytes()


def test_a_complete_cohort_is_left_alone(cohort: DemoCohort) -> None:
    scans = sorted(cohort.bids_dir.glob("sub-*/anat/*.nii.gz"))
    times = [path.stat().st_mtime_ns for path in scans]
    assert write_cohort(cohort.bids_dir.parent, seed=1, **SIZE) == cohort
    assert [path.stat().st_mtime_ns for path in scans] == times


def test_an_interrupted_cohort_is_completed(tmp_path: Path) -> None:
    small = {"n_tumourfree": 1, "n_tumour": 1, "resolution": 5.0, "seed": 4}
    cohort = write_cohort(tmp_path, **small)
    whole = checksums(tmp_path)
    manifest = json.loads((tmp_path / "cohort.json").read_text())
    (tmp_path / "cohort.json").write_text(json.dumps({**manifest, "Complete": False}))
    masks(cohort, "label-L")[0].unlink()
    write_cohort(tmp_path, **small)
    assert checksums(tmp_path) == whole


def test_a_cohort_made_with_other_arguments_is_refused(cohort: DemoCohort) -> None:
    with pytest.raises(UsageError, match=r"Seed=1.*Seed=2"):
        write_cohort(cohort.bids_dir.parent, seed=2, **SIZE)


def test_groups_are_told_in_the_participants_table(cohort: DemoCohort) -> None:
    with (cohort.bids_dir / "participants.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    folders = {path.name for path in cohort.bids_dir.glob("sub-*")}
    assert {row["participant_id"] for row in rows} == folders
    tumours = {row["participant_id"] for row in rows if row["group"] == "tumour"}
    assert tumours == {path.name.split("_")[0] for path in masks(cohort, "label-L")}
    assert len(tumours) == SIZE["n_tumour"]


def test_truth_lies_on_its_scans_grid_inside_the_brain(cohort: DemoCohort) -> None:
    assert len(masks(cohort, "desc-brain")) == 6
    for path in masks(cohort, "label-L"):
        subject = path.name.split("_")[0]
        scan = nib.load(cohort.bids_dir / subject / "anat" / f"{subject}_FLAIR.nii.gz")
        brain = nib.load(path.with_name(f"{subject}_desc-brain_mask.nii.gz"))
        truth = nib.load(path)
        for mask in (truth, brain):
            assert mask.shape == scan.shape
            np.testing.assert_array_equal(mask.affine, scan.affine)
        assert not (truth.get_fdata() > 0)[brain.get_fdata() == 0].any()
        assert 8 < volume_ml(truth) < 150
        assert 1000 < volume_ml(brain) < 2100


def test_who_comes_twice_and_who_has_a_t1w(cohort: DemoCohort, tmp_path: Path) -> None:
    size = {**SIZE, "n_tumourfree": 0}
    more = write_cohort(tmp_path, seed=1, n_followed=1, n_t1w=2, **size)
    before, after = (
        {name: digest for name, digest in checksums(one.bids_dir).items() if "tumour" in name}
        for one in (cohort, more)
    )
    assert before.items() <= after.items()
    added = {
        path.relative_to(more.bids_dir).as_posix() for path in more.bids_dir.rglob("*.nii.gz")
    } - before.keys()
    twice = {f"sub-followed01/ses-{n}/anat/sub-followed01_ses-{n}_FLAIR.nii.gz" for n in (1, 2)}
    t1w = {f"sub-tumour{n:02d}/anat/sub-tumour{n:02d}_T1w.nii.gz" for n in (1, 2)}
    assert added == twice | t1w
    first, second = (
        nib.load(more.truth_dir / name.replace("_FLAIR", "_label-L_mask")) for name in sorted(twice)
    )
    assert volume_ml(first) == pytest.approx(20, rel=0.25)
    assert 1.5 < volume_ml(second) / volume_ml(first) < 2.5
    # On FLAIR the tumour is brighter than nearly all else, on T1w darker than white matter.
    flair, scan = (
        nib.load(more.bids_dir / "sub-tumour01" / "anat" / f"sub-tumour01_{suffix}.nii.gz")
        for suffix in ("FLAIR", "T1w")
    )
    truth = nib.load(more.truth_dir / "sub-tumour01" / "anat" / "sub-tumour01_label-L_mask.nii.gz")
    brain = nib.load(masks(more, "desc-brain")[0]).get_fdata() > 0
    tumour = ndimage.binary_erosion(truth.get_fdata() > 0)
    normal = brain & ~ndimage.binary_dilation(truth.get_fdata() > 0, iterations=2)
    for image, brighter in ((flair, True), (scan, False)):
        values = image.get_fdata()
        bright = np.percentile(values[normal], 75)
        assert (np.median(values[tumour]) > bright) == brighter


def test_kinds_of_scans_differ(cohort: DemoCohort) -> None:
    scans = [nib.load(path) for path in sorted(cohort.bids_dir.glob("sub-control*/anat/*.nii.gz"))]
    assert [nib.aff2axcodes(scan.affine)[0] for scan in scans] == ["R", "L", "R"]
    filled = [(scan.get_fdata() > 0).mean() for scan in scans]
    assert filled[2] < 0.5 < min(filled[:2])  # the third comes without skull and without noise


@pytest.mark.parametrize("which", ["bids_dir", "truth_dir"])
def test_cohort_is_valid_bids(cohort: DemoCohort, which: str) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    command = [validator, "--ignoreWarnings", "--format", "json", getattr(cohort, which)]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    issues = json.loads(result.stdout[result.stdout.index("{") :])["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


# ---------------------------------------------------------------------- heads


@pytest.fixture(scope="module")
def tumour_head():
    rng = np.random.default_rng(11)
    return simulate_head(rng, 4.0, Acquisition(), tumour_volume=50)


def test_contrast_is_that_of_flair(tumour_head) -> None:
    scan = tumour_head.image.get_fdata()
    brain, tumour = tumour_head.brain.get_fdata() > 0, tumour_head.truth.get_fdata() > 0
    normal = brain & ~ndimage.binary_dilation(tumour, iterations=2)
    level = np.median(scan[normal])
    assert np.median(scan[tumour]) > 1.2 * level
    ring = ndimage.binary_dilation(brain, iterations=2) & ~brain
    assert np.median(scan[ring]) < 0.5 * level  # bone
    head = scan > 0.5 * level
    assert head[~ndimage.binary_dilation(brain, iterations=2)].sum() > 1000  # scalp, face, neck
    edge = [scan[0], scan[-1], scan[:, 0], scan[:, -1], scan[..., -1]]
    assert max(np.median(side) for side in edge) < 0.2 * level  # air around


def test_density_tells_the_tumour_and_its_solid_part() -> None:
    head = simulate_head(np.random.default_rng(5), 4.0, Acquisition(), tumour_volume=110)
    scan, density = head.image.get_fdata(), head.density
    tumour, brain = head.truth.get_fdata() > 0, head.brain.get_fdata() > 0
    assert density[tumour].min() > density[brain & ~tumour].max()
    solid = tumour & (density >= sum(SOLID) / 2)
    oedema = tumour & (density > 0.4) & (density < SOLID[0])
    assert np.median(scan[solid]) < np.median(scan[oedema])
    assert simulate_head(np.random.default_rng(3), 5.0, Acquisition()).density is None


def test_a_stripped_scan_is_zero_outside_the_brain() -> None:
    head = simulate_head(np.random.default_rng(3), 5.0, Acquisition(stripped=True))
    assert head.truth is None
    assert not head.image.get_fdata()[head.brain.get_fdata() == 0].any()


def test_thick_slices_cover_the_same_head() -> None:
    size = 202 / 60  # mm; the field of view is 60 slices of this
    thin = simulate_head(np.random.default_rng(3), size, Acquisition())
    thick = simulate_head(np.random.default_rng(3), size, Acquisition(slice_thickness=2 * size))
    assert thick.image.header.get_zooms()[2] == pytest.approx(2 * size)
    assert volume_ml(thick.brain) == pytest.approx(volume_ml(thin.brain), rel=0.05)
    centres = [
        nib.affines.apply_affine(head.brain.affine, ndimage.center_of_mass(head.brain.get_fdata()))
        for head in (thin, thick)
    ]
    np.testing.assert_allclose(*centres, atol=0.5)


@pytest.mark.parametrize("orientation", ["RAS", "LAS"])
def test_the_grid_is_isotropic_and_oblique_as_asked(orientation: str) -> None:
    shape, affine = fine_grid(Acquisition(orientation, tilt=(10, 5, 3)), 3.0)
    np.testing.assert_allclose(np.linalg.norm(affine[:3, :3], axis=0), 3)
    assert "".join(nib.aff2axcodes(affine)) == orientation
    assert np.sign(np.linalg.det(affine)) == (1 if orientation == "RAS" else -1)
    assert all(n > 60 for n in shape)


def test_noise_is_rician(rng: np.random.Generator) -> None:
    noisy = add_noise(np.zeros((40, 40, 40)), Scanner(0, 0.1, 1, 3), rng)
    assert noisy.min() >= 0
    assert noisy.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)


def test_fields_are_smooth_and_standardised(rng: np.random.Generator) -> None:
    field = smooth_field(rng, (40, 50, 30), 2.0, 20.0)
    assert field.shape == (40, 50, 30)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, rel=1e-3)
    assert np.abs(np.diff(field, axis=1)).max() < 0.6
    np.testing.assert_allclose(smooth_step(np.array([-1.0, 0.5, 2.0]), 0, 1), [0, 0.5, 1])


# ---------------------------------------------------------------------- growth

GLIOMA = Growth(diffusion_wm=0.3, diffusion_gm=0.03, proliferation=0.03, visible=0.2, volume=8.0)


def halves() -> tuple[np.ndarray, np.ndarray]:
    """White matter for x < 20, grey matter beyond, nothing at the borders and for z > 30."""
    wm, gm = np.zeros((40, 40, 40), np.float32), np.zeros((40, 40, 40), np.float32)
    wm[1:20, 1:-1, 1:30] = 1
    gm[20:-1, 1:-1, 1:30] = 1
    return wm, gm


def test_growth_stops_at_the_volume_and_stays_in_tissue() -> None:
    wm, gm = halves()
    density = grow(wm, gm, 2.0, (19, 20, 15), GLIOMA)
    assert density.min() >= 0
    assert density.max() <= 1
    assert (density > GLIOMA.visible).sum() * 8 / 1000 == pytest.approx(8, rel=0.15)
    assert not density[(wm + gm) == 0].any()


def test_growth_is_faster_in_white_than_in_grey_matter() -> None:
    wm, gm = halves()
    visible = grow(wm, gm, 2.0, (19, 20, 15), GLIOMA) > GLIOMA.visible
    assert visible[:20].sum() > 2 * visible[20:].sum()


def test_growth_is_symmetric_in_uniform_tissue() -> None:
    wm = np.ones((31, 31, 31), np.float32)
    density = grow(wm, 0 * wm, 2.0, (15, 15, 15), GLIOMA)
    for axis in range(3):
        np.testing.assert_allclose(density, np.flip(density, axis), atol=1e-5)


def test_diffusion_alone_keeps_the_number_of_cells() -> None:
    wm = np.ones((25, 25, 25), np.float32)
    still = Growth(0.3, 0.03, proliferation=1e-9, visible=0.5, volume=1e-9)
    density = grow(wm, 0 * wm, 2.0, (12, 12, 12), still)
    assert density.max() < 1
    assert density.sum() == pytest.approx(1, rel=0.02)


def test_growth_on_a_fine_grid_is_the_same_tumour() -> None:
    wm, gm = halves()
    coarse = grow(wm, gm, 2.0, (15, 20, 15), GLIOMA) > GLIOMA.visible
    doubled = [np.repeat(np.repeat(np.repeat(t, 2, 0), 2, 1), 2, 2) for t in (wm, gm)]
    fine = grow(doubled[0], doubled[1], 1.0, (30, 40, 30), GLIOMA) > GLIOMA.visible
    assert fine.sum() / 8 == pytest.approx(coarse.sum(), rel=0.15)


# ---------------------------------------------------------------------- command


def test_command_writes_the_cohort_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--n-tumourfree", "2", "--n-tumour", "1", "--resolution", "5", "--nprocs", "1"]
    assert main([str(tmp_path), *options, "--cohort-only"]) == EXIT_DONE
    said = capsys.readouterr()
    assert str(tmp_path / "bids") in said.out
    assert "Simulating 1/6 sub-control01_FLAIR" in said.err
    assert not (tmp_path / "segmentations").exists()
    # The app itself accepts the cohort: it finds both roles and plans every scan.
    assert main([str(tmp_path), *options, "--", "--dry-run"]) == EXIT_DONE
    shown = capsys.readouterr().out
    assert "sub-control01" in shown
    assert "sub-tumour01" in shown
    assert main([str(tmp_path), *options, "--seed", "9"]) == EXIT_USAGE


def test_a_stop_ends_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--n-tumourfree", "2", "--n-tumour", "1", "--resolution", "6", "--nprocs", "1"]
    monkeypatch.setattr(first_mask, "stripped_patient", lambda *_: "tumour01")
    monkeypatch.setattr(first_mask, "segment_at_once", lambda *_: EXIT_STOPPED)
    monkeypatch.setattr(starters, "starter_for", lambda *_: "a starter")
    assert main([str(tmp_path), *options]) == EXIT_STOPPED
    assert "Running:" not in capsys.readouterr().out
    taken = tmp_path / "taken"
    taken.write_text("a file")
    assert main([str(taken), *options]) not in (EXIT_DONE, EXIT_SOME_FAILED)
    assert "Traceback" not in capsys.readouterr().err


def test_the_first_mask_is_of_somebody_with_a_tumour_and_without_a_skull(
    cohort: DemoCohort,
) -> None:
    label = stripped_patient(cohort.bids_dir)
    (scan,) = cohort.bids_dir.glob(f"sub-{label}/anat/*_FLAIR.nii.gz")
    assert (nib.load(scan).get_fdata() == 0).mean() > 0.5
    assert volume_ml(nib.load(next(cohort.truth_dir.glob(f"sub-{label}/anat/*-L_mask.nii.gz")))) > 1


@pytest.mark.parametrize("wrong", [["--n-tumour", "0"], ["--resolution", "20"], ["--profile", "x"]])
def test_command_refuses_nonsense(tmp_path: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), *wrong])
    assert stopped.value.code == EXIT_USAGE
    assert list(tmp_path.iterdir()) == []


def test_closing_words_name_masks_and_dice(tmp_path: Path) -> None:
    assert "Nothing was segmented" in closing_words(tmp_path)
    anat = tmp_path / "sub-1" / "anat"
    anat.mkdir(parents=True)
    (anat / "sub-1_label-L_mask.nii.gz").touch()
    (anat / "sub-1_space-MNI152NLin2009aSym_res-4_label-L_mask.nii.gz").touch()
    (tmp_path / "group_desc-tumour_volumes.tsv").write_text(
        "scan\tdice\tjunior_dice\nsub-1_FLAIR\t0.8\t0.5\nsub-2_FLAIR\t0.6\t0.4\n"
        "sub-3_FLAIR\tn/a\tn/a\n"
    )
    words = closing_words(tmp_path)
    assert "To be expected" not in words
    assert closing_words(tmp_path, usual=True).splitlines()[-1].startswith("To be expected were")
    results = Path(__file__).parents[2] / "benchmarks" / "RESULTS.md"
    assert f"senior {USUAL_DICE:.3f}".replace(" 0", " ") in results.read_text(encoding="utf-8")
    assert "sub-1_label-L_mask.nii.gz" in words
    assert "space-" not in words
    assert "0.700" in words
    assert "0.450" in words
