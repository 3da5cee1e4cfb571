"""What every step of one run shares: settings, scans, places, and what is done already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from synthtumour_bids.bids.copies import find_copies, find_persons, of_person
from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.cluster import Cluster
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.places import Places
from synthtumour_bids.execution.pool import Result, map_items
from synthtumour_bids.execution.resources import processes_that_fit
from synthtumour_bids.execution.workers import Workers
from synthtumour_bids.layout import Layout, Network
from synthtumour_bids.ledger import Failure, Identity, Ledger
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.segmentation.model_card import Model, is_bundle
from synthtumour_bids.settings import COHORT_STEPS, STARTER, Role, Settings, Step, atlas_files

Item = TypeVar("Item")
Value = TypeVar("Value")
IMAGE = "image"  # the stamp of a scan of which no more than its values' hash is needed


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes
    ----------
    settings
        As resolved: with the profile and the networks that the run uses.
    selection
        ``selected`` scans get per-scan work; training may use ``everything``.
    log_dir
        Folder of this run's log, for the traces of failures.
    ledger
        What is done already.
    cluster
        The Dask cluster that does the per-scan work; ``None``: this machine does.
    workers
        The processes that do it here; ``None``: each step starts its own.
    notes
        What the user should know before it starts, in sentences.
    """

    settings: Settings
    selection: Selection
    log_dir: Path
    ledger: Ledger = field(compare=False)
    cluster: Cluster | None = None
    workers: Workers | None = field(default=None, compare=False)
    notes: tuple[str, ...] = ()

    @property
    def layout(self) -> Layout:
        """Where everything lies."""
        settings = self.settings
        return Layout(settings.output_dir, settings.work_dir, settings.profile.resolution)

    @property
    def scratch_ledger(self) -> Ledger:
        """What of the scratch data in this job's work folder is done; read anew each time."""
        return Ledger(self.settings.work_dir)

    @property
    def places(self) -> Places:
        """The words that stand for this machine's paths in what may be shared."""
        return Places.of(self.settings)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps of this run: level, ``--steps`` and given networks all narrow them."""
        return steps_of(self.settings)

    # ------------------------------------------------------------------ rounds

    @property
    def round(self) -> int:
        """Which senior is the last, from 1: each after the first learns from the one before."""
        return self.settings.rounds or 1

    def until_round(self, number: int) -> Job:
        """A run that ends with the senior of this round; a run of more begins as it does."""
        return replace(self, settings=replace(self.settings, rounds=number))

    # ------------------------------------------------------------------ scans

    def selected(self, role: Role | None = None) -> list[Scan]:
        """Scans to work on one by one."""
        return [scan for scan in self.selection.selected if role in (None, scan.role)]

    def to_segment(self) -> list[Scan]:
        """Those of them that get a mask; copies bear the person that they are of."""
        persons = self.persons()
        return [
            of_person(scan, persons) for scan in self.selection.selected if scan.role.is_segmented
        ]

    def preprocessing(self, scan: Scan) -> Preprocessing | None:
        """Record of a scan's finished preprocessing on this run's template grid."""
        stamp = self.ledger.finished(Step.PREPROCESS, scan.key)
        if stamp is None:
            return None
        record = Preprocessing.from_details(stamp.fingerprint, stamp.details)
        return record if record.resolution == self.settings.profile.resolution else None

    def preprocessed(self, role: Role) -> list[Scan]:
        """Scans of a role, selected or not, whose preprocessing is finished.

        Whoever is there under two names counts as one person, or the validation would be on what
        was learned; who has a tumour by one name is no tumour-free person by another.
        """
        first, persons = self.copies(), self.persons()
        patients = {
            persons[scan.key]
            for scan in self.selection.everything
            if scan.role in (Role.TUMOUR, Role.ANNOTATED)
        }
        return [
            of_person(scan, persons)
            for scan in self.selection.everything
            if scan.role is role
            and self.preprocessing(scan) is not None
            and (
                role is not Role.TUMOURFREE
                or (first.get(scan.key, scan).role is role and persons[scan.key] not in patients)
            )
        ]

    @property
    def told_apart(self) -> tuple[Scan, ...]:
        """All scans whose persons are told apart, those that nothing is made of among them."""
        return (*self.selection.everything, *self.selection.aside)

    def image(self, scan: Scan) -> str:
        """Hash of a scan's values; empty where it is not known."""
        if scan in self.selection.aside:
            stamp = self.ledger.read(IMAGE, scan.key)
            return "" if stamp is None else str(stamp.details["image"])
        record = self.preprocessing(scan)
        return record.image if record is not None else ""

    def copies(self) -> dict[str, Scan]:
        """Scans that hold the very image of another person's, by their keys: the first of these."""
        images = {scan.key: self.image(scan) for scan in self.told_apart}
        return find_copies(self.told_apart, images)

    def persons(self) -> dict[str, str]:
        """Person of each scan, by its key; names that share an image are one person's."""
        return find_persons(self.told_apart, self.copies())

    def held_out_persons(self) -> set[str]:
        """Persons who are kept out of all training, by whatever name."""
        held_out = [scan for scan in self.told_apart if self.is_held_out(scan)]
        persons = self.persons() if held_out else {}
        return {persons[scan.key] for scan in held_out}

    def preprocessing_fingerprints(self, scans: Iterable[Scan]) -> dict[str, str]:
        """Fingerprint of the finished preprocessing of each scan, by its key."""
        records = {scan.key: self.preprocessing(scan) for scan in scans}
        return {key: record.fingerprint for key, record in records.items() if record is not None}

    def is_held_out(self, scan: Scan) -> bool:
        """Whether the scan's participant is kept out of all training."""
        if scan.role is Role.TUMOURFREE:  # told apart when scans were collected
            return False
        return scan.role is Role.HELD_OUT or scan.subject in self.settings.hold_out

    # ------------------------------------------------------------------ networks

    @property
    def models_dir(self) -> Path:
        """Folder of the networks to segment with: those given, or this output's own."""
        given = self.settings.model
        return self.layout.models if given is None else Path(given)

    @property
    def networks(self) -> dict[str, Model]:
        """The networks that segment, by name; the last one's masks are the result."""
        return networks_in(self.models_dir)

    @property
    def main_network(self) -> Model:
        """The network whose masks are the result."""
        return list(self.networks.values())[-1]

    def model(self, network: Network) -> Model:
        """Junior or senior: the given one, or this output's own."""
        return Model(network, self.models_dir / network)

    @property
    def lesion_roi_dir(self) -> Path:
        """Dataset of the lesion masks for other tools."""
        return self.settings.lesion_roi_dir or self.layout.lesion_roi_dir

    # ------------------------------------------------------------------ work

    def map(
        self,
        function: Callable[[Item], Value],
        tasks: Sequence[Item],
        *,
        label: str,
        describe: Callable[[Item], str],
        memory_gb: float,
        omp_nthreads: int = 1,
        stoppable: bool = True,
        ahead: Sequence[str] = (),
    ) -> list[Result[Item, Value]]:
        """Apply a function to every task, in processes of this machine or on the cluster.

        Parameters
        ----------
        function, tasks
            Picklable.
        label, describe
            Words for the progress lines.
        memory_gb
            Memory of one process.
        omp_nthreads
            Threads of one process.
        stoppable
            Whether ``--stop-on-first-crash`` ends it after a failure.
        ahead
            Modules that later steps need, to be loaded while other processes work.
        """
        settings = self.settings
        results = map_items(
            function,
            tasks,
            nprocs=processes_that_fit(settings.nprocs, settings.mem_gb, memory_gb, omp_nthreads),
            workers=self.workers,
            cluster=self.cluster,
            label=label,
            describe=describe,
            stop_on_failure=stoppable and settings.stop_on_first_crash,
            ahead=ahead,
        )
        self.ledger.forget()  # the workers have written stamps of their own
        return results

    def rest(self) -> None:
        """Let processes without work go, before this one needs the memory."""
        if self.workers is not None:
            self.workers.end()

    def record(
        self,
        step: str,
        results: Iterable[Result[Item, Any]],
        scan_of: Callable[[Item], Scan],
    ) -> list[ScanOutcome]:
        """Turn results into outcomes; what failed is kept in the ledger, its trace in the log."""
        records = []
        for result in results:
            scan = scan_of(result.item)
            if not result.failed:
                self.ledger.clear_failure(step, scan.key)
                records.append(ScanOutcome(scan.key, step, Status.DONE))
                continue
            log = ""
            if result.trace:
                path = self.log_dir / f"crash-{step}-{scan.slug}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)  # unless it was removed meanwhile
                path.write_text(self.places.hide(result.trace), encoding="utf-8")
                log = str(path)
            told = self.places.hide(result.error)
            self.ledger.mark_failure(Failure(step, Identity.of(scan), scan.role, told))
            records.append(ScanOutcome(scan.key, step, Status.FAILED, result.error, log))
        return records


def networks_in(models_dir: Path) -> dict[str, Model]:
    """The networks to segment with in a models folder, by name; the last one's masks count.

    They are junior and senior, or, where the folder is a bundle, the starter alone.
    """
    if is_bundle(models_dir):
        return {STARTER: Model(STARTER, models_dir)}
    return {network.value: Model(network, models_dir / network) for network in Network}


def steps_of(settings: Settings) -> tuple[Step, ...]:
    """Steps of a run: level, ``--steps`` and given networks all narrow them."""
    if settings.reports_only:
        return (Step.REPORT,)
    chosen = settings.steps
    if settings.analysis_level == "group":
        chosen = tuple(step for step in chosen if step in COHORT_STEPS)
    if settings.model is not None:
        chosen = tuple(step for step in chosen if step not in (Step.SYNTHESISE, Step.TRAIN))
    return chosen


def cluster_of(settings: Settings) -> Cluster | None:
    """The Dask cluster that settings name, and what its workers must see."""
    if settings.dask_scheduler is None:
        return None
    home = os.environ.get("TEMPLATEFLOW_HOME")
    named = (
        settings.priors,
        settings.truth,
        settings.annotated_dir,
        settings.corrections,
        settings.lesion_place,
        *(atlas_files(settings.atlas) if settings.atlas else ()),
        *(map(Path, filter(None, (settings.skull_strip_template, home)))),
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


def skipped(step: str, scans: Iterable[Scan]) -> list[ScanOutcome]:
    """Outcomes of scans whose step was finished before."""
    return [ScanOutcome(scan.key, step, Status.SKIPPED) for scan in scans]
