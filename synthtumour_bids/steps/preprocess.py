"""Step 1: every scan is checked, stripped of its skull and brought onto the template grid."""

from __future__ import annotations

import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.bids.annotations import Annotation
from synthtumour_bids.bids.inputs import find_brain_mask
from synthtumour_bids.bids.names import derivative_path, transform_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import StoppedError, SynthTumourError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.execution.resources import processes_that_fit
from synthtumour_bids.execution.stamps import Stamps, fingerprint, hash_file
from synthtumour_bids.preprocessing.template_files import EMBEDDED, find_template, template_print
from synthtumour_bids.settings import TEMPLATE, Settings
from synthtumour_bids.steps import annotated
from synthtumour_bids.steps.job import Job, skipped, standard_contrast

LOGGER = logging.getLogger(__name__)
STEP = "preprocess"
MEMORY_GB = 2.0  # of one process, at 1 mm


@dataclass(frozen=True)
class Task:
    """One scan to preprocess, with all a worker process needs to know."""

    scan: Scan
    settings: Settings
    annotation: Annotation | None = None

    def brain_mask(self) -> Path | None:
        """Brain mask of ``--derivatives``; raises `DataError` where two fit equally well."""
        return find_brain_mask(self.scan, self.settings.derivatives)

    def fingerprint(self) -> str:
        """Hash of all that the scan's preprocessing depends on, the files' bytes included."""
        settings = self.settings
        brain_mask = self.brain_mask()
        drawn = {}
        if self.annotation is not None:
            classes = [one.to_json() for one in self.annotation.classes]
            drawn = {"annotation": hash_file(self.annotation.path), "classes": classes}
        return fingerprint(
            version=__version__,
            scan=hash_file(self.scan.path),
            brain_mask=hash_file(brain_mask) if brain_mask else None,
            skull_strip=settings.skull_strip,
            template=template_print(settings.skull_strip_template),
            resolution=settings.profile.resolution,
            sloppy=settings.profile.coarse_registration,
            seed=settings.seed,
            **drawn,
            **{other.contrast: hash_file(other.path) for other in self.scan.contrasts},
        )


def run(job: Job) -> list[ScanOutcome]:
    """Preprocess the selected scans that are not done yet, several at a time."""
    done = [scan for scan in job.selected() if is_done(job, scan)]
    todo = [_task(job, scan) for scan in job.selected() if scan not in done]
    settings = job.settings
    if todo:
        _tell_template(settings.skull_strip_template)
    results = map_items(
        preprocess_scan,
        todo,
        nprocs=processes_that_fit(
            settings.nprocs, settings.mem_gb, MEMORY_GB, settings.omp_nthreads
        ),
        cluster=job.cluster,
        label="Preprocessing",
        describe=lambda task: task.scan.key,
        stop_on_failure=settings.stop_on_first_crash,
    )
    return skipped(STEP, done) + job.record(STEP, results, lambda task: task.scan.key)


def is_done(job: Job, scan: Scan) -> bool:
    """Whether the scan is preprocessed as these settings ask, from the file as it is now."""
    if job.stamps.read(STEP, scan.key) is None:
        return False  # before any byte of a large cohort is read
    try:
        print_ = _task(job, scan).fingerprint()
    except StoppedError:
        raise
    except (OSError, SynthTumourError):  # which stops this scan alone, when it is worked on
        return False
    return job.stamps.is_done(STEP, scan.key, print_)


def _tell_template(given: str | None) -> None:
    """Log which head template it is, as the environment has a say in that."""
    files = find_template(given)
    LOGGER.info(
        "Head template for the brain extraction: %s (--skull-strip-template).",
        f"{files.name} in {files.head.parent}" if files else f"{EMBEDDED}, the embedded one",
    )


def _task(job: Job, scan: Scan) -> Task:
    return Task(scan, job.settings, job.selection.annotations.get(scan.key))


def preprocess_scan(task: Task) -> dict[str, Any]:
    """Preprocess one scan and write its derivatives.

    Returns
    -------
    Quality figures and flags, as written to the scan's stamp.

    Raises
    ------
    UnusableScanError
        With what the preflight found, or what is wrong with the annotation.
    DataError
        When two brain masks fit the scan equally well.
    """
    from synthtumour_bids.preprocessing.preflight import check
    from synthtumour_bids.preprocessing.registration import preprocess
    from synthtumour_bids.preprocessing.templates import load_head_template
    from synthtumour_bids.steps.volumes import load_nifti

    scan, settings = task.scan, task.settings
    brain_mask = task.brain_mask()
    preflight = check(scan.path)
    for finding in preflight.findings:
        LOGGER.warning("%s: %s", scan.key, finding.message)
    parent = settings.work_dir / "preprocess"
    parent.mkdir(parents=True, exist_ok=True)
    # Of this attempt alone: another job may try the same scan.
    work_dir = Path(tempfile.mkdtemp(prefix=f"{scan.key.replace('/', '__')}-", dir=parent))
    try:
        result = preprocess(
            preflight.image,
            template=load_head_template(settings.skull_strip_template),
            resolution=settings.profile.resolution,
            mode=settings.skull_strip,
            brain_mask=load_nifti(brain_mask) if brain_mask else None,
            work_dir=work_dir,
            seed=settings.seed,
            sloppy=settings.profile.coarse_registration,
        )
        # A mixture of old and new outputs is not done.
        Stamps(settings.output_dir).clear(STEP, scan.key)
        outputs = _write(task, result)
        for other in scan.contrasts:
            outputs.append(_write_contrast(task, other, result, work_dir))
        if task.annotation is not None:
            outputs += annotated.carry(scan, task.annotation, preflight.image, result, settings)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    _warn(scan, settings, result, brain_mask)
    details = {
        "role": scan.role.value,
        "qc": dict(result.qc),
        "flags": [*result.flags, *(finding.code for finding in preflight.findings)],
        "resolution": settings.profile.resolution,
        "template": result.template,
    }
    Stamps(settings.output_dir).mark(STEP, scan.key, task.fingerprint(), outputs, **details)
    return details


def _warn(scan: Scan, settings: Settings, result: Any, brain_mask: Path | None) -> None:
    """Log what a person should look at: a mask that nobody found, and a suspicious one."""
    if settings.derivatives and brain_mask is None and not result.already_stripped:
        LOGGER.warning(
            "%s: no desc-brain_mask named after it under %s (--derivatives); its brain was "
            "extracted.",
            scan.key,
            ", ".join(map(str, settings.derivatives)),
        )
    if result.flags:
        LOGGER.warning(
            "%s: quality flags %s; look at its desc-brain_%s.png.",
            scan.key,
            ", ".join(result.flags),
            scan.suffix,
        )


def _write_contrast(task: Task, other: Scan, result: Any, work_dir: Path) -> Path:
    """Bring a further contrast along to the template grid."""
    from synthtumour_bids.bids.derivatives import write_image
    from synthtumour_bids.bids.sidecars import sidecar
    from synthtumour_bids.preprocessing.contrast import bring_along
    from synthtumour_bids.preprocessing.preflight import check

    settings = task.settings
    preflight = check(other.path)
    for finding in preflight.findings:
        LOGGER.warning("%s: %s", other.key, finding.message)
    image = bring_along(
        preflight.image,
        result,
        work_dir=work_dir,
        seed=settings.seed,
        sloppy=settings.profile.coarse_registration,
    )
    path = standard_contrast(task.scan, other, settings)
    resolution = settings.profile.resolution
    write_image(
        path,
        image,
        sidecar(
            sources=[other.uri, task.scan.uri],
            space=TEMPLATE,
            resolution=resolution,
            SkullStripped=True,
        ),
    )
    return path


def _write(task: Task, result: Any) -> list[Path]:
    from synthtumour_bids.bids.derivatives import copy_file, write_image
    from synthtumour_bids.bids.sidecars import sidecar

    scan, output_dir = task.scan, task.settings.output_dir
    resolution = task.settings.profile.resolution
    standard = {"space": TEMPLATE, "res": f"{resolution:g}"}
    qc = {
        "Method": result.method,
        "HeadTemplate": result.template or "n/a",
        "QualityControl": dict(result.qc),
        "Flags": list(result.flags),
    }
    images = (
        (
            {"desc": "preproc", "suffix": scan.suffix},
            result.native,
            {"SkullStripped": result.already_stripped},
        ),
        ({"desc": "brain", "suffix": "mask"}, result.native_mask, {"Type": "Brain", **qc}),
        (
            {"desc": "preproc", "suffix": scan.suffix, **standard},
            result.standard,
            {"SkullStripped": True},
        ),
        ({"desc": "brain", "suffix": "mask", **standard}, result.standard_mask, {"Type": "Brain"}),
    )
    written = []
    for names, image, more in images:
        path = derivative_path(scan, output_dir, **names)
        write_image(
            path,
            image,
            sidecar(
                sources=[scan.uri],
                space=names.get("space"),
                resolution=resolution if "res" in names else None,
                **more,
            ),
        )
        written.append(path)
    transform = written[0].parent / transform_name(
        scan, to=TEMPLATE, extension=result.transform.suffix
    )
    copy_file(result.transform, transform)
    return [*written, transform]
