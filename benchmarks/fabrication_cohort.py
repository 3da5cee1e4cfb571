"""The development cohort on the grid of profile ``fast``: its scans, folds, scores of masks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import ants
import nibabel as nib
import numpy as np
from cohort import cohort_folder, truths

from synthtumour_bids.files import write_json
from synthtumour_bids.preprocessing import ants_images, geometry
from synthtumour_bids.preprocessing.registration import carry_to_native
from synthtumour_bids.segmentation.metrics import Scores, evaluate
from synthtumour_bids.synthesis.fabrication.scans import BrainScan, Scale, make_scan
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria

SPLIT_SEED = 0
N_FOLDS = 4
COHORT = "cohort.json"


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
        Manual mask on the grid; None where there is none.
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
    """Scans with truth, in an order drawn once, and tumour-free ones."""

    scans: tuple[Member, ...]
    hosts: tuple[Member, ...]

    def fold(self, number: int, n: int) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
        """Give the n annotated scans of a fold, and those it tests: a larger n holds a smaller."""
        size = len(self.scans) // N_FOLDS
        turned = self.scans[number * size :] + self.scans[: number * size]
        return turned[size : size + n], turned[:size]


def array(path: Path, dtype: type) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj).astype(dtype)


def take_cohort(out: Path, folder: Path) -> Cohort:
    """Gather the derivatives of ``cohort.py run OUT``; what is there is kept."""
    derivatives = out / "derivatives"
    masks = truths(cohort_folder())
    order = np.random.default_rng(SPLIT_SEED).permutation(sorted(masks)).tolist()
    hosts = sorted((derivatives / "derivatives" / "tumourfree").glob("sub-*/anat"))
    cohort = Cohort(
        scans=tuple(
            on_grid(derivatives / f"sub-{label}" / "anat", folder, masks[label]) for label in order
        ),
        hosts=tuple(on_grid(anat, folder) for anat in hosts),
    )
    labels = {part: [m.label for m in getattr(cohort, part)] for part in ("scans", "hosts")}
    write_json(folder / COHORT, labels)
    return cohort


def open_cohort(folder: Path) -> Cohort:
    """Read what `take_cohort` left, which need not be on the machine that it was made on."""
    labels = json.loads((folder / COHORT).read_text())
    return Cohort(
        *(
            tuple(_member(label, folder, annotated=part == "scans") for label in labels[part])
            for part in ("scans", "hosts")
        )
    )


def _member(label: str, folder: Path, *, annotated: bool, native: Path = Path()) -> Member:
    names = ("image", "brain", "truth") if annotated else ("image", "brain")
    return Member(label, native, **{name: folder / f"{label}_{name}.nii" for name in names})


def on_grid(anat: Path, folder: Path, truth: Path | None = None) -> Member:
    """Take a scan from the template grid; its manual mask comes from its own grid."""
    label = anat.parent.name.removeprefix("sub-")
    member = _member(label, folder, annotated=truth is not None, native=anat)
    paths = {"image": member.image, "brain": member.brain} | (
        {"truth": member.truth} if member.truth else {}
    )
    if all(path.is_file() for path in paths.values()):
        return member
    folder.mkdir(parents=True, exist_ok=True)
    source = nib.load(next(anat.glob("*_space-*_desc-preproc_FLAIR.nii.gz")))
    brain = array(next(anat.glob("*_space-*_desc-brain_mask.nii.gz")), bool)
    contents = {"image": source.get_fdata(dtype=np.float32), "brain": brain}
    if truth:
        manual = ants.image_read(str(truth)).clone("float")
        transform = next(anat.glob("*_to-*_xfm.*"))
        on_template = ants.apply_transforms(
            ants_images.image_to_ants(source), manual, [str(transform)], interpolator="linear"
        )
        contents["truth"] = (on_template.numpy() >= 0.5) & brain
    for name, data in contents.items():
        kind = np.float32 if name == "image" else np.uint8
        nib.save(nib.Nifti1Image(data.astype(kind), source.affine), paths[name])
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
