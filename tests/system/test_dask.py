"""A Dask cluster preprocesses as this machine does."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.errors import EXIT_DONE
from tests.builders.finished import Finished
from tests.execution.test_dask import RealCluster, real

__all__ = ["real"]
LABELS = ("control01", "tumour01")


@pytest.mark.slow
def test_preprocessing_is_the_same_there_and_here(
    real: RealCluster, finished: Finished, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [
        *(str(finished.bids), str(out), "participant", "--participant-label", *LABELS),
        *("--steps", "preprocess", "--profile", "sloppy", "--skip-bids-validation"),
        *("--work-dir", str(tmp_path / "work"), "--dask-scheduler", str(real.file)),
    ]
    assert main(command) == EXIT_DONE
    made = sorted(out.glob("sub-*/**/*.nii.gz"))
    assert len(made) == 8
    for path in made:
        there, here = (
            np.asanyarray(nib.load(folder / path.relative_to(out)).dataobj)
            for folder in (out, finished.out)
        )
        np.testing.assert_array_equal(there, here, err_msg=path.name)
