"""Preprocess cases as nnU-Net wants them, each stored whole or not at all."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from synthtumour_bids.errors import DataError, UnavailableError
from synthtumour_bids.execution.pool import processes_can_talk
from synthtumour_bids.execution.workers import Workers
from synthtumour_bids.files import write_text
from synthtumour_bids.segmentation.environment import quiet
from synthtumour_bids.segmentation.plans import CONFIGURATION

LOGGER = logging.getLogger(__name__)

PARTS = (".b2nd", "_seg.b2nd", ".pkl")  # what nnU-Net stores for one case
Source = tuple[tuple[Path, ...], Path]  # images and label
POOL_FROM = 48  # starting a pool costs as long as preprocessing a few dozen cases


def store_cases(
    sources: Mapping[str, Source],
    preprocessed: Path,
    plans: dict[str, Any],
    description: dict[str, Any],
    *,
    n_processes: int,
) -> None:
    """Crop, normalise and store the cases that are not stored yet, newer than their sources.

    Parameters
    ----------
    sources
        Images, one a contrast, and label of each case, by name.
    preprocessed
        nnU-Net's folder of the dataset; cases that are no longer among `sources` are removed.
    plans, description
        nnU-Net's plans and ``dataset.json``.
    n_processes
        Processes to share the work.

    Raises
    ------
    DataError
        A label holds something else than 0 and the classes.
    UnavailableError
        A process was killed.
    """
    configuration = plans["configurations"][CONFIGURATION]
    target = preprocessed / configuration["data_identifier"]
    spacing = json.dumps(configuration["spacing"])
    stored_spacing = preprocessed / "spacing.json"
    if target.is_dir() and (
        not stored_spacing.is_file() or stored_spacing.read_text("utf-8") != spacing
    ):
        shutil.rmtree(target)  # of another resolution
    target.mkdir(exist_ok=True)
    stored_spacing.write_text(spacing, encoding="utf-8")
    for path in target.glob("*.pkl"):
        if path.stem not in sources:
            _told_of(target / path.stem).unlink(missing_ok=True)
            for part in PARTS:
                (target / f"{path.stem}{part}").unlink(missing_ok=True)

    pending = [name for name in sources if not _is_stored(target / name, sources[name])]
    LOGGER.info("preprocessing %d of %d cases", len(pending), len(sources))
    if n_processes <= 1 or len(pending) < POOL_FROM or not processes_can_talk():
        for name in pending:
            _store(target / name, *sources[name], plans, description)
        return
    try:
        with Workers() as workers, workers.at_work(n_processes) as pool:
            jobs = [
                pool.submit(_store, target / name, *sources[name], plans, description)
                for name in pending
            ]
            for job in jobs:
                job.result()
    except BrokenProcessPool as error:
        raise UnavailableError(
            f"One of {n_processes} processes that prepare the training data was killed, most "
            "likely for memory. Run the same command again with fewer (--nprocs)."
        ) from error


def _parts(stem: Path) -> list[Path]:
    return [stem.with_name(stem.name + part) for part in PARTS]


def _is_stored(stem: Path, source: Source) -> bool:
    parts = _parts(stem)
    if not all(path.is_file() for path in parts):
        return False
    told = _told_of(stem)
    return told.is_file() and told.read_text("utf-8") == _sources(source)


def _told_of(stem: Path) -> Path:
    """What a stored case was made of, written last; in a folder that nnU-Net does not look into."""
    return stem.parent.with_name("sources") / f"{stem.name}.json"


def _sources(source: Source) -> str:
    """Files of a case, by place, size and time of change."""
    images, label = source
    stats = [(str(path), path.stat()) for path in (*images, label)]
    return json.dumps([[path, one.st_size, one.st_mtime_ns] for path, one in stats])


def _store(
    stem: Path,
    images: tuple[Path, ...],
    label: Path,
    plans: dict[str, Any],
    description: dict[str, Any],
) -> None:
    """Preprocess one case in a private folder, then move its files into place."""
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    values = np.unique(nib.Nifti1Image.from_filename(label).dataobj)
    known = sorted(description["labels"].values())
    if not np.isin(values, known).all():
        wanted = ", ".join(map(str, known[:-1]))
        raise DataError(
            f"The label {label} should hold {wanted} and {known[-1]}, but holds {values[:5]}."
        )
    manager, told = PlansManager(plans), _sources((images, label))
    _told_of(stem).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=stem.parent.parent, prefix=".partial-") as partial:
        private = Path(partial) / stem.name
        with quiet():
            DefaultPreprocessor(verbose=False).run_case_save(
                str(private),
                [str(image) for image in images],
                str(label),
                manager,
                manager.get_configuration(CONFIGURATION),
                description,
            )
        for source, target in zip(_parts(private), _parts(stem), strict=True):
            source.replace(target)
    write_text(_told_of(stem), told)
