from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from synthtumour_bids.bids.description import check_output_dir, is_ours
from synthtumour_bids.errors import DataError, UsageError
from synthtumour_bids.profile_choice import begin_with
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.steps.prepare import described
from tests.builders.jobs import make_job


@pytest.mark.parametrize("ends", [nullcontext(), pytest.raises(DataError, match="no tumour")])
def test_an_output_folder_that_was_removed_meanwhile_is_still_ours(
    tmp_path: Path, ends: AbstractContextManager[object]
) -> None:
    settings = make_job(tmp_path).settings
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    with ends as error, described(settings):
        shutil.rmtree(settings.output_dir)
        (settings.output_dir / "models").mkdir(parents=True)
        with pytest.raises(UsageError, match="did not make"):
            check_output_dir(settings.output_dir, settings.bids_dir)
        if error is not None:
            msg = "no tumour anywhere"
            raise DataError(msg)
    check_output_dir(settings.output_dir, settings.bids_dir)
    assert is_ours(settings.output_dir)
    assert begin_with(settings.output_dir, PROFILES["full"]) == settings.profile


def test_an_output_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    settings = make_job(tmp_path).settings
    settings.output_dir.mkdir(parents=True, exist_ok=True)
    with described(settings):
        shutil.rmtree(settings.output_dir)
    assert not settings.output_dir.exists()


def test_a_dataset_that_is_gone_at_the_end_hides_nothing(tmp_path: Path) -> None:
    """As with a network disk that was unmounted: what the run has to say is something else."""
    settings = make_job(tmp_path).settings
    settings.output_dir.mkdir(parents=True, exist_ok=True)

    def lose_the_dataset() -> None:
        with described(settings):
            shutil.rmtree(settings.bids_dir)
            msg = "no tumour anywhere"
            raise DataError(msg)

    with pytest.raises(DataError, match="no tumour"):
        lose_the_dataset()
