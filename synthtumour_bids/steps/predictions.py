"""Probability maps on the template grid: computed once a model and scan, shared by the steps."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.execution.stamps import fingerprint, hash_file
from synthtumour_bids.steps.job import Job

LOGGER = logging.getLogger(__name__)


def model_print(model_dir: Path) -> str:
    """Fingerprint of a trained network: of its weights.

    Raises
    ------
    UnavailableError
        When there is no trained network in the folder.
    """
    checkpoint = model_dir / "fold_0" / "checkpoint_best.pth"
    if not checkpoint.is_file() or not (model_dir / "model.json").is_file():
        msg = (
            f"No trained {model_dir.name} in {model_dir} (looked for model.json and "
            "fold_0/checkpoint_best.pth). Train it first (--steps synthesise train, or level "
            "group), or name a models folder with --model."
        )
        raise UnavailableError(msg)
    return hash_file(checkpoint)[:16]


def n_contrasts(model_dir: Path) -> int:
    """How many images of a scan a trained network looks at."""
    described = json.loads((model_dir / "model.json").read_text())
    return 1 + len(described.get("MoreContrasts", ()))


def predict(
    job: Job, name: str, scans: Sequence[Scan], *, mirroring: bool = True
) -> list[Result[Scan, Path]]:
    """Foreground probabilities of scans by ``junior``, ``senior`` or ``teacher``.

    With `mirroring` they are the mean of what the network says about the scan and about its
    left–right mirror image.

    Returns
    -------
    One result a scan: the NIfTI file in the work folder, on the template grid.
    """
    from synthtumour_bids.segmentation.prediction import iter_predict

    model_dir = job.model_dir(name)
    weights = model_print(model_dir)
    contrasts = n_contrasts(model_dir)
    folder = job.settings.work_dir / "predictions" / name
    folder.mkdir(parents=True, exist_ok=True)
    step = f"predict-{name}" if mirroring else f"predict-{name}-unmirrored"
    ending = "probseg" if mirroring else "unmirrored"
    results: dict[str, Result[Scan, Path]] = {}
    todo: dict[str, Scan] = {}
    prints = {}
    for scan in scans:
        print_ = fingerprint(weights=weights, scan=job.preprocessing_print(scan))
        path = folder / f"{scan.key.replace('/', '__')}_{ending}.nii.gz"
        if job.stamps.is_done(step, scan.key, print_) and path.is_file():
            results[scan.key] = Result(scan, path)
        else:
            todo[path.name.removesuffix(".nii.gz")] = scan
            prints[scan.key] = print_
    if not todo:  # no network has to be loaded
        return [results[scan.key] for scan in scans]
    for scan in todo.values():
        job.stamps.clear(step, scan.key)  # a map that is replaced is not done
    with Progress(f"Segmenting ({name})", len(todo)) as progress:
        images = {key: job.standard_images(scan)[:contrasts] for key, scan in todo.items()}
        for prediction in iter_predict(
            model_dir,
            images,
            folder,
            device=job.settings.device,
            mirroring=mirroring,
            nprocs=job.settings.nprocs,
        ):
            scan = todo[prediction.name]
            if prediction.path is not None:
                job.stamps.mark(step, scan.key, prints[scan.key], [prediction.path])
                results[scan.key] = Result(scan, prediction.path)
            else:
                LOGGER.error("%s: %s", scan.key, prediction.error)
                results[scan.key] = Result(scan, error=str(prediction.error))
            progress.advance(scan.key)
    return [results[scan.key] for scan in scans]
