"""The demo cohort: simulated heads with and without tumours as one BIDS dataset, with the truth."""

from __future__ import annotations

import gzip
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from synthtumour_bids import __version__
from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.demo.head import Head, simulate_head
from synthtumour_bids.errors import UsageError
from synthtumour_bids.files import replacing, write_json, write_text, write_tsv
from synthtumour_bids.settings import Role

BIDS_VERSION = "1.10.1"
MANIFEST = "cohort.json"
VOLUMES = (12.0, 110.0)  # mL, of the smallest and the largest tumour

# Scans of both groups come in these kinds, in turn.
ACQUISITIONS = (
    Acquisition(),
    Acquisition(orientation="LAS", slice_thickness=4.0),
    Acquisition(stripped=True),
    Acquisition(tilt=(12.0, 4.0, 7.0)),
    Acquisition(orientation="LAS"),
    Acquisition(slice_thickness=5.0, tilt=(-8.0, 0.0, 0.0)),
)

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


@dataclass(frozen=True)
class _Subject:
    label: str
    role: Role
    seed: tuple[int, ...]
    acquisition: Acquisition
    resolution: float
    tumour_volume: float | None
    age: float


def write_cohort(
    folder: Path,
    *,
    n_tumourfree: int,
    n_tumour: int,
    resolution: float,
    seed: int,
    nprocs: int = 1,
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

    Raises
    ------
    UsageError
        When the folder holds a cohort made with other arguments.
    """
    cohort = DemoCohort(folder / "bids", folder / "truth")
    manifest = {
        "Version": __version__,
        "TumourFree": n_tumourfree,
        "Tumour": n_tumour,
        "Resolution": resolution,
        "Seed": seed,
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
    subjects = _subjects(n_tumourfree, n_tumour, resolution, seed)
    _write_tables(cohort, subjects)
    if nprocs == 1:
        for subject in subjects:
            _write_subject(cohort, subject)
    else:
        with ProcessPoolExecutor(nprocs, mp_context=get_context("spawn")) as pool:
            list(pool.map(_write_subject, [cohort] * len(subjects), subjects))
    write_json(path, {**manifest, "Complete": True})
    return cohort


def _listed(manifest: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in manifest.items())


def _subjects(n_tumourfree: int, n_tumour: int, resolution: float, seed: int) -> list[_Subject]:
    # Neighbours in the list have unlike volumes, so that every kind of scan gets both.
    volumes = np.geomspace(*VOLUMES, n_tumour) if n_tumour > 1 else np.array([40.0])
    order = np.random.default_rng([seed, 2]).permutation(n_tumour)
    subjects = [
        _Subject(
            label=f"control{index + 1:02d}",
            role=Role.TUMOURFREE,
            seed=(seed, 0, index),
            acquisition=ACQUISITIONS[index % len(ACQUISITIONS)],
            resolution=resolution,
            tumour_volume=None,
            age=(0.2, 0.6, 0.1, 0.85)[index % 4],
        )
        for index in range(n_tumourfree)
    ]
    subjects += [
        _Subject(
            label=f"tumour{index + 1:02d}",
            role=Role.TUMOUR,
            seed=(seed, 1, index),
            acquisition=ACQUISITIONS[index % len(ACQUISITIONS)],
            resolution=resolution,
            tumour_volume=float(volumes[order[index]]),
            age=(0.3, 0.2, 0.5)[index % 3],
        )
        for index in range(n_tumour)
    ]
    return subjects


def _write_tables(cohort: DemoCohort, subjects: list[_Subject]) -> None:
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


def _write_subject(cohort: DemoCohort, subject: _Subject) -> None:
    """Simulate and write one head; the sidecar comes last."""
    head = simulate_head(
        np.random.default_rng(subject.seed),
        subject.resolution,
        subject.acquisition,
        tumour_volume=subject.tumour_volume,
        age=subject.age,
    )
    name = f"sub-{subject.label}"
    scan = cohort.bids_dir / name / "anat" / f"{name}_FLAIR.nii.gz"
    _write_image(scan, head.image, _scan_sidecar(head, subject.acquisition))
    masks: list[tuple[str, nib.Nifti1Image, dict[str, str]]] = [
        ("desc-brain", head.brain, {"Type": "Brain"})
    ]
    if head.truth is not None:
        masks.append(("label-L", head.truth, {"Type": "Lesion"}))
    for entity, image, kind in masks:
        path = cohort.truth_dir / name / "anat" / f"{name}_{entity}_mask.nii.gz"
        source = f"bids:raw:{name}/anat/{scan.name}"
        _write_image(path, image, {**kind, "Sources": [source], "SpatialReference": "orig"})


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
