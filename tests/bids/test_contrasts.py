"""Further contrasts of a session: found beside the scan, aligned to it, or missing and named."""

from __future__ import annotations

from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.__main__ import main
from synthtumour_bids.bids.inputs import collect_scans
from synthtumour_bids.errors import EXIT_NO_DATA, EXIT_USAGE, DataError
from synthtumour_bids.preprocessing.contrast import bring_along
from synthtumour_bids.preprocessing.registration import Preprocessed
from synthtumour_bids.settings import Settings
from tests.builders.datasets import make, table
from tests.builders.fabrication_scans import brain_of

SESSION = (
    *("sub-01_ses-1_run-1_FLAIR.nii.gz", "sub-01_ses-1_T1w.nii.gz"),
    *("sub-01_ses-1_ce-gd_T1w.nii.gz", "sub-01_ses-1_acq-2D_T2w.nii"),
    *("sub-01_ses-2_T2w.nii.gz", "sub-01_ses-2_FLAIR.nii.gz"),
)


def collect(root: Path, *contrasts: str, **more):
    healthy = make(root.parent / "healthy", "sub-h_FLAIR.nii.gz", "sub-h_T2w.nii.gz")
    settings = Settings(
        root, root.parent / "out", tumourfree_dir=(healthy,), more_contrasts=contrasts, **more
    )
    return collect_scans(settings).selected


def test_contrasts_of_the_same_session_are_found(tmp_path):
    root = make(tmp_path / "main", *SESSION)
    scan, later, _ = collect(root, "T2w")
    assert [other.path.name for other in scan.contrasts] == ["sub-01_ses-1_acq-2D_T2w.nii"]
    assert [other.path.name for other in later.contrasts] == ["sub-01_ses-2_T2w.nii.gz"]
    assert collect(root)[0].contrasts == ()


def test_a_contrast_agent_makes_another_contrast(tmp_path):
    root = make(tmp_path / "main", *SESSION[:3])
    make(tmp_path / "healthy", "sub-h_T1w.nii.gz", "sub-h_ce-gd_T1w.nii.gz")
    scan = collect(root, "T1w", "ceT1w")[0]
    assert [other.path.name for other in scan.contrasts] == list(SESSION[1:3])
    assert [other.contrast for other in scan.contrasts] == ["T1w", "ceT1w"]


def test_a_scan_without_a_contrast_is_named(tmp_path):
    root = make(tmp_path / "main", *SESSION)
    with pytest.raises(DataError, match=r"these have not: .*ses-2_FLAIR \(T1w\)"):
        collect(root, "T1w")


def test_the_run_of_the_scan_decides(tmp_path):
    names = [f"sub-01_run-{run}_{suffix}.nii.gz" for run in (1, 2) for suffix in ("FLAIR", "T2w")]
    root = make(tmp_path / "main", *names)
    found = {scan.stem: scan.contrasts[0].stem for scan in collect(root, "T2w")[:-1]}
    assert found == {"sub-01_run-1": "sub-01_run-1", "sub-01_run-2": "sub-01_run-2"}


def test_images_that_fit_equally_well_are_named(tmp_path):
    names = ["sub-01_FLAIR.nii.gz", "sub-01_acq-a_T2w.nii.gz", "sub-01_acq-b_T2w.nii.gz"]
    with pytest.raises(DataError, match=r"sub-01_acq-a_T2w\.nii\.gz, sub-01_acq-b_T2w\.nii\.gz"):
        collect(make(tmp_path / "main", *names), "T2w")


def test_contrasts_that_bidsignore_names_are_left_out(tmp_path, caplog):
    names = ["sub-01_FLAIR.nii.gz", "sub-01_acq-a_T2w.nii.gz", "sub-01_acq-b_T2w.nii.gz"]
    root = make(tmp_path / "main", *names)
    (root / ".bidsignore").write_text("*_acq-a_T2w*\n")
    with caplog.at_level("INFO"):
        assert collect(root, "T2w")[0].contrasts[0].path.name == names[2]
    assert "sub-01_acq-a_T2w.nii.gz is left out: .bidsignore names it" in caplog.text
    (root / ".bidsignore").write_text("*_T2w*\n")
    with pytest.raises(DataError, match=r"these have not: .*sub-01_FLAIR \(T2w\)"):
        collect(root, "T2w")


def test_exit_codes(tmp_path, capsys):
    root = make(tmp_path / "main", "sub-01_FLAIR.nii.gz", "sub-02_FLAIR.nii.gz")
    table(root, "sub-01\tcontrol", "sub-02\ttumour")
    command = [str(root), str(tmp_path / "out"), "participant"]
    assert main([*command, "--more-contrasts", "T1w"]) == EXIT_USAGE
    fabrication = ["--method", "fabrication", "--annotated-dir", str(root)]
    assert main([*command, *fabrication, "--more-contrasts", "FLAIR"]) == EXIT_USAGE
    assert "twice" in capsys.readouterr().err
    drawn = make(tmp_path / "drawn", "sub-02_label-L_mask.nii.gz")
    fabrication += ["--derivatives", str(drawn), "--more-contrasts", "T1w"]
    assert main([*command, *fabrication]) == EXIT_NO_DATA


def test_a_contrast_is_brought_along_to_the_template(tmp_path):
    rng = np.random.default_rng(2)
    brain = brain_of()
    texture = ndimage.gaussian_filter(rng.normal(size=brain.shape), 1.5)
    shown = np.where(brain, 100 + 60 * texture / texture.std(), 0).clip(0).astype(np.float32)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = -4 * (np.array(brain.shape) - 1) / 2
    other = np.where(brain, 300 - shown, 0).astype(np.float32)
    # The head has moved between the two images.
    moved = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.05, 0), [5, -4, 3]) @ affine
    transform = tmp_path / "scan-to-standard.mat"
    ants.write_transform(ants.create_ants_transform(dimension=3), str(transform))
    mask = nib.Nifti1Image(brain.astype(np.uint8), affine)
    scan = Preprocessed(
        *(nib.Nifti1Image(shown, affine), mask, nib.Nifti1Image(shown, affine), mask),
        *(transform, {}, (), "", "", True),
    )
    brought = bring_along(
        nib.Nifti1Image(other, moved), scan, work_dir=tmp_path, seed=1, sloppy=False
    )
    values = brought.get_fdata()
    assert brought.shape == brain.shape
    assert not values[~brain].any()
    assert (values[brain] > 0).all()
    inner = ndimage.binary_erosion(brain, iterations=2)
    assert np.corrcoef(values[inner], other[inner])[0, 1] > 0.8
    assert [path.name for path in tmp_path.iterdir()] == [transform.name]
