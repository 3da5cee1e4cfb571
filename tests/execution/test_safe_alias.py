"""Folders whose names have a meaning to ANTs."""

from __future__ import annotations

from pathlib import Path

import ants
import numpy as np
import pytest

from synthtumour_bids.execution.temporary import safe_alias, temporary_folder


@pytest.mark.parametrize("name", ["pbs.1234[5].server", "a,b", "[x]"])
def test_ants_reads_a_transform_under_the_alias(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    with safe_alias(folder) as named:
        assert not set(str(named)) & set("[],")
        path = named / "identity.mat"
        ants.write_transform(ants.create_ants_transform(dimension=3), str(path))
        image = ants.from_numpy(np.random.default_rng(0).random((9, 9, 9)).astype(np.float32))
        moved = ants.apply_transforms(image, image, [str(path)], whichtoinvert=[True])
        assert moved.numpy().any()
    assert (folder / "identity.mat").is_file()
    assert not named.exists()


def test_plain_folders_are_themselves(tmp_path: Path) -> None:
    with safe_alias(tmp_path) as named:
        assert named == tmp_path


def test_the_temporary_folder_has_a_plain_name(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "pbs[1]") as named:
        assert not set(str(named)) & set("[],")
        assert named.is_dir()
