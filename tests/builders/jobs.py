"""A run over a few scans of which nothing was computed."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR
from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import COHORT, Ledger
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.label_free import stage_one
from synthtumour_bids.methods.registry import method_of_run
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.model_card import CHECKPOINT, ModelCard, weights_fingerprint
from synthtumour_bids.settings import Role, Settings, Step
from synthtumour_bids.steps import preprocess
from tests.builders.plans import PLAN


def make_scan(
    root: Path,
    subject: str,
    role: Role = Role.TUMOUR,
    session: str | None = None,
    dataset: str = "raw",
) -> Scan:
    """A scan's name and place; no file is made."""
    entities = (("sub", subject),) + ((("ses", session),) if session else ())
    name = "_".join(f"{key}-{value}" for key, value in entities)
    path = root / f"sub-{subject}" / "anat" / f"{name}_FLAIR.nii.gz"
    return Scan(path, entities, "FLAIR", role, root, dataset)


def make_job(
    root: Path,
    *,
    tumours: int = 2,
    tumourfree: int = 2,
    scans: tuple[Scan, ...] | None = None,
    **more: Any,
) -> Job:
    """Job over scans whose files are there, but are no images; or over those given."""
    settings = Settings(
        root / "bids",
        root / "out",
        **{"profile": PROFILES["sloppy"], "work_dir": root / "work", **more},
    )
    if scans is None:
        scans = tuple(
            make_scan(settings.bids_dir, f"{role}{number}", role)
            for role, count in ((Role.TUMOUR, tumours), (Role.TUMOURFREE, tumourfree))
            for number in range(count)
        )
        for scan in scans:
            scan.path.parent.mkdir(parents=True)
            scan.path.write_bytes(scan.subject.encode())
    for folder in (settings.bids_dir, settings.output_dir, root / "log"):
        folder.mkdir(parents=True, exist_ok=True)
    return Job(settings, Selection(scans, scans), root / "log", Ledger(settings.output_dir))


def with_settings(job: Job, **changes: Any) -> Job:
    """The same job with other settings."""
    return dataclasses.replace(job, settings=dataclasses.replace(job.settings, **changes))


def with_scans(job: Job, *scans: Scan) -> Job:
    """The same job over other scans."""
    return dataclasses.replace(job, selection=Selection(scans, scans))


def method_of(job: Job) -> Method:
    """The method that the job's settings ask for."""
    return method_of_run(job)


def mark_preprocessed(job: Job, *scans: Scan, fingerprint: str | None = None, **more: Any) -> None:
    """Say that scans are preprocessed, with these settings and the files as they are."""
    for scan in scans:
        current = fingerprint or preprocess.PreprocessTask(scan, job.settings).fingerprint()
        record = Preprocessing(current, {}, (), scan.role, job.settings.profile.resolution, "")
        details = dataclasses.replace(record, **more).details()
        job.ledger.mark(Step.PREPROCESS, scan.key, current, scan=scan, **details)


def write_network(folder: Path, name: str = Network.SENIOR, **changes: Any) -> Path:
    """Folder of a network with its card and its plan; the weights are none."""
    weights = folder / CHECKPOINT
    if not weights.is_file():
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_text(name)
    known: dict[str, Any] = {
        "method": "synthtumour",
        "preset": "default",
        "contrast": "FLAIR",
        "lesion": "glioma",
        "profile": "sloppy",
        "resolution": 4.0,
        "seed": 527,
        "training": {},
    }
    if not (folder / "plans.json").is_file():
        plan = replace(
            PLAN,
            spacing=(changes.get("resolution", 4.0),) * 3,
            contrasts=1 + len(changes.get("more_contrasts", ())),
            labels=tuple(f"{one.index}-{one.name}" for one in changes.get("classes", WHOLE_TUMOUR)),
        )
        (folder / "plans.json").write_text(json.dumps(plan.to_plans()))
        (folder / "dataset.json").write_text(json.dumps(plan.to_description()))
    fingerprint = weights_fingerprint(folder)
    ModelCard(name=name, fingerprint=fingerprint, recipe="r", **{**known, **changes}).write(folder)
    return folder


def write_networks(models: Path, **changes: Any) -> Path:
    """Models folder with all files that are looked for; nothing can be segmented with it."""
    for network in Network:
        write_network(models / network, network, **changes)
    return models


def mark_drawn(job: Job) -> None:
    """Say that the stage-1 samples were drawn into all hosts that are preprocessed."""
    members = job.preprocessing_fingerprints(job.preprocessed(Role.TUMOURFREE))
    current = stage_one.settings_fingerprint(job.settings)
    job.ledger.mark(COHORT, stage_one.NAME, current, members=members)


def mark_trained(job: Job, *networks: Network, **details: Any) -> None:
    """Say that networks are trained, with these settings, from nothing."""
    method = method_of(job)
    for network in networks or tuple(Network):
        folder = write_network(job.layout.network(network), network)
        members = details.pop("members", {})
        job.ledger.mark(
            COHORT, network, method.fingerprint(job, network), [folder], members=members, **details
        )
