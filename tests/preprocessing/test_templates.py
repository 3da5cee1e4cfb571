"""Head templates and the standard brain."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.preprocessing.templates import (
    EMBEDDED,
    load_head_template,
    standard_brain,
    standard_tissues,
)


@pytest.fixture
def no_templateflow(monkeypatch):
    monkeypatch.delenv("TEMPLATEFLOW_HOME", raising=False)


def write(path: Path, value: float = 1.0, shape=(4, 5, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.full(shape, value, dtype=np.float32), np.eye(4)), path)
    return path


@pytest.mark.parametrize(
    ("resolution", "shape"), [(1, (197, 233, 189)), (2.0, (99, 117, 95)), (4, (50, 59, 48))]
)
def test_standard_grid_is_the_template_s(resolution, shape):
    brain = standard_brain(resolution)
    assert brain.shape == shape
    assert nib.aff2axcodes(brain.affine) == ("R", "A", "S")
    assert np.allclose(brain.header.get_zooms(), resolution)
    # The first voxel of MNI152NLin2009aSym lies there at every resolution.
    assert np.allclose(brain.affine[:3, 3], (-98, -134, -72))


def test_standard_tissues_share_the_brain():
    tissues = standard_tissues(4)
    assert set(tissues) == {"gm", "wm", "csf", "brain"}
    brain = tissues["brain"]
    assert brain.dtype == bool
    assert brain.shape == standard_brain(4).shape
    assert 1700 < brain.sum() * 4**3 / 1000 < 2100
    total = tissues["gm"] + tissues["wm"] + tissues["csf"]
    assert np.all(total[brain] > 0.99)
    for name in ("gm", "wm", "csf"):
        assert tissues[name].min() >= 0
        assert tissues[name].max() <= 1
        assert np.all(tissues["csf"][~brain] == 0)


def test_standard_tissues_are_the_caller_s_own():
    standard_tissues(4)["brain"][:] = False
    assert standard_tissues(4)["brain"].any()


def test_embedded_head_has_a_dark_ring_between_brain_and_scalp(no_templateflow):
    template = load_head_template(None)
    assert template.name == EMBEDDED
    assert template.head.shape == template.brain.shape
    head, brain = template.head.get_fdata(), template.brain.get_fdata()
    assert 0 <= brain.min() < 0.01 < 0.99 < brain.max() <= 1
    centre = np.linalg.inv(template.head.affine) @ np.array([0, -20, 30, 1])
    i, j, k = np.round(centre[:3]).astype(int)
    ray = head[i:, j, k]
    inside = brain[i:, j, k] > 0.5
    edge = int(np.flatnonzero(inside)[-1])
    assert np.median(ray[:edge]) > 0.7
    assert ray[edge : edge + 5].min() < 0.4
    assert ray[edge + 3 :].max() > 0.9
    assert ray[-1] < 0.1


def test_folder_with_a_head_and_its_brain(tmp_path):
    write(tmp_path / "tpl-Mine_res-01_T1w.nii.gz", 7)
    write(tmp_path / "tpl-Mine_res-01_desc-brain_mask.nii.gz", 1)
    write(tmp_path / "tpl-Mine_res-02_label-brain_probseg.nii.gz", 0.5)
    template = load_head_template(str(tmp_path))
    assert template.name == "Mine"
    assert template.contrast == "T1w"
    assert template.head.get_fdata().max() == 7
    assert template.brain.get_fdata().max() == 1


def test_probability_goes_before_mask_and_file_names_its_folder(tmp_path):
    head = write(tmp_path / "T_template0.nii.gz", 3)
    write(tmp_path / "T_template0_BrainCerebellumExtractionMask.nii.gz", 1)
    probability = tmp_path / "T_template0_BrainCerebellumProbabilityMask.nii.gz"
    data = np.linspace(0, 1, 120, dtype=np.float32).reshape(4, 5, 6)
    nib.save(nib.Nifti1Image(data, np.eye(4)), probability)
    for given in (tmp_path, head):
        template = load_head_template(str(given))
        assert np.allclose(template.brain.get_fdata(), data)


def test_folder_without_a_brain_is_refused(tmp_path):
    write(tmp_path / "head_T1w.nii.gz")
    with pytest.raises(UnavailableError, match=r"found head_T1w.*--skull-strip-template"):
        load_head_template(str(tmp_path))


def test_head_and_brain_must_share_a_grid(tmp_path):
    write(tmp_path / "head_T1w.nii.gz")
    write(tmp_path / "label-brain_probseg.nii.gz", shape=(4, 5, 7))
    with pytest.raises(UnavailableError, match="one grid"):
        load_head_template(str(tmp_path))


def test_a_name_that_is_not_there_comes_with_the_command_that_gets_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"'Nowhere'[\s\S]*synthtumour-fetch Nowhere"):
        load_head_template("Nowhere")


def test_a_name_is_looked_for_where_templateflow_keeps_its_files(
    tmp_path, no_templateflow, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "templateflow" / "tpl-OASIS30ANTs"
    write(folder / "tpl-OASIS30ANTs_res-01_T1w.nii.gz")
    write(folder / "tpl-OASIS30ANTs_res-01_label-brain_probseg.nii.gz")
    assert load_head_template("OASIS30ANTs").name == "OASIS30ANTs"
    # Not unasked: what other programs fetched must not change results.
    assert load_head_template(None).name == EMBEDDED


def test_a_broken_file_is_named(tmp_path):
    head = write(tmp_path / "tpl-Mine_T1w.nii.gz")
    write(tmp_path / "tpl-Mine_desc-brain_mask.nii.gz")
    head.write_bytes(head.read_bytes()[:-9])
    with pytest.raises(UnavailableError, match=r"Mine cannot be read.*synthtumour-fetch"):
        load_head_template(str(tmp_path))


@pytest.mark.parametrize("damaged", ["tpl-Mine_T1w.nii.gz", "tpl-Mine_desc-brain_mask.nii.gz"])
def test_a_file_that_unpacks_to_other_bytes_is_not_read(tmp_path, damaged):
    write(tmp_path / "tpl-Mine_T1w.nii.gz")
    write(tmp_path / "tpl-Mine_desc-brain_mask.nii.gz")
    path = tmp_path / damaged
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the checksum, which stands before the length
    path.write_bytes(bytes(content))
    with pytest.raises(UnavailableError, match=r"Mine cannot be read.*damaged or incomplete"):
        load_head_template(str(tmp_path))


def test_templateflow_on_the_disk_goes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    folder = tmp_path / "tpl-OASIS30ANTs"
    write(folder / "tpl-OASIS30ANTs_res-01_T1w.nii.gz")
    write(folder / "tpl-OASIS30ANTs_res-01_label-brain_probseg.nii.gz")
    assert load_head_template(None).name == "OASIS30ANTs"
    assert load_head_template("OASIS30ANTs").contrast == "T1w"
    assert load_head_template("embedded").name == EMBEDDED


def test_templateflow_s_empty_placeholders_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setenv("TEMPLATEFLOW_HOME", str(tmp_path))
    folder = tmp_path / "tpl-OASIS30ANTs"
    folder.mkdir()
    (folder / "tpl-OASIS30ANTs_res-01_T1w.nii.gz").touch()
    (folder / "tpl-OASIS30ANTs_res-01_label-brain_probseg.nii.gz").touch()
    assert load_head_template(None).name == EMBEDDED
    with pytest.raises(UnavailableError, match="a placeholder without images"):
        load_head_template("OASIS30ANTs")
