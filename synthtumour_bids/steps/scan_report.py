"""The part of a report that is about one scan: facts, pictures, interactive view, scores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import fingerprint, hash_file, read_json, write_json
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.reports import facts
from synthtumour_bids.reports.advice import advice
from synthtumour_bids.reports.facts import Fact
from synthtumour_bids.reports.templates import write_page
from synthtumour_bids.segmentation.metrics import evaluate
from synthtumour_bids.segmentation.presence import without_calibration
from synthtumour_bids.settings import TEMPLATE, Step
from synthtumour_bids.steps.atlas import load_atlas
from synthtumour_bids.steps.damage import naming_damage
from synthtumour_bids.steps.locations import describe_location
from synthtumour_bids.steps.scan_pictures import draw_brain, draw_tumour, junior_mask
from synthtumour_bids.steps.standard_report import draw_spaces
from synthtumour_bids.steps.t1w_report import (
    T1wReport,
    draw_t1w,
    t1w_facts,
    tell_flags,
    write_next_steps,
)
from synthtumour_bids.steps.truth import read_truth
from synthtumour_bids.steps.twin_report import OF_SCAN, OF_T1W, draw_twins
from synthtumour_bids.synthesis.geometry import dice
from synthtumour_bids.volumes import Volume, load_nifti, load_volume

PICTURES = "pictures"  # their stamps
PICTURES_VERSION = "0.2.0"  # changes when the same files give other pictures
OF_TUMOUR = ("tumour", "extent", "certainty", "networks", "truth", OF_SCAN, OF_T1W)  # parts


@dataclass(frozen=True)
class ReportTask:
    """One scan to report on and, with a truth, to score.

    Attributes
    ----------
    scan, layout
        Which one, and where everything is.
    truth
        Its manual mask.
    redraw
        Whether pictures are drawn anew that are up to date.
    viewer
        Whether there shall be an interactive view.
    atlas
        Its file, if it serves.
    t1w
        What there is on the grid of a T1w image.
    spaces
        Standard spaces that the brain was bent for.
    """

    scan: Scan
    truth: Path | None
    layout: Layout
    redraw: bool
    viewer: bool = True
    atlas: str | None = None
    t1w: T1wReport | None = None
    spaces: tuple[str, ...] = ()

    @property
    def segmented(self) -> bool:
        """Whether there is a segmentation to report on."""
        mask = self.layout.native(self.scan, label="L", suffix="mask")
        return self.scan.role.is_segmented and mask.is_file()


def report_scan(task: ReportTask) -> None:
    """Score one scan against its truth, draw what is not up to date, and write what is known.

    Raises
    ------
    DataError
        When the truth cannot be used; all else is done by then. When an output is damaged.
    """
    scan, layout = task.scan, task.layout
    own = [path for path in _sources(task) if path.is_relative_to(layout.output_dir)]
    own += [layout.transform(scan), layout.result(scan), layout.location(scan.record)]
    with naming_damage(Ledger(layout.output_dir), scan.key, own):
        _report(task)


def _report(task: ReportTask) -> None:
    truth, problem = None, None
    if task.segmented:
        describe_location(task.scan, task.layout, load_atlas(task.atlas))
    if task.t1w is not None:
        tell_flags(task.scan, task.layout, task.t1w)
    try:
        truth = _score(task) if task.segmented else None
    except DataError as error:
        problem = error
        task.layout.scores(task.scan.record).unlink(missing_ok=True)  # of another truth
    _draw(task, truth)
    _write_facts(task)
    if problem is not None:
        raise problem


def _draw(task: ReportTask, truth: Volume | None) -> None:
    """Draw all pictures unless they show the files' content already.

    Times of change do not tell: clocks jump, and copies are newer than what they were copied from.
    """
    scan, layout, ledger = task.scan, task.layout, Ledger(task.layout.output_dir)
    current = fingerprint(
        version=PICTURES_VERSION,
        sources=[hash_file(path) if path.is_file() else None for path in _sources(task)],
        viewer=task.viewer,
    )
    _remove_stale(task)
    if not task.redraw and ledger.is_done(PICTURES, scan.key, current):
        return
    ledger.clear(PICTURES, scan.key)
    parts = draw_brain(scan, layout)
    if task.segmented:
        parts += draw_tumour(scan, layout, truth, viewer=task.viewer)
    if task.t1w is not None:
        parts.append(draw_t1w(scan, layout, task.t1w.t1w.image.path))
    parts += draw_spaces(scan, layout, task.spaces)
    if task.segmented:
        parts += draw_twins(scan, layout, task.t1w.t1w.image.path if task.t1w else None)
    ledger.mark(PICTURES, scan.key, current, parts, scan=scan)


def _sources(task: ReportTask) -> list[Path]:
    """All that the pictures show."""
    scan, layout = task.scan, task.layout
    paths = [layout.native_image(scan), layout.native_brain(scan), layout.standard_image(scan)]
    if task.segmented:
        paths += [
            layout.native(scan, label="L", suffix="mask"),
            layout.native(scan, label="L", suffix="probseg"),
            junior_mask(scan, layout),
            *([task.truth] if task.truth else []),
        ]
    if task.t1w is not None:
        paths += [layout.in_t1w(scan, label="L", suffix="mask"), task.t1w.t1w.image.path]
    paths += [layout.deformation(scan, space)[0] for space in task.spaces]
    twins = (layout.twin(scan), layout.twin_in_t1w(scan))
    return paths + [path for path in twins if path.is_file()]


def _remove_stale(task: ReportTask) -> None:
    """Remove parts that would not be written anew: nobody asked for them, or nothing is there."""
    scan, layout = task.scan, task.layout
    stale = [layout.figure(scan, desc, ".png") for desc in ("brain", "tumour")]  # of 0.1.0
    if not task.segmented:
        stale += [layout.figure(scan, desc) for desc in OF_TUMOUR]
    if not task.viewer or not task.segmented:
        stale += [layout.figure(scan, "viewer"), layout.figure(scan, "viewer", ".js")]
        stale.append(layout.figure(scan, "interactive"))
    if not junior_mask(scan, layout).is_file():
        stale.append(layout.figure(scan, "networks"))
    if not layout.scores(scan.record).is_file():  # which go with the segmentation
        stale.append(layout.figure(scan, "truth"))
    if task.t1w is None:
        stale += [layout.figure(scan, "t1w"), layout.figure(scan, "next")]
    for path in stale:
        path.unlink(missing_ok=True)


def _write_facts(task: ReportTask) -> None:
    """Write what is known of the scan, in words."""
    scan, layout = task.scan, task.layout
    record = _preprocessing(task)
    known: list[Fact] = []  # what was found first, what it was made from last
    made = [
        *facts.input_facts(load_nifti(layout.native_image(scan)), scan.uri, scan.role),
        *facts.brain_facts(_read(sidecar_path(layout.native_brain(scan))), TEMPLATE),
    ]
    flags = list(record.flags) if record else []
    regions: dict[str, Any] = {}
    if task.segmented and layout.result(scan).is_file():
        result = _read(layout.result(scan))
        sidecar = _read(sidecar_path(layout.native(scan, label="L", suffix="mask")))
        place = _read(layout.location(scan.record))
        result = {"tumour_present": without_calibration(result["volume_mL"]), **result}
        known += facts.tumour_facts(result, sidecar, place["Size"], place["Location"])
        made += facts.network_facts(sidecar)
        regions = place["Regions"]
        known += facts.truth_facts(read_json(layout.scores(scan.record)) or {})
        flags += result["qc_flags"]
    if task.t1w is not None:
        known += t1w_facts(task.t1w)
        flags += task.t1w.found.flags
        write_next_steps(scan, layout, task.t1w)
    write_page(
        layout.figure(scan, "summary"),
        "scan.html",
        scan=scan.name,
        facts=known + made,
        regions=regions,
        advice=advice(flags, record.findings if record else {}),
    )


def _preprocessing(task: ReportTask) -> Preprocessing | None:
    stamp = Ledger(task.layout.output_dir).read(Step.PREPROCESS, task.scan.key)
    return None if stamp is None else Preprocessing.from_details(stamp.fingerprint, stamp.details)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


# ---------------------------------------------------------------------- the truth


def _score(task: ReportTask) -> Volume | None:
    """Score the segmentation; return the truth, ``None`` where there is none."""
    if task.truth is None:
        return None
    scan, layout = task.scan, task.layout
    mask = load_volume(layout.native(scan, label="L", suffix="mask"))
    truth = read_truth(task.truth, mask)
    path = junior_mask(scan, layout)
    junior = load_volume(path) if path.is_file() else None
    write_json(layout.scores(scan.record), _scores(mask, junior, truth))
    return truth


def _scores(mask: Volume, junior: Volume | None, truth: Volume) -> dict[str, float]:
    scores = evaluate(mask.mask, truth.mask, mask.spacing)
    of_junior = {} if junior is None else {"junior_dice": round(dice(junior.mask, truth.mask), 4)}
    return {
        "dice": round(scores.dice, 4),
        "hd95_mm": round(scores.hd95_mm, 3),
        "volume_error_mL": round(scores.volume_error_mL, 3),
        "volume_error_percent": round(scores.volume_error_percent, 2),
        **of_junior,
    }
