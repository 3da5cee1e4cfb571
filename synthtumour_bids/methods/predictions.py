"""Probability maps on the template grid: computed once per model and scan, shared by all steps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.network_grid import NetworkGrid
from synthtumour_bids.segmentation.model_card import Model

LOGGER = logging.getLogger(__name__)


def predict(
    job: Job, model: Model, scans: Sequence[Scan], *, mirroring: bool = True
) -> list[Result[Scan, Path]]:
    """Foreground probabilities of scans by a trained network.

    With `mirroring` they are the mean of what the network says about the scan and about its
    left–right mirror image. A network of another resolution than the run's sees the scans on its
    own grid, from which its probabilities are carried to the run's.

    Returns
    -------
    One result per scan: the NIfTI file in the work folder, on the template grid.
    """
    from synthtumour_bids.segmentation.prediction import iter_predict

    card = model.card
    grid = NetworkGrid.of(job, card.resolution)
    contrasts = 1 + len(card.more_contrasts)
    folder = job.layout.scratch(Scratch.PREDICTIONS, model.name)
    step = f"predict-{model.name}" if mirroring else f"predict-{model.name}-unmirrored"
    ending = "probseg" if mirroring else "unmirrored"
    ledger = job.scratch_ledger
    results: dict[str, Result[Scan, Path]] = {}
    todo: dict[str, Scan] = {}
    fingerprints = {}
    preprocessed = job.preprocessing_fingerprints(scans)
    for scan in scans:
        current = fingerprint(
            weights=card.fingerprint, scan=preprocessed.get(scan.key), **grid.to_json()
        )
        path = folder / f"{scan.slug}_{ending}.nii.gz"
        if ledger.is_done(step, scan.key, current):
            results[scan.key] = Result(scan, path)
        else:
            todo[path.name.removesuffix(".nii.gz")] = scan
            fingerprints[scan.key] = current
    if not todo:  # no network has to be loaded
        return [results[scan.key] for scan in scans]
    for scan in todo.values():
        ledger.clear(step, scan.key)  # a map that is replaced is not done
    job.rest()
    with Progress(f"Segmenting ({model.name})", len(todo)) as progress:
        images = {
            name: grid.images(job.layout.standard_images(scan)[:contrasts], scan.slug)
            for name, scan in todo.items()
        }
        for prediction in iter_predict(
            model.folder,
            images,
            folder,
            device=job.settings.device,
            mirroring=mirroring,
            nprocs=job.settings.nprocs,
        ):
            scan, error = todo[prediction.name], prediction.error
            try:
                if prediction.path is not None:
                    grid.carry_back(prediction.path, job.layout.standard_brain(scan))
            except UnusableScanError as unusable:
                error = unusable
            if prediction.path is not None and error is None:
                ledger.mark(step, scan.key, fingerprints[scan.key], [prediction.path])
                results[scan.key] = Result(scan, prediction.path)
            else:
                LOGGER.error("%s: %s", scan.key, error)
                results[scan.key] = Result(scan, error=str(error))
            progress.advance(scan.key)
    return [results[scan.key] for scan in scans]
