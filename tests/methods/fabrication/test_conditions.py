"""Fabricated lesions of the volumes and at the places that were asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.errors import DataError
from synthtumour_bids.methods.fabrication.coarse_samples import (
    DrawTask,
    Sample,
    Source,
    draw,
    draw_samples,
    load_place,
)
from synthtumour_bids.methods.fabrication.stored_scans import (
    StoredScan,
    load_lesion,
    store_images,
    store_label,
    store_lesion,
)
from synthtumour_bids.preprocessing.templates import standard_brain, standard_tissues
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import Role, Settings
from synthtumour_bids.synthesis.fabrication.lesions import cut_out
from synthtumour_bids.synthesis.fabrication.scans import make_scan
from synthtumour_bids.volumes import load_nifti
from tests.builders.jobs import make_job
from tests.builders.jobs import make_scan as named_scan

GRID = standard_brain(4.0)


@pytest.fixture
def task(tmp_path: Path) -> DrawTask:
    """Two lesions of about 5 and 50 mL, and one host, on the template grid at 4 mm."""
    tissues = standard_tissues(4.0)
    brain = tissues["brain"]
    rng = np.random.default_rng(0)
    image = (100 * tissues["gm"] + 90 * tissues["wm"] + rng.normal(0, 3, brain.shape)) * brain
    centre = np.array(GRID.shape) / 2 + [8, 0, 4]
    distance = 4 * np.linalg.norm(np.moveaxis(np.indices(GRID.shape), 0, -1) - centre, axis=-1)
    paths = []
    for number, radius in enumerate((10.6, 22.9)):
        classes = ((distance < radius) & brain).astype(np.uint8)
        scan, _ = make_scan([image * (1 + 0.6 * classes)], brain, (4.0,) * 3, f"t{number}", classes)
        paths.append((store_lesion(cut_out(scan)[0], tmp_path / f"{number}.npz"),))
    host, _ = make_scan([image], brain, (4.0,) * 3, "host")
    stored = StoredScan(
        "host",
        store_images(host.images, GRID.affine, tmp_path, "host", {}),
        store_label(host.brain, GRID.affine, tmp_path, "host", "brain"),
        None,
        "host",
    )
    settings = Settings(
        tmp_path, tmp_path, profile=dataclasses.replace(PROFILES["sloppy"], resolution=4.0)
    )
    donors = tuple(
        Source(
            named_scan(tmp_path, f"t{number}", Role.ANNOTATED),
            dataclasses.replace(stored, name=f"t{number}", source=f"t{number}"),
            lesions,
        )
        for number, lesions in enumerate(paths)
    )
    host = Source(named_scan(tmp_path, "host", Role.TUMOURFREE), stored, ())
    return DrawTask(host, donors, "train", tuple(range(8)), tmp_path, settings)


def asked(task: DrawTask, **wanted: object) -> list[Sample]:
    return draw(dataclasses.replace(task, settings=dataclasses.replace(task.settings, **wanted)))


def test_lesions_have_the_volumes_that_were_asked_for(task: DrawTask) -> None:
    samples = asked(task, lesion_volume=(10.0, 20.0))
    assert len(samples) == 8
    wanted = [sample.wanted_ml for sample in samples]
    assert all(ml is not None and 10 <= ml <= 20 for ml in wanted)
    assert len(set(wanted)) == 8
    # The brain's border and the elastic field cost or add some.
    assert np.median([s.volume_ml / s.wanted_ml for s in samples]) == pytest.approx(1, abs=0.2)
    assert {sample.wanted_ml for sample in asked(task)} == {None}


def test_lesions_lie_where_they_were_asked_to(task: DrawTask, tmp_path: Path) -> None:
    # A mask on another grid of the same space: the front left quarter.
    fine = standard_brain(2.0)
    mask = np.zeros(fine.shape, np.uint8)
    mask[: fine.shape[0] // 2, fine.shape[1] // 2 :] = 1
    path = tmp_path / "place.nii.gz"
    nib.save(nib.Nifti1Image(mask, fine.affine), path)
    samples = asked(task, lesion_place=path, lesion_volume=(2.0, 4.0))
    for sample in samples:
        assert sample.files.label is not None
        label = np.asanyarray(load_nifti(sample.files.label).dataobj) > 0
        x, y, _ = ndimage.center_of_mass(label)
        assert x < GRID.shape[0] / 2 + 2
        assert y > GRID.shape[1] / 2 - 2


def test_a_place_outside_of_the_brain_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "place.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((9, 9, 9), np.uint8), GRID.affine), path)
    with pytest.raises(DataError, match=r"place\.nii\.gz \(--lesion-place\)"):
        load_place(path, GRID)


def test_a_damaged_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "place.nii.gz"
    nib.save(nib.Nifti1Image(np.ones(GRID.shape, np.uint8), GRID.affine), path)
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # in the checksum, which stands before the length
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"\(--lesion-place\) cannot be used.*damaged"):
        load_place(path, GRID)


@pytest.fixture
def sources(task: DrawTask, tmp_path: Path) -> tuple[list[Source], list[Source]]:
    """The host, and the two scans that the lesions come from."""
    annotated = []
    for number, donor in enumerate(task.donors):
        lesions = donor.lesions
        host = task.host.stored.load()
        label = np.zeros(host.grid, np.uint8)
        lesion = load_lesion(lesions[0])
        box = tuple(
            slice(a, a + n) for a, n in zip(lesion.start, lesion.classes.shape, strict=True)
        )
        label[box] = lesion.classes
        where = (GRID.affine, tmp_path, f"t{number}")
        stored = dataclasses.replace(donor.stored, label=store_label(label, *where, "label"))
        annotated.append(dataclasses.replace(donor, stored=stored))
    return [task.host], annotated


def drawn(task: DrawTask, sources: tuple[list[Source], list[Source]], **wanted: object):
    settings = dataclasses.replace(task.settings, work_dir=task.folder, **wanted)
    job = make_job(task.folder / "job", scans=())
    job = dataclasses.replace(job, settings=settings)
    results = draw_samples(job, *sources, "train", 8)
    return [sample for result in results for sample in result.value]


def test_half_of_the_lesions_go_into_other_annotated_scans(
    task: DrawTask, sources: tuple[list[Source], list[Source]]
) -> None:
    samples = drawn(task, sources)
    assert sorted(sample.host for sample in samples) == ["host"] * 4 + ["t0"] * 2 + ["t1"] * 2
    for sample in samples:
        assert sample.mixed == (sample.host != "host")
        assert sample.lesion.split("#")[0] != sample.host
        whose = {f"raw/{sample.host}", f"raw/{sample.lesion.split('#')[0]}"}
        assert sample.files.persons == whose
        if sample.mixed:
            own = next(s.stored for s in sources[1] if s.stored.name == sample.host).load()
            made = sample.files.load()
            assert (made.classes[own.classes > 0] > 0).any()


def test_only_tumour_free_hosts_where_lesions_are_chosen_or_there_is_no_other(
    task: DrawTask, sources: tuple[list[Source], list[Source]]
) -> None:
    hosts, annotated = sources
    for samples in (
        drawn(task, sources, lesion_volume=(10.0, 20.0)),
        drawn(task, (hosts, annotated[:1])),
    ):
        assert [sample.host for sample in samples] == ["host"] * 8
        assert not any(sample.mixed for sample in samples)
