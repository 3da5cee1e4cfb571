"""Step 5: pages of participants and of the group, tables over all scans, the methods text."""

from __future__ import annotations

import logging
from pathlib import Path

from synthtumour_bids.bids.lookup import find_truth
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.job import Job
from synthtumour_bids.methods.base import Method
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps import tables
from synthtumour_bids.steps.atlas import load_atlas
from synthtumour_bids.steps.locations import describe_location
from synthtumour_bids.steps.methods_text import write_methods
from synthtumour_bids.steps.participant_report import write_pages
from synthtumour_bids.steps.scan_report import ReportTask, report_scan

__all__ = ["run", "write_methods"]

LOGGER = logging.getLogger(__name__)
STEP = Step.REPORT
MEMORY_GB = 2.0  # of one process at 1 mm; 1.6 at 2 mm, most of it the libraries


<<<<<<< HEAD
=======
@dataclass(frozen=True)
class ReportTask:
    """One scan to picture and, with a truth, to score."""

    scan: Scan
    truth: Path | None
    layout: Layout
    redraw: bool
    atlas: str | None = None  # its file, if it serves


>>>>>>> main
def run(job: Job, method: Method) -> list[ScanOutcome]:
    """Report on the selected scans and their participants, and on all that is there."""
    settings = job.settings
    atlas = settings.atlas if load_atlas(settings.atlas) else None
    tasks = []
    for scan in job.selected():
        segmented = scan.role is Role.TUMOUR and job.layout.result(scan).is_file()
        if segmented or job.preprocessing(scan) is not None:
            truth = _find_truth(scan, settings.truth) if settings.truth and segmented else None
<<<<<<< HEAD
            redraw, viewer = settings.reports_only, not settings.no_viewer
            tasks.append(ReportTask(scan, truth, job.layout, redraw, viewer))
=======
            tasks.append(ReportTask(scan, truth, job.layout, settings.reports_only, atlas))
>>>>>>> main
    results = job.map(
        report_scan,
        tasks,
        label="Reporting",
        describe=lambda task: task.scan.key,
        memory_gb=MEMORY_GB,
        omp_nthreads=settings.omp_nthreads,
        stoppable=False,
    )
    records = job.record(STEP, results, lambda task: task.scan)
    write_methods(job, method)
    records += write_pages(job)
    tables.write(job)
    return records


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
<<<<<<< HEAD
=======


def report_scan(task: ReportTask) -> None:
    """Draw one scan's pictures where they are not up to date, measure its lesion, and score it."""
    scan, layout = task.scan, task.layout
    image = load_volume(layout.native_image(scan))
    _draw_brain(task, image)
    mask_path = layout.native(scan, label="L", suffix="mask")
    if scan.role is not Role.TUMOUR or not mask_path.is_file():
        return
    describe_location(scan, layout, load_atlas(task.atlas))
    mask = load_volume(mask_path)
    truth = _truth(task, mask)
    _draw_tumour(task, image, mask, truth)
    if truth is not None:
        path = layout.native(scan, label="L", desc=Network.JUNIOR, suffix="mask")
        junior = load_volume(path) if path.is_file() else None  # a starter has none beside it
        write_json(layout.scores(scan.name), _scores(mask, junior, truth))


def _draw_brain(task: ReportTask, image: Volume) -> None:
    scan, layout = task.scan, task.layout
    sources = (layout.native_image(scan), layout.native_brain(scan))
    with _drawn_once(task, "brain", sources) as picture:
        if picture is None:
            return
        shown = _upright(image, image)
        brain = _upright(load_volume(layout.native_brain(scan)), image).mask
        title = f"{scan.stem} {scan.suffix}: brain mask"
        brain_mask_mosaic(shown.data, brain, picture, title, shown.spacing)


def _draw_tumour(task: ReportTask, image: Volume, mask: Volume, truth: Volume | None) -> None:
    scan, layout = task.scan, task.layout
    kinds = [layout.native(scan, label="L", suffix=suffix) for suffix in ("mask", "probseg")]
    sources = [layout.native_image(scan), *kinds, *([task.truth] if task.truth else [])]
    with _drawn_once(task, "tumour", sources) as picture:
        if picture is None:
            return
        shown = _upright(image, image)
        probability = load_volume(kinds[1])
        volume = json.loads(layout.result(scan).read_text(encoding="utf-8"))["volume_mL"]
        tumour_mosaic(
            shown.data,
            _upright(mask, image).mask,
            _upright(probability, image).data,
            picture,
            f"{scan.stem} {scan.suffix}: {volume:.1f} mL",
            shown.spacing,
            truth=None if truth is None else _upright(truth, image).mask,
        )


def _upright(volume: Volume, scan: Volume) -> Volume:
    """Turn a volume on the scan's grid to RAS order, which pictures expect."""
    image = nib.as_closest_canonical(scan.with_data(volume.data))
    x, y, z = (float(size) for size in nib.affines.voxel_sizes(image.affine))
    return replace(
        volume, data=np.asanyarray(image.dataobj), affine=image.affine, spacing=(x, y, z)
    )


@contextmanager
def _drawn_once(task: ReportTask, desc: str, sources: Sequence[Path]) -> Iterator[Path | None]:
    """Give the picture to draw; none where it shows the files' content already.

    Times of change do not tell: clocks jump, and copies are newer than what they were copied from.
    """
    ledger, step = Ledger(task.layout.output_dir), f"picture-{desc}"
    picture = task.layout.picture(task.scan, desc)
    current = fingerprint(sources=[hash_file(path) for path in sources])
    if not task.redraw and ledger.is_done(step, task.scan.key, current):
        yield None
        return
    ledger.clear(step, task.scan.key)
    yield picture
    ledger.mark(step, task.scan.key, current, [picture], scan=task.scan)


def _truth(task: ReportTask, mask: Volume) -> Volume | None:
    """Volume of the truth, checked to lie on the scan's grid; ``None`` where there is none."""
    if task.truth is None:
        return None
    try:
        truth = Volume.of(read_volume(task.truth))
    except UnreadableError as error:
        message = f"The truth {task.truth} (--truth) cannot be used. {error}"
        raise DataError(message) from error
    if truth.data.shape != mask.data.shape or not np.allclose(truth.affine, mask.affine, atol=1e-2):
        msg = (
            f"The truth {task.truth} has shape {truth.data.shape}, but the scan has "
            f"{mask.data.shape}, or their affines differ; --truth masks must lie on their "
            "scans' grids."
        )
        raise DataError(msg)
    return truth


def _scores(mask: Volume, junior: Volume | None, truth: Volume) -> dict[str, float]:
    from synthtumour_bids.segmentation.metrics import evaluate

    scores = evaluate(mask.mask, truth.mask, mask.spacing)
    of_junior = {} if junior is None else {"junior_dice": round(dice(junior.mask, truth.mask), 4)}
    return {
        "dice": round(scores.dice, 4),
        "hd95_mm": round(scores.hd95_mm, 3),
        "volume_error_mL": round(scores.volume_error_mL, 3),
        "volume_error_percent": round(scores.volume_error_percent, 2),
        **of_junior,
    }
>>>>>>> main
