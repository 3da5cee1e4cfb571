"""The demo cohort: simulated heads with and without tumours as one BIDS dataset, with the truth."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from synthtumour_bids import __version__
from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.demo.contrasts import CONTRASTS
from synthtumour_bids.demo.head import Again, Head, simulate_head
from synthtumour_bids.demo.subjects import SESSIONS, Subject, Take, draw_subjects
from synthtumour_bids.errors import UnavailableError, UsageError
from synthtumour_bids.execution.pool import map_items
from synthtumour_bids.files import replacing, write_json, write_text, write_tsv
from synthtumour_bids.settings import Role

BIDS_VERSION = "1.10.1"
MANIFEST = "cohort.json"
README = """\
Simulated FLAIR scans of heads, some with a tumour, made by synthtumour-demo.

The anatomy is that of the ICBM 152 non-linear 2009 tissue maps (Copyright (C) 1993-2009 Louis
Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University), bent
at random for each subject, with a skull and a scalp drawn around. Tumours grow by a
reaction-diffusion equation. No person was scanned: use these data to try software, for nothing
else.

participants.tsv tells in the column "group" who has a tumour.
"""

PARTICIPANTS: dict[str, Any] = {
    "group": {
        "Description": "Whether the simulated head has a tumour",
        "Levels": {"control": "No tumour", "tumour": "One simulated glioma"},
    },
    "relative_age": {
        "Description": "How old the simulated head looks, 0 young to 1 very old: wide fluid "
        "spaces, white-matter hyperintensities"
    },
}


@dataclass(frozen=True)
class DemoCohort:
    """Where a demo cohort is: the scans, and their true masks as a derivative dataset."""

    bids_dir: Path
    truth_dir: Path


def write_cohort(
    folder: Path,
    *,
    n_tumourfree: int,
    n_tumour: int,
    resolution: float,
    seed: int,
    nprocs: int = 1,
    n_followed: int = 0,
    n_t1w: int = 0,
) -> DemoCohort:
    """Write the demo cohort; the same arguments make the same bytes.

    Parameters
    ----------
    folder
        Gets ``bids`` (the scans), ``truth`` (tumour and brain masks) and ``cohort.json``, which
        is marked complete when everything is there. A complete cohort is left as it is.
    n_tumourfree, n_tumour
        How many heads without and with a tumour.
    resolution
        Voxel size in mm.
    seed
        Of everything random.
    nprocs
        Processes to use; they change nothing in the result.
    n_followed
        How many more heads with a tumour that has grown from a first session to a second.
    n_t1w
        How many of the heads with a tumour have a T1w scan, too; no other scan changes by it.

    Raises
    ------
    UsageError
        When the folder holds a cohort made with other arguments.
    UnavailableError
        When a scan cannot be made: the disk is full, memory ran out.
    """
    cohort = DemoCohort(folder / "bids", folder / "truth")
    manifest = {
        "Version": __version__,
        "TumourFree": n_tumourfree,
        "Tumour": n_tumour,
        "Resolution": resolution,
        "Seed": seed,
        **({"Followed": n_followed} if n_followed else {}),
        **({"T1w": n_t1w} if n_t1w else {}),
    }
    path = folder / MANIFEST
    if path.is_file():
        found = json.loads(path.read_text())
        complete = found.pop("Complete", False)
        if found != manifest:
            msg = (
                f"{folder} holds a demo cohort made with {_listed(found)}, asked for was "
                f"{_listed(manifest)}. Name another folder, or give the same options."
            )
            raise UsageError(msg)
        if complete:
            return cohort
    write_json(path, {**manifest, "Complete": False})
    subjects = draw_subjects(
        n_tumourfree, n_tumour, resolution, seed, n_followed=n_followed, n_t1w=n_t1w
    )
    _write_tables(cohort, subjects)
    results = map_items(
        _write_scan,
        [_ScanToBe(cohort, subject, take) for subject in subjects for take in subject.takes],
        nprocs=nprocs,
        label="Simulating",
        describe=lambda scan: scan.name,
        stop_on_failure=True,
    )
    for result in results:
        if result.failed:
            msg = f"{result.item.name} was not simulated: {result.error}"
            raise UnavailableError(msg)
    write_json(path, {**manifest, "Complete": True})
    return cohort


def _listed(manifest: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in manifest.items())


def _write_tables(cohort: DemoCohort, subjects: list[Subject]) -> None:
    write_json(
        cohort.bids_dir / "dataset_description.json",
        {
            "Name": "synthtumour_bids demo cohort (simulated)",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "License": "CC0-1.0; the ICBM 152 notice in README applies to the anatomy",
            "Authors": ["The synthtumour_bids developers"],
            "GeneratedBy": [{"Name": "synthtumour-demo", "Version": __version__}],
        },
    )
    write_text(cohort.bids_dir / "README", README)
    rows = [
        {
            "participant_id": f"sub-{subject.label}",
            "group": "tumour" if subject.role is Role.TUMOUR else "control",
            "relative_age": subject.age,
        }
        for subject in subjects
    ]
    write_tsv(
        cohort.bids_dir / "participants.tsv", rows, ["participant_id", "group", "relative_age"]
    )
    write_json(cohort.bids_dir / "participants.json", PARTICIPANTS)
    for subject in subjects:
        sessions = [take.session for take in subject.takes if take.session]
        if sessions:
            path = cohort.bids_dir / f"sub-{subject.label}" / f"sub-{subject.label}_sessions.tsv"
            times = [{"session_id": f"ses-{one}", "acq_time": SESSIONS[one]} for one in sessions]
            write_tsv(path, times, ["session_id", "acq_time"])
    write_json(
        cohort.truth_dir / "dataset_description.json",
        {
            "Name": "Truth of the synthtumour_bids demo cohort",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "License": "CC0-1.0",
            "GeneratedBy": [{"Name": "synthtumour-demo", "Version": __version__}],
            "DatasetLinks": {"raw": "../bids"},
        },
    )
    write_text(
        cohort.truth_dir / "README",
        "True masks of the simulated heads in ../bids, each on its scan's grid: label-L_mask is "
        "where the density of tumour cells is high enough to be seen on FLAIR, desc-brain_mask "
        "the brain with its CSF.\n",
    )


@dataclass(frozen=True)
class _ScanToBe:
    """One scan of the cohort; `name` is that of its file, without the end."""

    cohort: DemoCohort
    subject: Subject
    take: Take

    @property
    def folder(self) -> Path:
        session = [f"ses-{self.take.session}"] if self.take.session else []
        return Path(f"sub-{self.subject.label}", *session)

    @property
    def name(self) -> str:
        return "_".join((*self.folder.parts, self.take.suffix))


def _write_scan(scan: _ScanToBe) -> None:
    """Simulate and write one scan; the sidecar comes last."""
    cohort, subject, take = scan.cohort, scan.subject, scan.take
    acquisition, again = subject.acquisition, None
    if take.seed is not None:
        thin = take.suffix != "FLAIR"
        again = Again(np.random.default_rng(take.seed), CONTRASTS[take.suffix], thin)
        acquisition = replace(acquisition, slice_thickness=None) if thin else acquisition
    head = simulate_head(
        np.random.default_rng(subject.seed),
        subject.resolution,
        subject.acquisition,
        tumour_volume=take.tumour_volume,
        age=subject.age,
        again=again,
    )
    folder, stem = scan.folder, "_".join(scan.folder.parts)
    path = cohort.bids_dir / folder / "anat" / f"{scan.name}.nii.gz"
    _write_image(path, head.image, _scan_sidecar(head, acquisition))
    if take.suffix != "FLAIR":
        return  # the truth is that of the FLAIR scan
    masks: list[tuple[str, nib.Nifti1Image, dict[str, str]]] = [
        ("desc-brain", head.brain, {"Type": "Brain"})
    ]
    if head.truth is not None:
        masks.append(("label-L", head.truth, {"Type": "Lesion"}))
    for entity, image, kind in masks:
        mask = cohort.truth_dir / folder / "anat" / f"{stem}_{entity}_mask.nii.gz"
        source = f"bids:raw:{folder.as_posix()}/anat/{path.name}"
        _write_image(mask, image, {**kind, "Sources": [source], "SpatialReference": "orig"})


def _scan_sidecar(head: Head, acquisition: Acquisition) -> dict[str, Any]:
    zooms = [float(zoom) for zoom in head.image.header.get_zooms()]
    return {
        "Modality": "MR",
        "Manufacturer": "Simulated",
        "ManufacturersModelName": f"synthtumour-demo {__version__}",
        "MagneticFieldStrength": head.scanner.field_strength,
        "MRAcquisitionType": "2D" if acquisition.slice_thickness else "3D",
        "SliceThickness": round(zooms[2], 3),
        "SkullStripped": acquisition.stripped,
        "Simulation": {
            "Noise": round(head.scanner.noise, 4),
            "Shading": round(head.scanner.shading, 4),
            **asdict(acquisition),
        },
    }


def _write_image(path: Path, image: nib.Nifti1Image, sidecar: dict[str, Any]) -> None:
    """Write an image without the time in its gzip header, so that bytes can be compared."""
    content = gzip.compress(image.to_bytes(), compresslevel=6, mtime=0)
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    write_json(path.with_name(path.name.removesuffix(".nii.gz") + ".json"), sidecar)
