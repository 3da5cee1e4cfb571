"""Brains bent into standard spaces: where masks land, what is kept, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from synthtumour_bids.errors import UnavailableError, UnusableScanError
from synthtumour_bids.execution.outcome import Status
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.preprocessing import ants_images
from synthtumour_bids.preprocessing.template_files import HOME_VARIABLE
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import TEMPLATE, Step
from synthtumour_bids.spaces.deformation import Deformation
from synthtumour_bids.steps import checks, frequency, spaces, standard_spaces
from synthtumour_bids.steps.locations import describe_location
from synthtumour_bids.steps.standard_report import draw_spaces
from synthtumour_bids.steps.standard_spaces import spaces_of
from synthtumour_bids.synthesis.geometry import dice
from tests.builders.jobs import make_job, method_of, with_settings

OTHER = "MNI152NLin6Asym"
BUMP_MM, BUMP_WIDTH_MM = 12.0, 22.0
PLACE = (-24.0, -30.0, 24.0)


def lesion_of_template() -> np.ndarray:
    """Where the lesion would lie had nothing bent the brain."""
    template = standard_brain(4)
    world = nib.affines.apply_affine(
        template.affine, np.moveaxis(np.indices(template.shape), 0, -1)
    )
    return np.asarray(np.linalg.norm(world - PLACE, axis=-1) < 14)


def write_archive(home: Path) -> None:
    """Write a TemplateFlow archive of one head, which is the template's brain."""
    brain = standard_brain(4)
    folder = home / f"tpl-{OTHER}"
    folder.mkdir(parents=True)
    nib.save(brain, folder / f"tpl-{OTHER}_res-02_T1w.nii.gz")
    inside = (brain.get_fdata() > 0.05).astype(np.uint8)
    nib.save(
        nib.Nifti1Image(inside, brain.affine), folder / f"tpl-{OTHER}_res-02_desc-brain_mask.nii.gz"
    )


def bent(values: np.ndarray, order: int) -> np.ndarray:
    """Bend an image of the template: around the lesion all is moved to the front."""
    template = standard_brain(4)
    indices = np.indices(template.shape).astype(float)
    world = nib.affines.apply_affine(template.affine, np.moveaxis(indices, 0, -1))
    reach = np.exp(-((np.linalg.norm(world - PLACE, axis=-1) / BUMP_WIDTH_MM) ** 2) / 2)
    indices[1] -= BUMP_MM / 4 * reach
    return np.asarray(ndimage.map_coordinates(values, indices, order=order))


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A scan whose brain is the template's, bent around a bright lesion."""
    root = tmp_path_factory.mktemp("bent")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(root / "templateflow"))
        write_archive(root / "templateflow")
        job = make_job(root, tumours=1, tumourfree=0, output_spaces=(f"{TEMPLATE}:res-2", OTHER))
        template, (scan,), layout = standard_brain(4), job.selected(), job.layout
        brain = bent(template.get_fdata(dtype=np.float32), 1)
        inside = brain > 0.05
        lesion = bent(lesion_of_template().astype(np.float32), 1) >= 0.5
        flair = np.where(inside, 1.5 - brain, 0) * 100 + 90 * lesion
        images = {
            layout.native_image(scan): flair.astype(np.float32),
            layout.native_brain(scan): inside.astype(np.uint8),
            layout.native(scan, label="L", suffix="mask"): lesion.astype(np.uint8),
            layout.native(scan, label="L", suffix="probseg"): lesion.astype(np.float32),
        }
        for path, values in images.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(values, template.affine), path)
            write_json(path.with_name(path.name.replace(".nii.gz", ".json")), {"Type": "Lesion"})
        identity = ants.create_ants_transform(transform_type="AffineTransform", dimension=3)
        ants.write_transform(identity, str(layout.transform(scan)))
        job.ledger.mark(Step.SEGMENT, scan.key, "segmented", list(images), scan=scan)
        records = spaces.run(job)
        assert [record.status for record in records] == [Status.DONE] * 2, records
        assert {record.status for record in spaces.run(job)} == {Status.SKIPPED}
    return job


@pytest.mark.parametrize("space", [TEMPLATE, OTHER])
def test_the_mask_lies_where_the_brain_was_bent_to(carried: Job, space: str) -> None:
    (scan,), layout = carried.selected(), carried.layout
    path = layout.in_standard(scan, space, 4, "mask")
    kind = "_desc-deformable" if space == TEMPLATE else ""
    assert path.name == f"sub-tumour0_space-{space}_res-4_label-L{kind}_mask.nii.gz"
    image = nib.load(path)
    found, expected = np.asarray(image.dataobj) > 0, lesion_of_template()
    affine_only = np.asarray(nib.load(layout.native(scan, label="L", suffix="mask")).dataobj) > 0
    assert dice(found, expected) > dice(affine_only, expected) + 0.1
    assert int(image.header["sform_code"]) == 4
    said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert said["Transform"] == "deformable"
    assert said["SpatialReference"] == space
    assert said["DeformationQualityControl"]["jacobian_min"] > 0


def test_the_transforms_are_for_ants_and_go_both_ways(carried: Job) -> None:
    (scan,), layout = carried.selected(), carried.layout
    forth, back = layout.deformation(scan, OTHER)
    assert forth.name == f"sub-tumour0_desc-deformable_from-FLAIR_to-{OTHER}_mode-image_xfm.h5"
    lesion = ants_images.image_to_ants(nib.load(layout.native(scan, label="L", suffix="mask")))
    there = ants.apply_transforms(lesion, lesion, [str(forth)])
    mask = np.asarray(nib.load(layout.in_standard(scan, OTHER, 4, "mask")).dataobj) > 0
    assert dice(there.numpy() >= 0.5, mask) > 0.9
    again = ants.apply_transforms(lesion, there, [str(back)])
    assert dice(again.numpy() >= 0.5, lesion.numpy() > 0) > 0.85


def test_places_follow_the_bent_brain(carried: Job) -> None:
    (scan,) = carried.selected()
    describe_location(scan, carried.layout, None)
    where = json.loads(carried.layout.location(scan.name).read_text())["Location"]
    assert where["Transform"] == "deformable"
    found = [where[f"centre_{axis}_mm"] for axis in "xyz"]
    mask = nib.load(carried.layout.in_standard(scan, TEMPLATE, 4, "mask"))
    centre = np.argwhere(np.asarray(mask.dataobj) > 0).mean(axis=0)
    expected = nib.affines.apply_affine(mask.affine, centre)
    assert np.linalg.norm(np.subtract(found, expected)) < 1.5
    # The lesion has no say itself, so that its surroundings bring it back most of the way only.
    assert np.linalg.norm(np.subtract(found, PLACE)) < BUMP_MM / 2


def test_the_frequency_map_counts_the_bent_mask(carried: Job) -> None:
    (scan,), layout = carried.selected(), carried.layout
    frequency.write(carried)
    image = layout.group_image(desc="frequency", suffix="probseg")
    bent_mask = nib.load(layout.in_standard(scan, TEMPLATE, 4, "mask"))
    assert np.array_equal(nib.load(image).get_fdata() > 0, np.asarray(bent_mask.dataobj) > 0)
    said = json.loads(image.with_name(image.name.replace(".nii.gz", ".json")).read_text())
    assert said["Transform"] == {"affine": 0, "deformable": 1}
    finer = nib.load(layout.in_standard(scan, TEMPLATE, 2, "mask"))  # which was asked for
    volumes = [
        np.count_nonzero(one.dataobj) * np.prod(one.header.get_zooms())
        for one in (finer, bent_mask)
    ]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.1)


def test_a_folded_brain_is_refused() -> None:
    nothing = sitk.Transform()
    with pytest.raises(UnusableScanError, match=r"would be folded.*-0\.20.*affine grid"):
        standard_spaces._check(Deformation(nothing, nothing, (-0.2, 3.0), 0.5), OTHER)


def test_the_page_shows_the_bent_brain(carried: Job) -> None:
    (scan,), layout = carried.selected(), carried.layout
    assert spaces_of(carried, scan)[0] == TEMPLATE
    (part,) = draw_spaces(scan, layout, [TEMPLATE])
    assert f"show the brain of {TEMPLATE}" in part.read_text()
    assert layout.figure(scan, TEMPLATE, ".svg").stat().st_size > 5000
    assert draw_spaces(scan, layout, []) == []
    assert not part.exists()  # nobody asks for it any more


def test_a_template_that_is_not_there_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "empty"))
    job = make_job(tmp_path, output_spaces=(f"{OTHER}:res-2",), steps=(Step.SEGMENT,))
    with pytest.raises(
        UnavailableError, match=rf"tpl-{OTHER}_res-02_T1w.*found no image"
    ) as caught:
        checks.refuse(job, method_of(job))
    assert str(tmp_path / "empty") in str(caught.value)
    write_archive(tmp_path / "empty")
    checks.refuse(job, method_of(job))
    with pytest.raises(UnavailableError, match="res-01_T1w"):
        checks.refuse(with_settings(job, output_spaces=(f"{OTHER}:res-1",)), method_of(job))
