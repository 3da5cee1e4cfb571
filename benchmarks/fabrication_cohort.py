"""The development cohort for `fabrication.py`: a coarse grid, a fixed split, scores of masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from cohort import cohort_folder, truths

from synthtumour_bids.preprocessing import ants_images, geometry
from synthtumour_bids.preprocessing.registration import carry_to_native
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.metrics import Scores, evaluate
from synthtumour_bids.synthesis.fabrication.scans import BrainScan, Scale, make_scan
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria

SPLIT_SEED = 0
N_POOL = 10  # scans that may count as annotated; the others with truth are for testing only


@dataclass(frozen=True)
class Member:
    """A scan of the cohort on the benchmark's grid.

    Attributes
    ----------
    label
        Participant label.
    native
        Folder of its derivatives.
    image, brain
        Brain and its mask on the grid.
    truth
        Manual mask on the grid; None where there is none or it must not be seen.
    """

    label: str
    native: Path
    image: Path
    brain: Path
    truth: Path | None = None

    @cached_property
    def voxels(self) -> np.ndarray:
        return array(self.image, np.float32)

    @cached_property
    def mask(self) -> np.ndarray:
        return array(self.brain, bool)

    def resampled(self, path: Path) -> np.ndarray:
        """Bring a map on the 2-mm template grid to the benchmark's."""
        source = nib.load(path)
        data = source.get_fdata(dtype=np.float32)
        return geometry.resample(data, source.affine, self.mask.shape, self.affine)

    @property
    def affine(self) -> np.ndarray:
        return nib.load(self.image).affine

    def scan(self, classes: np.ndarray | None = None) -> tuple[BrainScan, Scale]:
        """Its voxels as a value, with these classes or the manual ones."""
        if classes is None and self.truth is not None:
            classes = array(self.truth, np.uint8)
        spacing = tuple(geometry.voxel_sizes(self.affine).tolist())
        return make_scan([self.voxels], self.mask, spacing, self.label, classes)


@dataclass(frozen=True)
class Cohort:
    """Who is annotated in what order, who is tested, who is only looked at."""

    pool: tuple[Member, ...]
    test: tuple[Member, ...]
    others: tuple[Member, ...]  # gliomas without truth
    hosts: tuple[Member, ...]
    junior: Path  # trained without any annotation

    def annotated(self, n: int) -> tuple[Member, ...]:
        """The first n of the pool: a larger set holds the smaller ones."""
        return self.pool[:n]

    def unlabelled(self, n: int) -> tuple[Member, ...]:
        """Gliomas that are neither annotated nor tested, in alphabetical order."""
        rest = (*self.pool[n:], *self.others)
        return tuple(sorted(rest, key=lambda member: member.label))


def array(path: Path, dtype: type) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj).astype(dtype)


def open_cohort(out: Path, folder: Path, resolution: float) -> Cohort:
    """Bring the derivatives of ``cohort.py run OUT`` to the grid; what is there is kept."""
    derivatives = out / "derivatives"
    masks = truths(cohort_folder())
    order = np.random.default_rng(SPLIT_SEED).permutation(sorted(masks)).tolist()
    pool, test = order[:N_POOL], order[N_POOL:]
    tumours = {path.name.removeprefix("sub-"): path for path in derivatives.glob("sub-*")}
    hosts = sorted((derivatives / "derivatives" / "tumourfree").glob("sub-*"))

    def members(labels: Sequence[str], *, annotated: bool = False) -> tuple[Member, ...]:
        return tuple(
            on_grid(
                tumours[label] / "anat", folder, resolution, masks[label] if annotated else None
            )
            for label in labels
        )

    return Cohort(
        pool=members(pool, annotated=True),
        test=members(test),
        others=members(sorted(set(tumours) - set(order))),
        hosts=tuple(on_grid(path / "anat", folder, resolution) for path in hosts),
        junior=derivatives / "models" / "junior",
    )


def on_grid(anat: Path, folder: Path, resolution: float, truth: Path | None = None) -> Member:
    """Resample a scan from the 2-mm template grid; its manual mask comes from its own grid."""
    label = anat.parent.name.removeprefix("sub-")
    names = ("image", "brain", "truth") if truth else ("image", "brain")
    paths = {name: folder / f"{label}_{name}.nii" for name in names}
    member = Member(label, anat, **paths)
    if all(path.is_file() for path in paths.values()):
        return member
    folder.mkdir(parents=True, exist_ok=True)
    source = nib.load(next(anat.glob("*_space-*_desc-preproc_FLAIR.nii.gz")))
    inside = nib.load(next(anat.glob("*_space-*_desc-brain_mask.nii.gz")))
    target = standard_brain(resolution)

    def moved(data: np.ndarray) -> np.ndarray:
        return geometry.resample(data, source.affine, target.shape, target.affine)

    share = moved(inside.get_fdata(dtype=np.float32))
    # Divided by the brain's share, or its border would darken.
    image = moved(source.get_fdata(dtype=np.float32)) / np.maximum(share, 0.5)
    contents = {"image": np.where(share >= 0.5, image, 0).astype(np.float32), "brain": share >= 0.5}
    if truth:
        manual = ants.image_read(str(truth)).clone("float")
        transform = next(anat.glob("*_to-*_xfm.*"))
        on_template = ants.apply_transforms(
            ants_images.image_to_ants(source), manual, [str(transform)], interpolator="linear"
        )
        contents["truth"] = (moved(on_template.numpy()) >= 0.5) & contents["brain"]
    for name, data in contents.items():
        kind = np.float32 if name == "image" else np.uint8
        nib.save(nib.Nifti1Image(data.astype(kind), target.affine), paths[name])
    return member


def score(member: Member, probability: Path) -> Scores:
    """Compare a probability map with the manual mask, on the scan's own grid as the app does."""
    reference = nib.load(member.native / f"sub-{member.label}_desc-preproc_FLAIR.nii.gz")
    brain = array(member.native / f"sub-{member.label}_desc-brain_mask.nii.gz", bool)
    transform = next(member.native.glob("*_to-*_xfm.*"))
    native = carry_to_native(nib.load(probability), transform, reference)
    spacing = tuple(geometry.voxel_sizes(reference.affine).tolist())
    mask = assess(native, brain, spacing, criteria=final_criteria("glioma")).mask
    return evaluate(mask, array(truths(cohort_folder())[member.label], bool), spacing)
