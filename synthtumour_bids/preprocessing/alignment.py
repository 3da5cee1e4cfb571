"""Registration of two images with ANTs, in stages whose settings are data files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import ants
import numpy as np


def load_settings(name: str) -> Mapping[str, Any]:
    """Read a settings file of the package, ``data/ants_<name>.json``."""
    text = resources.files("synthtumour_bids.data").joinpath(f"ants_{name}.json").read_text()
    return json.loads(text)


@contextlib.contextmanager
def scratch(work_dir: Path) -> Iterator[Path]:
    """Folder inside ``work_dir`` for ANTs' temporary files, removed at the end."""
    work_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ants-", dir=work_dir))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fixed_seed(seed: int) -> Iterator[None]:
    """Have ANTs draw its samples from ``seed`` (it reads an environment variable)."""
    before = os.environ.get("ANTS_RANDOM_SEED")
    os.environ["ANTS_RANDOM_SEED"] = str(seed % 2**31)
    try:
        yield
    finally:
        if before is None:
            del os.environ["ANTS_RANDOM_SEED"]
        else:
            os.environ["ANTS_RANDOM_SEED"] = before


def run_stages(
    fixed: ants.ANTsImage,
    moving: ants.ANTsImage,
    stages: Sequence[Mapping[str, Any]],
    *,
    folder: Path,
    seed: int,
    initial: Path | None = None,
    mask: ants.ANTsImage | None = None,
) -> list[str]:
    """Run registration stages one after the other, each starting from the one before.

    Parameters
    ----------
    fixed, moving
        The images; the result maps ``moving`` onto ``fixed``.
    stages
        Keyword arguments of ``ants.registration``, one mapping for each stage. Affine stages
        replace each other, a deformable one adds its field.
    folder
        Where the transform files go.
    initial
        Affine transform to start from; the centres of mass are aligned without one.
    mask
        Where on the fixed image the metric counts.

    Returns
    -------
    list of str
        Transform files in the order ``ants.apply_transforms`` wants them.
    """
    transforms: list[str] = [] if initial is None else [str(initial)]
    for number, stage in enumerate(stages):
        prefix = folder / f"{len(list(folder.iterdir())):03d}-stage{number}-"
        with fixed_seed(seed):
            result = ants.registration(
                fixed=fixed,
                moving=moving,
                initial_transform=transforms or None,
                mask=mask,
                mask_all_stages=True,
                outprefix=str(prefix),
                **{k: tuple(v) if isinstance(v, list) else v for k, v in stage.items()},
            )
        transforms = list(result["fwdtransforms"])
    return transforms


def write_affine(matrix: np.ndarray, offset: np.ndarray, path: Path) -> Path:
    """Write the transform ``x -> matrix @ x + offset`` (points in LPS mm, fixed to moving)."""
    transform = ants.create_ants_transform(
        "AffineTransform", dimension=3, matrix=np.asarray(matrix), translation=np.asarray(offset)
    )
    ants.write_transform(transform, str(path))
    return path


def similarity_score(
    fixed: ants.ANTsImage, moved: ants.ANTsImage, mask: ants.ANTsImage | None = None
) -> float:
    """Mutual information of two images on one grid: 0 and up, more is better."""
    return -float(
        ants.image_similarity(
            fixed,
            moved,
            metric_type="MattesMutualInformation",
            fixed_mask=mask,
        )
    )
