"""Masks in standard spaces that brains are bent for, as ``--output-spaces`` asks."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from synthtumour_bids.bids.derivatives import remove_outputs, sidecar_path, write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.errors import UnavailableError, UnusableScanError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.temporary import safe_alias
from synthtumour_bids.files import fingerprint, hash_file, replacing
from synthtumour_bids.job import Job, skipped
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import Ledger, Stamp
from synthtumour_bids.preprocessing.template_files import find_standard
from synthtumour_bids.preprocessing.templates import standard_brain, templateflow_brain
from synthtumour_bids.settings import TEMPLATE, Role, Step
from synthtumour_bids.spaces.levels import BORDER, levels
from synthtumour_bids.spaces.references import references_of
from synthtumour_bids.steps.memory import memory_gb
from synthtumour_bids.volumes import load_nifti, load_volume, template_image

if TYPE_CHECKING:
    from synthtumour_bids.spaces.deformation import Deformation

VERSION = "1"  # changes when the same mask gives another one
MEMORY_GB = 3.0
DEFORMABLE = "deformable"  # the kind of transform, and `desc` where an affine result has the name
LEAST_JACOBIAN = 0.0  # at this and below, space is folded


@dataclass(frozen=True)
class SpaceTask:
    """One segmented scan, and the grids of one standard space that its mask is wanted on."""

    scan: Scan
    space: str
    resolutions: tuple[int | None, ...]
    segmented: str  # fingerprint of the segmentation
    layout: Layout
    seed: int
    sloppy: bool

    @property
    def step(self) -> str:
        """Name of the stamp."""
        return step_of(self.space)

    def fingerprint(self) -> str:
        """Hash of all that the mask in this space depends on."""
        files = None if self.space == TEMPLATE else find_standard(self.space, None)
        return fingerprint(
            version=VERSION,
            template=None if files is None else hash_file(files.head),
            resolutions=[_millimetres(self, one) for one in self.resolutions],
            segmented=self.segmented,
            mask=hash_file(_native(self, "mask")),
            seed=self.seed,
            sloppy=self.sloppy,
        )


def step_of(space: str) -> str:
    """Name of the stamps and failures of a space."""
    return f"space-{space}"


def deformed(ledger: Ledger, key: str, space: str) -> Stamp | None:
    """Stamp of a scan's mask in a space, if it is of the segmentation that is there now."""
    stamp, segmented = ledger.finished(step_of(space), key), ledger.read(Step.SEGMENT, key)
    if stamp is None or segmented is None:
        return None
    return stamp if stamp.details.get("segmented") == segmented.fingerprint else None


def run(job: Job) -> list[ScanOutcome]:
    """Bend the brains of the selected scans into the standard spaces that were asked for."""
    wanted: dict[str, list[int | None]] = {}
    for reference in references_of(job.settings.output_spaces):
        if reference.is_standard:
            wanted.setdefault(reference.space, []).append(reference.resolution)
    if TEMPLATE in wanted:  # also on the grid of the frequency map, which counts bent masks first
        own = (None, job.layout.resolution)
        wanted[TEMPLATE] = [None, *(one for one in wanted[TEMPLATE] if one not in own)]
    records = []
    for space, resolutions in wanted.items():
        records += _to_space(job, space, resolutions)
    return records


def _to_space(job: Job, space: str, resolutions: Sequence[int | None]) -> list[ScanOutcome]:
    settings, tasks = job.settings, []
    for scan in job.selected(Role.TUMOUR):
        stamp = job.ledger.finished(Step.SEGMENT, scan.key)
        if stamp is not None:
            coarse = settings.profile.coarse_registration
            given = tuple(dict.fromkeys(resolutions)), stamp.fingerprint, job.layout
            tasks.append(SpaceTask(scan, space, *given, settings.seed, coarse))
    step = step_of(space)
    todo = [
        task for task in tasks if not job.ledger.is_done(step, task.scan.key, task.fingerprint())
    ]
    results = job.map(
        carry_to_standard,
        todo,
        label=f"Bending brains for {space}",
        describe=lambda task: task.scan.key,
        memory_gb=memory_gb((task.scan for task in todo), MEMORY_GB),
        omp_nthreads=settings.omp_nthreads,
    )
    done = [task.scan for task in tasks if task not in todo]
    return skipped(step, done) + job.record(step, results, lambda task: task.scan)


def carry_to_standard(task: SpaceTask) -> None:
    """Bend one brain, and write the transforms, masks and probabilities.

    Raises
    ------
    UnusableScanError
        When space would be folded; the affine result stays.
    """
    from synthtumour_bids.preprocessing import alignment
    from synthtumour_bids.spaces.deformation import deform

    scan, layout, ledger = task.scan, task.layout, Ledger(task.layout.output_dir)
    current = task.fingerprint()
    if (old := ledger.read(task.step, scan.key)) is not None:
        remove_outputs(layout.output_dir / name for name in old.outputs)  # lest this fails
    ledger.clear(task.step, scan.key)
    head, brain = (
        load_volume(path) for path in (layout.native_image(scan), layout.native_brain(scan))
    )
    with (
        alignment.scratch(Path(tempfile.gettempdir())) as scratch,
        safe_alias(scratch) as folder,
        safe_alias(layout.transform(scan).parent) as beside,
    ):
        deformation = deform(
            head.with_data(np.where(brain.mask, head.data, 0)),
            load_nifti(_native(task, "mask")),
            beside / layout.transform(scan).name,
            _standard(task, None),
            folder=folder,
            seed=task.seed,
            sloppy=task.sloppy,
        )
    _check(deformation, task.space)
    written = _write_transforms(task, deformation)
    measured = {
        "jacobian_min": round(deformation.jacobian[0], 3),
        "jacobian_max": round(deformation.jacobian[1], 3),
        "information": round(deformation.information, 4),
    }
    for resolution in task.resolutions:
        written += _write_masks(task, resolution, written[0], measured)
    ledger.mark(
        task.step,
        scan.key,
        current,
        written,
        scan=scan,
        segmented=task.segmented,
        measured=measured,
    )


def _check(deformation: Deformation, space: str) -> None:
    smallest = deformation.jacobian[0]
    if smallest <= LEAST_JACOBIAN:
        msg = (
            f"Bent into {space}, this brain would be folded: its local change of volume (Jacobian) "
            f"goes down to {smallest:.2f}. Nothing was written there; the mask on the affine grid "
            f"of {TEMPLATE} stays. Look at its brain mask and its alignment."
        )
        raise UnusableScanError(msg)


def _write_transforms(task: SpaceTask, deformation: Deformation) -> list[Path]:
    """Write both directions, each as one file for ``antsApplyTransforms``."""
    import SimpleITK as sitk

    paths = list(task.layout.deformation(task.scan, task.space))
    for path, transform in zip(paths, (deformation.to_standard, deformation.to_scan), strict=True):
        with replacing(path) as temporary:
            sitk.WriteTransform(transform, str(temporary))
    return paths


def _write_masks(
    task: SpaceTask, resolution: int | None, transform: Path, measured: dict[str, Any]
) -> list[Path]:
    """Write mask and probability on one grid, each resampled once from the scan's own."""
    from synthtumour_bids.spaces.carry import Leg, carry

    standard, way = _standard(task, resolution), [Leg(transform)]
    mask, probability = (load_volume(_native(task, suffix)) for suffix in ("mask", "probseg"))
    level = carry(mask.with_data(levels(mask.mask, probability.data)), standard, way)
    there = carry(probability.with_data(probability.data), standard, way).clip(0, 1)
    millimetres = _millimetres(task, resolution)
    written = []
    for suffix, values in (("mask", (level >= BORDER).astype(np.uint8)), ("probseg", there)):
        path = task.layout.in_standard(task.scan, task.space, millimetres, suffix)
        fields = {
            **sidecar(sources=[task.scan.uri], space=task.space, resolution=millimetres),
            "Transform": DEFORMABLE,
            "DeformationQualityControl": measured,
        }
        # It says all that it could inherit from the sidecar of the scan's own grid.
        own = json.loads(sidecar_path(_native(task, suffix)).read_text(encoding="utf-8"))
        write_image(path, template_image(values, standard.affine), own | fields)
        written.append(path)
    return written


def _native(task: SpaceTask, suffix: str) -> Path:
    return task.layout.native(task.scan, label="L", suffix=suffix)


def _millimetres(task: SpaceTask, resolution: int | None) -> float:
    return task.layout.resolution if resolution is None else float(resolution)


def _standard(task: SpaceTask, resolution: int | None) -> nib.Nifti1Image:
    return standard_on_grid(task.space, resolution, _millimetres(task, resolution))


def standard_on_grid(space: str, resolution: int | None, millimetres: float) -> nib.Nifti1Image:
    """Give the brain of a standard space, 0 outside.

    Parameters
    ----------
    space
        Its name.
    resolution
        The ``res-`` that was asked for; ``None``: any, on voxels of these `millimetres`.

    Raises
    ------
    UnavailableError
        When TemplateFlow's files are not on the disk.
    """
    if space == TEMPLATE:
        return standard_brain(millimetres)
    return templateflow_brain(find_standard(space, resolution), resolution, millimetres)


def spaces_of(job: Job, scan: Scan) -> tuple[str, ...]:
    """Spaces that a scan's brain was bent for, of those that this run asks for and can show."""
    found = []
    for reference in references_of(job.settings.output_spaces):
        space = reference.space
        if reference.is_standard and deformed(job.ledger, scan.key, space) is not None:
            with suppress(UnavailableError):
                if space != TEMPLATE:
                    find_standard(space, None)
                found.append(space)
    return tuple(dict.fromkeys(found))
