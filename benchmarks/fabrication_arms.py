"""What the networks of `fabrication.py` learn from, arm by arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import carvemix
import nibabel as nib
import numpy as np
from fabrication_cohort import Member

from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.synthesis.fabrication import coarse
from synthtumour_bids.synthesis.fabrication.lesions import cut_out, pick_lesion
from synthtumour_bids.synthesis.fabrication.scans import BrainScan, Scale, on_own_scale
from synthtumour_bids.synthesis.seeds import stream

N_MADE = 40  # synthetic samples of every arm but the plain one
N_MIXED = 20  # of these, lesions that TF-Aug puts into scans with tumours of their own


@dataclass(frozen=True, eq=False)
class Labelled:
    """A scan with its classes, on the common scale, and the way back to its own."""

    member: Member
    scan: BrainScan
    scale: Scale

    @classmethod
    def of(cls, member: Member, classes: np.ndarray | None = None) -> Labelled:
        return cls(member, *member.scan(classes))

    def own(self, made: BrainScan) -> np.ndarray:
        """Image of a sample that was made from this scan, on the scan's own scale."""
        return on_own_scale(made, self.scan, self.member.voxels[None], self.scale)[0]


@dataclass(frozen=True, eq=False)
class Sample:
    """A synthetic scan, the one it was made from, and the one whose lesion is in it."""

    made: BrainScan
    host: Labelled
    donor: str


def carved(annotated: Sequence[Labelled], seed: int) -> Iterator[Sample]:
    """CarveMix, as published: one annotated scan's lesion in another annotated scan."""
    for index in range(N_MADE):
        rng = stream(seed, "mix", None, index=index, purpose="carvemix")
        host, donor = rng.choice(len(annotated), 2, replace=False)
        made = carvemix.render(annotated[host].scan, annotated[donor].scan, carvemix.sample(rng))
        yield Sample(made, annotated[host], annotated[donor].member.label)


def fabricated(
    labelled: Sequence[Labelled], hosts: Sequence[Labelled], count: int, seed: int, purpose: str
) -> list[Sample]:
    """TF-Aug: the labelled scans' lesions in other scans, each of them equally often.

    The hosts are tumour-free scans, or labelled ones, which keep the tumours they have.
    """
    lesions = {one.member.label: cut_out(one.scan) for one in labelled}
    samples = []
    for index in range(count):
        host = hosts[index % len(hosts)]
        rng = stream(seed, host.member.label, None, index=index, purpose=purpose)
        others = [cut for label, cut in lesions.items() if label != host.member.label]
        lesion = pick_lesion(rng, [one for cut in others for one in cut])
        made = coarse.render(host.scan, lesion, coarse.sample(rng, host.scan, lesion))
        samples.append(Sample(made, host, lesion.scan))
    return samples


def cases(real: Sequence[Labelled], samples: Sequence[Sample], folder: Path) -> list[Case]:
    """Write what a network learns from; real and synthetic scans are drawn equally often.

    nnU-Net draws all its cases alike, so real ones are listed as often as needed. The case to
    validate with is one of them: no epoch is selected (see `fabrication.SCHEDULE`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        _case(f"made-{index:03d}", sample.host, sample.made, folder)
        for index, sample in enumerate(samples)
    ]
    files = [_case(one.member.label, one, one.scan, folder) for one in real]
    times = max(1, round(len(made) / len(files)))
    again = [
        replace(case, name=f"real-{case.name}-{turn:03d}")
        for case in files
        for turn in range(times)
    ]
    return [*made, *again, replace(files[0], name="unused", validation=True)]


def _case(name: str, host: Labelled, made: BrainScan, folder: Path) -> Case:
    paths = folder / f"{name}_image.nii", folder / f"{name}_label.nii"
    affine = host.member.affine
    nib.save(nib.Nifti1Image(host.own(made), affine), paths[0])
    nib.save(nib.Nifti1Image(made.classes.astype(np.uint8), affine), paths[1])
    return Case(name, *paths, validation=False)
