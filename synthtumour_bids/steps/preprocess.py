"""Step 1: every scan is checked, stripped of its skull and brought onto the template grid."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib

from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.lookup import find_brain_mask, images_there
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.errors import SynthTumourError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.temporary import safe_alias
from synthtumour_bids.files import copy_file, fingerprint, hash_file
from synthtumour_bids.job import Job, skipped
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.preprocessing.preflight import check
from synthtumour_bids.preprocessing.template_files import EMBEDDED, find_template, template_print
from synthtumour_bids.preprocessing.templates import load_head_template
from synthtumour_bids.settings import TEMPLATE, Role, Settings, Step
from synthtumour_bids.steps.copies import warn_of_copies
from synthtumour_bids.steps.memory import memory_gb
from synthtumour_bids.steps.refusals import refused
from synthtumour_bids.volumes import hash_values

if TYPE_CHECKING:
    from synthtumour_bids.preprocessing.registration import Preprocessed

LOGGER = logging.getLogger(__name__)
STEP = Step.PREPROCESS
MEMORY_GB = 2.0  # of one process, at 1 mm
# What the networks, and the way of their masks to the scans, take seconds to load.
LATER = ("synthtumour_bids.segmentation.network", "synthtumour_bids.preprocessing.registration")
PREPROCESSING_VERSION = "0.1.0"  # changes when the same scan gives other derivatives


@dataclass(frozen=True)
class PreprocessTask:
    """One scan to preprocess, with all a worker process needs to know."""

    scan: Scan
    settings: Settings
    annotation: Annotation | None = None

    @property
    def layout(self) -> Layout:
        """Where to write."""
        settings = self.settings
        return Layout(settings.output_dir, settings.work_dir, settings.profile.resolution)

    def brain_mask(self) -> Path | None:
        """Brain mask of ``--derivatives``; raises `DataError` where two fit equally well."""
        return find_brain_mask(self.scan, self.settings.derivatives)

    def fingerprint(self) -> str:
        """Hash of all that the scan's preprocessing depends on, the files' bytes included."""
        settings = self.settings
        brain_mask = self.brain_mask()
        given = {}
        if self.annotation is not None:
            classes = [one.to_json() for one in self.annotation.classes]
            given = {"annotation": hash_file(self.annotation.path), "classes": classes}
        return fingerprint(
            version=PREPROCESSING_VERSION,
            scan=hash_file(self.scan.path),
            brain_mask=hash_file(brain_mask) if brain_mask else None,
            skull_strip=settings.skull_strip,
            template=template_print(settings.skull_strip_template),
            resolution=settings.profile.resolution,
            sloppy=settings.profile.coarse_registration,
            seed=settings.seed,
            **given,
            **{other.contrast: hash_file(other.path) for other in self.scan.contrasts},
        )


def run(job: Job) -> list[ScanOutcome]:
    """Preprocess the selected scans that are not done yet, several at a time."""
    wanted = [scan for scan in job.selected() if is_needed(job, scan)]
    done = [scan for scan in wanted if is_done(job, scan)]
    todo = [_task(job, scan) for scan in wanted if scan not in done]
    if todo:
        _log_template(job.settings.skull_strip_template)
    results = job.map(
        preprocess_scan,
        todo,
        label="Preprocessing",
        describe=lambda task: task.scan.key,
        memory_gb=memory_gb((task.scan for task in todo), MEMORY_GB),
        omp_nthreads=job.settings.omp_nthreads,
        ahead=LATER if Step.SEGMENT in job.steps else (),
    )
    warn_of_copies(job)
    records = skipped(STEP, done) + job.record(STEP, results, lambda task: task.scan)
    return records + refused(job, STEP)


def is_needed(job: Job, scan: Scan) -> bool:
    """Whether anything is made of the scan: with given networks, tumour-free ones are no hosts."""
    return job.settings.model is None or scan.role is not Role.TUMOURFREE


def is_done(job: Job, scan: Scan) -> bool:
    """Whether the scan is preprocessed as these settings ask, from the file as it is now."""
    if job.ledger.finished(STEP, scan.key) is None:
        return False  # before any byte of a large cohort is read
    try:
        current = _task(job, scan).fingerprint()
    except (OSError, SynthTumourError):  # which stops this scan alone, when it is worked on
        return False
    return job.ledger.is_done(STEP, scan.key, current)


def _log_template(given: str | None) -> None:
    """Log which head template it is, as the environment has a say in that."""
    files = find_template(given)
    LOGGER.info(
        "Head template for the brain extraction: %s (--skull-strip-template).",
        f"{files.name} in {files.head.parent}" if files else f"{EMBEDDED}, the embedded one",
    )


def _task(job: Job, scan: Scan) -> PreprocessTask:
    return PreprocessTask(scan, job.settings, job.selection.annotations.get(scan.key))


def preprocess_scan(task: PreprocessTask) -> Preprocessing:
    """Preprocess one scan, write its derivatives and stamp it.

    Raises
    ------
    UnusableScanError
        With what the preflight found, or what is wrong with the annotation.
    DataError
        When two brain masks fit the scan equally well.
    """
    from synthtumour_bids.preprocessing.given_mask import read_given_mask
    from synthtumour_bids.preprocessing.registration import preprocess
    from synthtumour_bids.steps import annotations

    scan, settings, ledger = task.scan, task.settings, Ledger(task.settings.output_dir)
    brain_mask = task.brain_mask()
    current = ""
    with suppress(OSError):  # which is told in more words below
        current = task.fingerprint()  # of the files as they are read now, not as they are later
    preflight = check(scan.path)
    for finding in preflight.findings:
        LOGGER.warning("%s: %s", scan.key, finding.message)
    given_mask, remark = read_given_mask(brain_mask, preflight.image) if brain_mask else (None, "")
    if remark:
        LOGGER.warning("%s: %s", scan.key, remark)
    with _own_folder(task) as work_dir:
        result = preprocess(
            preflight.image,
            template=partial(load_head_template, settings.skull_strip_template),
            resolution=settings.profile.resolution,
            mode=settings.skull_strip,
            brain_mask=given_mask,
            work_dir=work_dir,
            seed=settings.seed,
            sloppy=settings.profile.coarse_registration,
        )
        ledger.clear(STEP, scan.key)  # a mixture of old and new outputs is not done
        outputs = _write(task, result)
        outputs += [_write_contrast(task, other, result, work_dir) for other in scan.contrasts]
        if task.annotation is not None:
            outputs += annotations.carry(
                scan, task.annotation, preflight.image, result, task.layout
            )
    _warn(scan, settings, result, brain_mask)
    record = Preprocessing(
        current,
        dict(result.qc),
        (*result.flags, *(finding.code for finding in preflight.findings)),
        scan.role,
        settings.profile.resolution,
        result.template,
        hash_values(preflight.image),
        {finding.code: finding.message for finding in preflight.findings},
    )
    ledger.mark(STEP, scan.key, current, outputs, scan=scan, **record.details())
    return record


@contextmanager
def _own_folder(task: PreprocessTask) -> Iterator[Path]:
    """Scratch folder of this attempt alone: another job may try the same scan.

    It lies in the temporary folder of the run, which goes whatever becomes of this process.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{task.scan.slug}-"))
    try:
        with safe_alias(folder) as named:
            yield named
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _warn(scan: Scan, settings: Settings, result: Preprocessed, brain_mask: Path | None) -> None:
    """Log what a person should look at: a mask that nobody found, and a suspicious one."""
    if settings.derivatives and brain_mask is None:
        LOGGER.warning(
            "%s: no desc-brain_mask named after it under %s (--derivatives); there is %s. Its "
            "brain was %s.",
            scan.key,
            ", ".join(map(str, settings.derivatives)),
            images_there(scan, settings.derivatives),
            "read off its background" if result.already_stripped else "extracted",
        )
    if result.already_stripped and settings.skull_strip == "auto":
        LOGGER.info(
            "%s: taken for a scan without skull (--skull-strip force extracts its brain anyway).",
            scan.key,
        )
    if result.flags:
        LOGGER.warning(
            "%s: quality flags %s; look at its brain mask in sub-%s.html. If the mask is wrong, "
            "try --skull-strip force or another --skull-strip-template, or give a mask with "
            "--derivatives.",
            scan.key,
            ", ".join(result.flags),
            scan.subject,
        )


def _write_contrast(
    task: PreprocessTask, other: Scan, result: Preprocessed, work_dir: Path
) -> Path:
    """Bring a further contrast along to the template grid."""
    from synthtumour_bids.preprocessing.contrast import bring_along

    preflight = check(other.path)
    for finding in preflight.findings:
        LOGGER.warning("%s: %s", other.key, finding.message)
    image = bring_along(
        preflight.image,
        result,
        work_dir=work_dir,
        seed=task.settings.seed,
        sloppy=task.settings.profile.coarse_registration,
    )
    path = task.layout.standard_contrast(task.scan, other)
    write_image(
        path,
        image,
        sidecar(
            sources=[other.uri, task.scan.uri],
            space=TEMPLATE,
            resolution=task.layout.resolution,
            SkullStripped=True,
        ),
    )
    return path


def _write(task: PreprocessTask, result: Preprocessed) -> list[Path]:
    """Write image and brain mask on both grids, and the transform between them."""
    scan, layout = task.scan, task.layout
    mask_details = {
        "Type": "Brain",
        "Method": result.method,
        "HeadTemplate": result.template or "n/a",
        "QualityControl": dict(result.qc),
        "Flags": list(result.flags),
    }
    # By the inheritance principle of BIDS, a reader takes what the template's sidecar does not say
    # from that of the scan's own grid: so each says it all.
    on_template = {"space": TEMPLATE, "resolution": layout.resolution}
    images: tuple[tuple[Path, nib.Nifti1Image, dict[str, Any], dict[str, Any]], ...] = (
        (layout.native_image(scan), result.native, {}, {"SkullStripped": result.already_stripped}),
        (layout.native_brain(scan), result.native_mask, {}, mask_details),
        (layout.standard_image(scan), result.standard, on_template, {"SkullStripped": True}),
        (layout.standard_brain(scan), result.standard_mask, on_template, mask_details),
    )
    for path, image, grid, more in images:
        write_image(path, image, sidecar(sources=[scan.uri], **grid, **more))
    copy_file(result.transform, layout.transform(scan))
    return [*(path for path, *_ in images), layout.transform(scan)]
