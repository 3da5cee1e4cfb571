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
import nibabel as nib
import numpy as np

from synthtumour_bids.preprocessing import ants_images, geometry
from synthtumour_bids.preprocessing.ants_images import thinned

_RAS_LPS = np.diag([-1.0, -1.0, 1.0])


def load_settings(name: str) -> Mapping[str, Any]:
    """Read a settings file of the package, ``data/ants_<name>.json``."""
    text = resources.files("synthtumour_bids.data").joinpath(f"ants_{name}.json").read_text()
    settings: Mapping[str, Any] = json.loads(text)
    return settings


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
    os.environ["ANTS_RANDOM_SEED"] = str(1 + seed % (2**31 - 1))
    try:
        yield
    finally:
        if before is None:
            del os.environ["ANTS_RANDOM_SEED"]
        else:
            os.environ["ANTS_RANDOM_SEED"] = before


def on_coarse_grid(image: nib.Nifti1Image, spacing: float) -> ants.ANTsImage:
    """Bring an image to cubic voxels of its own field of view, as fine as a registration needs."""
    shape, affine = geometry.isotropic_grid(image.shape, image.affine, spacing)
    values = image.get_fdata(dtype=np.float32)
    return ants_images.to_ants(geometry.resample(values, image.affine, shape, affine), affine)


def run_stages(
    fixed: ants.ANTsImage,
    moving: ants.ANTsImage,
    stages: Sequence[Mapping[str, Any]],
    *,
    folder: Path,
    seed: int,
    initial: Sequence[str] = (),
    mask: ants.ANTsImage | None = None,
) -> tuple[list[str], list[str]]:
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
    forward, inverse
        Transform files that bring ``moving`` to ``fixed`` and ``fixed`` to ``moving``, in the
        order ``ants.apply_transforms`` wants them. Affine files (``.mat``) among the inverse
        ones have to be inverted: see :func:`apply_inverse`.
    """
    forward, inverse = list(initial), list(initial)
    for stage in stages:
        prefix = folder / f"{len(list(folder.iterdir())):03d}-"
        with fixed_seed(seed):
            result = ants.registration(
                fixed=fixed,
                moving=moving,
                initial_transform=forward or None,
                mask=mask,
                mask_all_stages=True,
                outprefix=str(prefix),
                **{k: tuple(v) if isinstance(v, list) else v for k, v in stage.items()},
            )
        forward, inverse = list(result["fwdtransforms"]), list(result["invtransforms"])
    return forward, inverse


def apply_inverse(
    moving: ants.ANTsImage, image: ants.ANTsImage, inverse: Sequence[str]
) -> np.ndarray:
    """Bring an image on the fixed grid to the moving one's grid (linear), as an array."""
    moved: np.ndarray = ants.apply_transforms(
        moving,
        image,
        list(inverse),
        whichtoinvert=[name.endswith(".mat") for name in inverse],
        interpolator="linear",
    ).numpy()
    return moved


def best_affine(
    fixed: ants.ANTsImage,
    moving: ants.ANTsImage,
    fixed_pivot: np.ndarray,
    moving_pivot: np.ndarray,
    *,
    scale: float,
    settings: Mapping[str, Any],
    folder: Path,
    seed: int,
    mask: ants.ANTsImage | None = None,
) -> list[str]:
    """Register affinely from several positions and keep what fits best.

    Every position is followed briefly, and the best few are refined, since a wrong optimum can
    look as good as the right one until then. An eighth of the voxels tells which are best.

    Parameters
    ----------
    fixed, moving, folder, seed, mask
        As in :func:`run_stages`.
    fixed_pivot, moving_pivot
        Points in RAS mm that are laid on each other, and about which the head nods.
    scale
        First guess of size, moving over fixed.
    settings
        ``"scales"`` (times ``scale``) and ``"pitches_degrees"`` to try, the stage ``"start"`` to
        run from each, how many to ``"keep"``, and the stage ``"affine"`` to run from those.

    Returns
    -------
    list of str
        The transform file.
    """

    def follow(stage: Mapping[str, Any], initial: Sequence[str]) -> list[str]:
        return run_stages(
            fixed, moving, [stage], folder=folder, seed=seed, initial=initial, mask=mask
        )[0]

    coarse, coarse_mask = (None if one is None else thinned(one) for one in (fixed, mask))

    def score(forward: Sequence[str]) -> float:
        moved = ants.apply_transforms(coarse, moving, list(forward))
        return similarity_score(coarse, moved, coarse_mask)

    starts = []
    for factor in settings["scales"]:
        for pitch in settings["pitches_degrees"]:
            path = folder / f"{len(list(folder.iterdir())):03d}-start.mat"
            _write_start(path, fixed_pivot, moving_pivot, scale * factor, pitch)
            forward = follow(settings["start"], [str(path)])
            starts.append((score(forward), forward))
    starts.sort(reverse=True)
    kept = [follow(settings["affine"], initial) for _, initial in starts[: settings["keep"]]]
    return kept[0] if len(kept) == 1 else max(kept, key=score)


def _write_start(
    path: Path, fixed_pivot: np.ndarray, moving_pivot: np.ndarray, scale: float, pitch: float
) -> None:
    sine, cosine = np.sin(np.radians(pitch)), np.cos(np.radians(pitch))
    turn = scale * np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    matrix = _RAS_LPS @ turn @ _RAS_LPS
    translation = _RAS_LPS @ moving_pivot - matrix @ (_RAS_LPS @ fixed_pivot)
    transform = ants.create_ants_transform(
        "AffineTransform", dimension=3, matrix=matrix, translation=translation
    )
    ants.write_transform(transform, str(path))


def similarity_score(
    fixed: ants.ANTsImage, moved: ants.ANTsImage, mask: ants.ANTsImage | None = None
) -> float:
    """Mutual information of two images on one grid: 0 and up, more is better."""
    return -float(
        ants.image_similarity(fixed, moved, metric_type="MattesMutualInformation", fixed_mask=mask)
    )
