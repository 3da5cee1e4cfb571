"""A run over a few scans of which nothing was computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthtumour_bids.steps.job import Job

from synthtumour_bids.bids.inputs import Selection
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import Role, Settings


def make_job(root: Path, *, tumours: int = 2, tumourfree: int = 2, **more: Any) -> Job:
    """Job over scans whose files are there, but are no images."""
    settings = Settings(
        root / "bids",
        root / "out",
        **{"profile": PROFILES["sloppy"], "work_dir": root / "work", **more},
    )
    scans = tuple(
        _scan(settings.bids_dir, f"{role}{number}", role)
        for role, count in ((Role.TUMOUR, tumours), (Role.TUMOURFREE, tumourfree))
        for number in range(count)
    )
    for folder in (settings.output_dir, root / "log"):
        folder.mkdir()
    return Job(settings, Selection(scans, scans), root / "log")


def _scan(root: Path, subject: str, role: Role) -> Scan:
    path = root / f"sub-{subject}" / "anat" / f"sub-{subject}_FLAIR.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(subject.encode())
    return Scan(path, (("sub", subject),), "FLAIR", role, root)


def mark_preprocessed(job: Job, *scans: Scan) -> None:
    """Say that scans are preprocessed, with these settings."""
    from synthtumour_bids.steps import preprocess

    for scan in scans:
        print_ = preprocess.Task(scan, job.settings).fingerprint()
        resolution = job.settings.profile.resolution
        job.stamps.mark("preprocess", scan.key, print_, resolution=resolution)


def mark_trained(job: Job, name: str) -> None:
    """Say that a network is trained."""
    from synthtumour_bids.steps import cohort, train

    folder = job.models_dir / name
    (folder / "fold_0").mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    (folder / "fold_0" / "checkpoint_best.pth").write_text(name)
    print_ = train.junior_print(job) if name == "junior" else train.senior_print(job)
    cohort.mark(job, name, print_, {}, [folder])
