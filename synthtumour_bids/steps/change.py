"""Change of a participant's tumour between sessions: maps half-way, figures, a part of the page."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np

from synthtumour_bids.bids.classes import TumourClass, write_classes
from synthtumour_bids.bids.derivatives import remove_outputs, sidecar_path, write_image
from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.sidecars import sidecar
from synthtumour_bids.bids.times import Times, read_times
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.temporary import safe_alias
from synthtumour_bids.files import fingerprint, hash_file, read_records, write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import HALFWAY, Layout, class_table
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.measures.change import (
    NUMBERS,
    ORIGIN,
    Change,
    Voxel,
    change_between,
    change_map,
    likeness,
    scan_difference,
)
from synthtumour_bids.preprocessing.points import scan_to_template
from synthtumour_bids.settings import Role
from synthtumour_bids.steps.change_page import write_part
from synthtumour_bids.steps.change_sessions import (
    one_a_session,
    segmented_scans,
    warn_of_others,
)
from synthtumour_bids.steps.damage import naming_damage
from synthtumour_bids.steps.roles_today import is_segmented, roles_today
from synthtumour_bids.volumes import load_volume

if TYPE_CHECKING:
    from synthtumour_bids.preprocessing.sessions import Halfway, Visit

LOGGER = logging.getLogger(__name__)

STEP = "change"
VERSION = "2"  # changes when the same masks give other maps or figures
MEMORY_GB = 2.0  # of one process: two heads at 1 mm, and the libraries
LEAST_LIKENESS = 0.6  # below, two scans are not of one head, or not aligned; benchmarks/likeness.py
COLOURS = {Voxel.STABLE: "#E69F00", Voxel.NEW: "#D55E00", Voxel.GONE: "#56B4E9"}
_DIGITS = 3


@dataclass(frozen=True)
class ChangeTask:
    """A participant's scans to compare, one a session, in the order of the sessions' labels."""

    scans: tuple[Scan, ...]
    layout: Layout
    bids_dir: Path
    seed: int


def run(job: Job) -> list[ScanOutcome]:
    """Compare the sessions of every selected participant who has several."""
    selected = [scan for scan in job.selected(Role.TUMOUR) if scan.dataset_name == MAIN]
    people = {scan.subject for scan in selected}
    roles = roles_today(job)
    tasks = []
    for found in segmented_scans(job.ledger, people):
        scans = one_a_session([scan for scan in found if is_segmented(roles, scan.key)])
        if len(scans) > 1:
            task = ChangeTask(scans, job.layout, job.settings.bids_dir, job.settings.seed)
            tasks.append(task)
    warn_of_others(selected, {task.scans[0].subject: task.scans for task in tasks})
    results = job.map(
        compare_sessions,
        tasks,
        label="Comparing sessions",
        describe=lambda task: f"sub-{task.scans[0].subject}",
        memory_gb=MEMORY_GB,
        omp_nthreads=job.settings.omp_nthreads,
        stoppable=False,
    )
    for result in results:
        for scan in () if result.failed else result.item.scans:
            job.ledger.clear_failure(STEP, scan.key)  # of a day when another one was the last
    return job.record(STEP, results, lambda task: task.scans[-1])


def compare_sessions(task: ChangeTask) -> None:
    """Write maps, figures and the page's part of one participant, where masks or times are new."""
    from synthtumour_bids.preprocessing.sessions import find_halfway

    layout, subject = task.layout, task.scans[0].subject
    times = read_times(task.bids_dir, task.scans)
    scans = tuple(task.scans[n] for n in times.order) or task.scans
    years: tuple[float | None, ...] = tuple(sorted(times.years)) or (None,) * len(scans)
    ledger, key = Ledger(layout.output_dir), f"{MAIN}/sub-{subject}"
    current = fingerprint(
        version=VERSION,
        scans=[scan.name for scan in scans],
        sources=[hash_file(path) for scan in scans for path in _sources(scan, layout)],
        years=years,
        problems=times.problems,
        seed=task.seed,
    )
    if ledger.is_done(STEP, key, current):
        return
    for problem in times.problems:
        LOGGER.warning("%s Change is told without a rate.", problem)
    old = ledger.read(STEP, key)
    ledger.clear(STEP, key)
    visits = [_load(scan, layout) for scan in scans]
    with safe_alias(Path(tempfile.gettempdir())) as folder:
        halfway = find_halfway(visits, work_dir=folder, seed=task.seed)
    outputs = _write_images(scans, visits, halfway, layout)
    changes = []
    for number, (before, after) in enumerate(pairwise(years)):
        interval = None if before is None or after is None else after - before
        change, flags, written = _compare(scans, visits, halfway, number, interval, layout)
        changes.append({**_rounded(asdict(change)), **flags})
        outputs += written
    record = layout.change(subject)
    told = _record(scans, visits, years, times, changes)
    write_json(record, told)
    outputs += [record, *write_part(told, scans, layout)]
    _remove_others(old.outputs if old else (), outputs, layout.output_dir)
    ledger.mark(STEP, key, current, outputs)


def _sources(scan: Scan, layout: Layout) -> tuple[Path, ...]:
    mask = layout.native(scan, label="L", suffix="mask")
    return (layout.native_image(scan), layout.native_brain(scan), mask, layout.transform(scan))


def _load(scan: Scan, layout: Layout) -> Visit:
    from synthtumour_bids.preprocessing.sessions import Visit

    sources = _sources(scan, layout)
    head, brain, mask, transform = sources
    with naming_damage(Ledger(layout.output_dir), scan.key, sources):
        return Visit(
            load_volume(head), load_volume(brain), load_volume(mask), scan_to_template(transform)
        )


def _write_images(
    scans: Sequence[Scan], visits: Sequence[Visit], halfway: Halfway, layout: Layout
) -> list[Path]:
    """Write the scans half-way."""
    written = []
    for number, (scan, visit) in enumerate(zip(scans, visits, strict=True)):
        path = layout.halfway_image(scan)
        native = json.loads(sidecar_path(layout.native_image(scan)).read_text(encoding="utf-8"))
        fields = _fields(
            scans, [layout.native_image(scan)], layout, SkullStripped=native.get("SkullStripped")
        )
        write_image(path, _image(halfway.image(visit.head, number), halfway), fields)
        written.append(path)
    return written


def _compare(
    scans: Sequence[Scan],
    visits: Sequence[Visit],
    halfway: Halfway,
    number: int,
    interval: float | None,
    layout: Layout,
) -> tuple[Change, dict[str, Any], list[Path]]:
    """Compare a visit with the next one, and write the map of change."""
    later, numbers = scans[number + 1], (number, number + 1)
    masks = [halfway.mask(visits[n].lesion, n) for n in numbers]
    before, after = (halfway.image(visits[n].head, n) for n in numbers)
    normal = halfway.normal(visits, numbers)
    volumes = [_volume_ml(visits[n]) for n in numbers]
    values = change_map(*masks)
    voxel_ml = float(np.prod(nib.affines.voxel_sizes(halfway.affine))) / 1000
    trend = Voxel.NEW if volumes[1] > volumes[0] else Voxel.GONE
    differ = scan_difference(before, after, values == NUMBERS[trend], normal)
    change = change_between(volumes[0], volumes[1], values, voxel_ml, interval, differ)
    alike = likeness(before, after, normal)
    flags = {
        "likeness": round(alike, _DIGITS),
        "flags": ["sessions_unlike"] if alike < LEAST_LIKENESS else [],
    }
    path = layout.halfway_change(later)
    fields = _fields(
        scans,
        [layout.native(scans[n], label="L", suffix="mask") for n in numbers],
        layout,
        Description=f"What became of the tumour of ses-{scans[number].session} by "
        f"ses-{later.session}",
        Change=_rounded(asdict(change)),
        SmallestMeasurable=ORIGIN,
        Likeness=flags["likeness"],
        Flags=flags["flags"],
    )
    write_image(path, _image(values, halfway), fields)
    classes = [TumourClass(n, one, color=COLOURS[one]) for one, n in NUMBERS.items()]
    write_classes(class_table(path), classes)
    return change, flags, [path, class_table(path)]


def _fields(
    scans: Sequence[Scan], sources: Sequence[Path], layout: Layout, **more: Any
) -> dict[str, Any]:
    root = layout.output_dir
    reference = f"bids::{layout.halfway_image(scans[0]).relative_to(root).as_posix()}"
    uris = [f"bids::{path.relative_to(root).as_posix()}" for path in sources]
    return sidecar(sources=uris, space=HALFWAY, spatial_reference=reference, **more)


def _image(values: Any, halfway: Halfway) -> nib.Nifti1Image:
    image = nib.Nifti1Image(values, halfway.affine)
    image.set_qform(halfway.affine, "aligned")
    image.set_sform(halfway.affine, "aligned")
    image.header.set_xyzt_units("mm")
    return image


def _record(
    scans: Sequence[Scan],
    visits: Sequence[Visit],
    years: Sequence[float | None],
    times: Times,
    changes: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """What tables and page are made from."""
    first = years[0]
    return {
        "participant_id": f"sub-{scans[0].subject}",
        "Times": times.source,
        "Problems": list(times.problems),
        "Sessions": [
            {
                "session_id": f"ses-{scan.session}",
                "scan": scan.name,
                "years": None if year is None or first is None else _round(year - first),
                "volume_mL": _round(_volume_ml(visit)),
            }
            for scan, visit, year in zip(scans, visits, years, strict=True)
        ],
        "Changes": list(changes),
    }


def read_changes(job: Job) -> list[dict[str, Any]]:
    """Read the records of participants whose sessions were compared, and all count today."""
    roles = roles_today(job)
    return [
        record
        for record in read_records(job.layout.changes)
        if all(is_segmented(roles, f"{MAIN}/{one['scan']}") for one in record["Sessions"])
    ]


def flags_by_scan(changes: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Flags of change, by the name of the later of the two scans that were compared."""
    return {
        later["scan"]: list(change["flags"])
        for record in changes
        for later, change in zip(record["Sessions"][1:], record["Changes"], strict=True)
    }


def _volume_ml(visit: Visit) -> float:
    return float(np.count_nonzero(visit.lesion.mask) * np.prod(visit.lesion.spacing)) / 1000


def _remove_others(old: Iterable[str], outputs: Sequence[Path], root: Path) -> None:
    """Remove what was made of sessions that are compared no more."""
    gone = set(old) - {path.relative_to(root).as_posix() for path in outputs}
    remove_outputs(root / name for name in gone)


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {key: _round(value) for key, value in figures.items()}


def _round(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
