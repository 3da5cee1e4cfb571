"""A Dask cluster preprocesses as this machine does."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.demo.phantom import write_cohort
from synthtumour_bids.errors import EXIT_DONE
from tests.execution.test_dask import RealCluster, real

__all__ = ["real"]


@pytest.mark.slow
def test_preprocessing_is_the_same_there_and_here(real: RealCluster, tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path, n_tumourfree=1, n_tumour=1, resolution=4.0, seed=3)
    images = {}
    for name, more in (("here", []), ("there", ["--dask-scheduler", str(real.file)])):
        code = main(
            [
                *(str(cohort.bids_dir), str(tmp_path / name), "participant"),
                *("--steps", "preprocess", "--profile", "sloppy", "--skip-bids-validation"),
                *("--work-dir", str(tmp_path / f"work-{name}"), "--nprocs", "2", *more),
            ]
        )
        assert code == EXIT_DONE
        images[name] = {
            path.name: np.asanyarray(nib.load(path).dataobj)
            for path in (tmp_path / name).glob("sub-*/**/*.nii.gz")
        }
    assert len(images["here"]) == 8
    assert images["here"].keys() == images["there"].keys()
    for name, voxels in images["here"].items():
        np.testing.assert_array_equal(voxels, images["there"][name], err_msg=name)
