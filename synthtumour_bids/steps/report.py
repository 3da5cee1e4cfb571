"""Step 5: tables over all scans, pictures to check by eye, the methods text."""

from __future__ import annotations

import csv
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthtumour_bids.bids.inputs import find_truth
from synthtumour_bids.bids.names import derivative_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.execution.resources import processes_that_fit
from synthtumour_bids.settings import Role, Settings, Step
from synthtumour_bids.steps import fabricate, tables
from synthtumour_bids.steps.job import Job
from synthtumour_bids.steps.segment import results_file

if TYPE_CHECKING:
    from synthtumour_bids.steps.volumes import Volume

LOGGER = logging.getLogger(__name__)
STEP = "report"
MEMORY_GB = 2.0  # of one process at 1 mm; 1.6 at 2 mm, most of it the libraries


@dataclass(frozen=True)
class Task:
    """One scan to picture and, with a truth, to score."""

    scan: Scan
    truth: Path | None
    settings: Settings
    redraw: bool


def run(job: Job) -> list[ScanOutcome]:
    """Write the pictures of the selected scans, the tables of all of them, and the methods."""
    settings = job.settings
    tasks = []
    for scan in job.selected():
        segmented = scan.role is Role.TUMOUR and results_file(settings.output_dir, scan).is_file()
        if segmented or job.preprocessing_print(scan) is not None:
            truth = _find_truth(scan, settings.truth) if settings.truth and segmented else None
            tasks.append(Task(scan, truth, settings, settings.reports_only))
    results = map_items(
        report_scan,
        tasks,
        nprocs=processes_that_fit(
            settings.nprocs, settings.mem_gb, MEMORY_GB, settings.omp_nthreads
        ),
        cluster=job.cluster,
        label="Reporting",
        describe=lambda task: task.scan.key,
    )
    tables.write(job)
    write_methods(job)
    return job.record(STEP, results, lambda task: task.scan.key)


def _find_truth(scan: Scan, truth_dir: Path) -> Path | None:
    """Truth of a scan; without one, or with two that fit equally well, it gets no scores."""
    try:
        truth = find_truth(scan, truth_dir)
    except DataError as error:
        LOGGER.warning("%s is not scored: %s", scan.key, error)
        return None
    if truth is None:
        LOGGER.warning("%s: no label-L_mask of it under %s", scan.key, truth_dir)
    return truth


def report_scan(task: Task) -> None:
    """Draw one scan's pictures where they are not up to date, and score it against its truth."""
    from synthtumour_bids.bids.files import write_json
    from synthtumour_bids.reports.reportlets import brain_mask_mosaic, tumour_mosaic
    from synthtumour_bids.steps.volumes import load_volume

    scan, output_dir = task.scan, task.settings.output_dir

    def derivative(**names: str) -> Path:
        return derivative_path(scan, output_dir, **names)

    figures = scan.output_root(output_dir) / f"sub-{scan.subject}" / "figures"
    brain_path = derivative(desc="brain", suffix="mask")
    picture = figures / f"{scan.stem}_desc-brain_{scan.suffix}.png"
    image = load_volume(derivative(desc="preproc", suffix=scan.suffix))
    shown = _upright(image, image)
    title = f"{scan.stem} {scan.suffix}"
    if task.redraw or _older(picture, brain_path):
        brain = _upright(load_volume(brain_path), image).mask
        brain_mask_mosaic(shown.data, brain, picture, f"{title}: brain mask", shown.spacing)
    mask_path = derivative(label="L", suffix="mask")
    if scan.role is not Role.TUMOUR or not mask_path.is_file():
        return
    mask = load_volume(mask_path)
    truth = _truth(task, mask)
    picture = figures / f"{scan.stem}_desc-tumour_{scan.suffix}.png"
    if task.redraw or _older(picture, mask_path):
        probability = _upright(load_volume(derivative(label="L", suffix="probseg")), image)
        volume = json.loads(results_file(output_dir, scan).read_text())["volume_mL"]
        tumour_mosaic(
            shown.data,
            _upright(mask, image).mask,
            probability.data,
            picture,
            f"{title}: {volume:.1f} mL",
            shown.spacing,
            truth=None if truth is None else _upright(truth, image).mask,
        )
    if truth is not None:
        junior = load_volume(derivative(label="L", desc="junior", suffix="mask"))
        scores = _scores(mask, junior, truth)
        write_json(tables.scores_file(output_dir, f"{scan.stem}_{scan.suffix}"), scores)


def _upright(volume: Volume, scan: Volume) -> Volume:
    """Turn a volume on the scan's grid to RAS order, which pictures expect."""
    import nibabel as nib
    import numpy as np

    image = nib.as_closest_canonical(scan.with_data(volume.data))
    x, y, z = (float(size) for size in nib.affines.voxel_sizes(image.affine))
    return replace(
        volume, data=np.asanyarray(image.dataobj), affine=image.affine, spacing=(x, y, z)
    )


def _older(picture: Path, source: Path) -> bool:
    return not picture.is_file() or picture.stat().st_mtime < source.stat().st_mtime


def _truth(task: Task, mask: Any) -> Any:
    """Volume of the truth, checked to lie on the scan's grid; ``None`` where there is none."""
    if task.truth is None:
        return None
    import numpy as np

    from synthtumour_bids.steps.volumes import load_volume

    truth = load_volume(task.truth)
    if truth.data.shape != mask.data.shape or not np.allclose(truth.affine, mask.affine, atol=1e-2):
        msg = (
            f"The truth {task.truth} has shape {truth.data.shape}, but the scan has "
            f"{mask.data.shape}, or their affines differ; --truth masks must lie on their "
            "scans' grids."
        )
        raise DataError(msg)
    return truth


def _scores(mask: Any, junior: Any, truth: Any) -> dict[str, float]:
    from synthtumour_bids.segmentation.metrics import evaluate
    from synthtumour_bids.segmentation.uncertainty import dice

    scores = evaluate(mask.mask, truth.mask, mask.spacing)
    return {
        "dice": round(scores.dice, 4),
        "hd95_mm": round(scores.hd95_mm, 3),
        "volume_error_mL": round(scores.volume_error_mL, 3),
        "volume_error_percent": round(scores.volume_error_percent, 2),
        "junior_dice": round(dice(junior.mask, truth.mask), 4),
    }


def write_methods(job: Job) -> None:
    """Write ``logs/CITATION.md``: how the results were made, ready to be copied.

    As with the tables, the last job of an array to write has seen what the others left.
    """
    from synthtumour_bids.bids.files import write_text

    before = None
    while (text := _methods(job)) != before:
        before = text
        write_text(job.settings.output_dir / "logs" / "CITATION.md", text)


def _methods(job: Job) -> str:
    from synthtumour_bids.reports.boilerplate import methods_text
    from synthtumour_bids.steps.train import versions

    settings = job.settings
    models = {}
    for name in ("junior", "senior"):
        path = job.models_dir / name / "model.json"
        if path.is_file():
            models[name] = json.loads(path.read_text())
    preprocessed = list(_preprocessed(job))
    counts = Counter(role for role, _ in preprocessed)
    templates = {str(stamp["template"]) for _, stamp in preprocessed if stamp.get("template")}
    n_pseudo_labels, n_relaxed = _count_pseudo_labels(job)
    return methods_text(
        settings,
        n_tumourfree=counts[Role.TUMOURFREE],
        n_tumour=counts[Role.TUMOUR],
        versions=versions(),
        head_templates=sorted(templates),
        models=models,
        n_pseudo_labels=n_pseudo_labels,
        n_relaxed=n_relaxed,
        n_annotated=counts[Role.ANNOTATED],
        quality=fabricate.quality(job.models_dir),
    )


def _preprocessed(job: Job) -> Iterator[tuple[Role, Mapping[str, Any]]]:
    """Role and stamp of every preprocessed scan; a job of an array knows its own scans alone."""
    settings, stamps = job.settings, job.stamps
    roles = {stamps.path(Step.PREPROCESS, s.key).stem: s.role for s in job.selection.everything}
    excluded = settings.exclude_participant_label
    for path in sorted((stamps.folder / Step.PREPROCESS).glob("[!.]*.json")):
        name = path.stem
        stamp = stamps.read(Step.PREPROCESS, name) or {}
        role = roles.get(name) or stamp.get("role")
        subject = name.partition("__sub-")[2].split("_")[0]
        if role is None or subject in excluded:
            continue
        if stamp.get("resolution") == settings.profile.resolution and stamps.outputs_exist(stamp):
            yield Role(role), stamp


def _count_pseudo_labels(job: Job) -> tuple[int | None, int]:
    """Scans whose pseudo-labels were learned from, and how many of these did not pass.

    The first is ``None`` where that is not recorded.
    """
    table = job.models_dir / "pseudo_labels.tsv"
    if not table.is_file():
        return None, 0
    with table.open(encoding="utf-8", newline="") as stream:
        used = [row for row in csv.DictReader(stream, delimiter="\t") if row["used"] == "true"]
    return len(used), sum(row["accepted"] != "true" for row in used)
