"""What every step of one run shares: settings, scans, stamps, and where things lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.names import derivative_path
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.cluster import Cluster
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.execution.resources import processes_that_fit
from synthtumour_bids.execution.stamps import Stamps
from synthtumour_bids.settings import TEMPLATE, Role, Settings

Item = TypeVar("Item")
SYNTHESIS_GB = 1.0  # memory of one process that makes samples at 1 mm; 0.43 at 2 mm
TEACHER = "teacher"  # the network of another run that makes pseudo-labels


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes
    ----------
    settings
        As told on the command line.
    selection
        ``selected`` scans get per-scan work; training may use ``everything``.
    log_dir
        Folder of this run's log, for the traces of failures.
    """

    settings: Settings
    selection: Selection
    log_dir: Path

    @property
    def stamps(self) -> Stamps:
        """What is done already."""
        return Stamps(self.settings.output_dir)

    @property
    def cluster(self) -> Cluster | None:
        """The Dask cluster that does the per-scan work; ``None``: this machine does."""
        settings = self.settings
        if settings.dask_scheduler is None:
            return None
        template = settings.skull_strip_template
        home = os.environ.get("TEMPLATEFLOW_HOME")
        named = (
            settings.priors,
            settings.truth,
            settings.annotated_dir,
            *(map(Path, filter(None, (template, home)))),
        )
        return Cluster(
            settings.dask_scheduler,
            settings.work_dir,
            (
                *(settings.bids_dir, settings.output_dir, *settings.tumourfree_dir),
                *settings.derivatives,
                *(path.absolute() for path in named if path is not None and path.exists()),
            ),
            settings.omp_nthreads,
        )

    @property
    def models_dir(self) -> Path:
        """Folder with ``junior`` and ``senior``: the given models, or this output's own."""
        return self.settings.model or self.settings.output_dir / "models"

    def model_dir(self, name: str) -> Path:
        """Folder of a network: ``junior``, ``senior``, or the ``teacher`` that was given."""
        if name == TEACHER and self.settings.teacher is not None:
            return self.settings.teacher / "senior"
        return self.models_dir / name

    @property
    def resolution_label(self) -> str:
        """Value of the ``res`` entity: the voxel size in mm."""
        return f"{self.settings.profile.resolution:g}"

    def selected(self, role: Role | None = None) -> list[Scan]:
        """Scans to work on one by one."""
        return [scan for scan in self.selection.selected if role in (None, scan.role)]

    def preprocessed(self, role: Role) -> list[Scan]:
        """Scans of a role, selected or not, whose preprocessing is finished."""
        return [
            scan
            for scan in self.selection.everything
            if scan.role is role and self.preprocessing_print(scan) is not None
        ]

    @property
    def synthesis_processes(self) -> int:
        """How many processes may make samples at a time."""
        return processes_that_fit(self.settings.nprocs, self.settings.mem_gb, SYNTHESIS_GB)

    def preprocessing_print(self, scan: Scan) -> str | None:
        """Fingerprint of a scan's finished preprocessing, ``None`` where it is not finished."""
        stamp = self.stamps.read("preprocess", scan.key)
        if stamp is None or not self.stamps.outputs_exist(stamp):
            return None
        if stamp.get("resolution") != self.settings.profile.resolution:
            return None
        return str(stamp["fingerprint"])

    def native(self, scan: Scan, **names: str) -> Path:
        """Path of a derivative on the scan's own grid."""
        return derivative_path(scan, self.settings.output_dir, **names)

    def standard(self, scan: Scan, **names: str) -> Path:
        """Path of a derivative on the template grid."""
        return derivative_path(
            scan,
            self.settings.output_dir,
            space=TEMPLATE,
            res=self.resolution_label,
            **names,
        )

    def standard_image(self, scan: Scan) -> Path:
        """Skull-stripped image on the template grid."""
        return self.standard(scan, desc="preproc", suffix=scan.suffix)

    def standard_images(self, scan: Scan) -> tuple[Path, ...]:
        """The image and its further contrasts on the template grid."""
        others = (standard_contrast(scan, other, self.settings) for other in scan.contrasts)
        return (self.standard_image(scan), *others)

    def standard_mask(self, scan: Scan) -> Path:
        """Brain mask on the template grid."""
        return self.standard(scan, desc="brain", suffix="mask")

    def record(
        self,
        step: str,
        results: Iterable[Result[Item, Any]],
        key: Callable[[Item], str],
    ) -> list[ScanOutcome]:
        """Turn pool results into outcomes; the trace of a failure goes to the log folder."""
        records = []
        for result in results:
            name = key(result.item)
            if not result.failed:
                records.append(ScanOutcome(name, step, Status.DONE))
                continue
            log = ""
            if result.trace:
                path = self.log_dir / f"crash-{step}-{name.replace('/', '__')}.txt"
                path.write_text(result.trace)
                log = str(path)
            records.append(ScanOutcome(name, step, Status.FAILED, result.error, log))
        return records


def standard_contrast(scan: Scan, other: Scan, settings: Settings) -> Path:
    """Path of a further contrast on the template grid, named after the scan it goes with."""
    return derivative_path(
        scan,
        settings.output_dir,
        space=TEMPLATE,
        res=f"{settings.profile.resolution:g}",
        desc=f"preproc{other.contrast}",
        suffix=other.suffix,
    )


def skipped(step: str, scans: Sequence[Scan]) -> list[ScanOutcome]:
    """Outcomes of scans whose step was finished before."""
    return [ScanOutcome(scan.key, step, Status.SKIPPED) for scan in scans]
