"""Head templates for brain extraction, and the standard brain everything is aligned to.

Nothing is ever downloaded: a template is a folder of the user's, TemplateFlow files that are
already on the disk, or the head built from the tissue maps that nilearn carries.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn import datasets as nilearn_datasets
from scipy import ndimage

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.preprocessing import geometry
from synthtumour_bids.preprocessing.head_model import build_head

EMBEDDED = "ICBM152-FLAIR-like"
TEMPLATEFLOW_NAMES = ("OASIS30ANTs", "MNI152NLin2009cAsym")
_HEAD_SUFFIXES = ("FLAIR", "T1w", "T2w", "PDw")
_IMAGE_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class HeadTemplate:
    """A head with skull and the brain inside it.

    Attributes
    ----------
    name
        How sidecars and reports call it.
    head
        The whole head.
    brain
        Probability in [0, 1] of belonging to the brain (with its fluid), on the head's grid.
    contrast
        ``"T1w"``, ``"FLAIR"``, ..., or ``"FLAIR-like"`` for the embedded model.
    """

    name: str
    head: nib.Nifti1Image
    brain: nib.Nifti1Image
    contrast: str


def load_head_template(name_or_path: str | None = None) -> HeadTemplate:
    """Find a head template.

    Parameters
    ----------
    name_or_path
        ``None``: the first of TemplateFlow's OASIS30ANTs and MNI152NLin2009cAsym whose files lie
        in ``TEMPLATEFLOW_HOME``, else the embedded head. A folder that holds a head and a brain
        probability or mask (TemplateFlow's names, or any names with ``brain`` and ``prob`` or
        ``mask``), or the head's file in such a folder. A TemplateFlow name. ``"embedded"``.

    Raises
    ------
    UnavailableError
        When there is no such template on the disk.
    """
    if name_or_path is None:
        for name in TEMPLATEFLOW_NAMES:
            folder = _templateflow_folder(name)
            if folder is not None and _find_pair(_images(folder)) is not None:
                return _load_folder(folder, _images(folder), name)
        return _embedded_head()
    if name_or_path in ("embedded", EMBEDDED):
        return _embedded_head()

    path = Path(name_or_path)
    if path.is_dir():
        return _load_folder(path, _images(path), _template_name(_images(path), path.name))
    if path.is_file():
        siblings = [path, *(p for p in _images(path.parent) if "brain" in p.name.lower())]
        return _load_folder(path.parent, siblings, _template_name([path], path.parent.name))

    folder = _templateflow_folder(name_or_path)
    if folder is None:
        home = os.environ.get("TEMPLATEFLOW_HOME")
        where = f"in TEMPLATEFLOW_HOME ({home})" if home else "and TEMPLATEFLOW_HOME is not set"
        raise UnavailableError(
            f"Looked for the head template '{name_or_path}': there is no such file or folder, "
            f"{where} no such template; nothing is downloaded. Give --skull-strip-template the "
            "path of a folder with a head and its brain probability, or leave the flag out."
        )
    return _load_folder(folder, _images(folder), name_or_path)


def _templateflow_folder(name: str) -> Path | None:
    home = os.environ.get("TEMPLATEFLOW_HOME")
    if not home or not name:
        return None
    folder = Path(home) / f"tpl-{name.removeprefix('tpl-')}"
    return folder if folder.is_dir() else None


def _images(folder: Path) -> list[Path]:
    # TemplateFlow's skeleton consists of empty files that stand for what could be fetched.
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.endswith(_IMAGE_ENDINGS) and path.is_file() and path.stat().st_size > 0
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".nii")


def _entity(path: Path, key: str) -> str:
    return next((p[len(key) + 1 :] for p in _stem(path).split("_") if p.startswith(f"{key}-")), "")


def _template_name(images: Sequence[Path], otherwise: str) -> str:
    return next((name for name in (_entity(p, "tpl") for p in images) if name), otherwise)


def _find_pair(images: Sequence[Path]) -> tuple[Path, Path] | None:
    """Head and brain among the files: the same resolution, probability before mask."""
    brains = [
        path
        for path in images
        if "brain" in path.name.lower() and any(w in path.name.lower() for w in ("prob", "mask"))
    ]
    marks = ("mask", "prob", "brain", "label-", "dseg", "desc-")
    heads = [path for path in images if not any(mark in path.name.lower() for mark in marks)]
    named = [p for s in _HEAD_SUFFIXES for p in heads if _stem(p).split("_")[-1] == s]
    heads = named or (heads if len(heads) == 1 else [])
    pairs = [
        (head, brain)
        for head in heads
        for brain in sorted(brains, key=lambda p: ("prob" not in p.name.lower(), p.name))
        if _entity(head, "res") == _entity(brain, "res")
        and _entity(head, "cohort") == _entity(brain, "cohort")
    ]
    return pairs[0] if pairs else None


def _load_folder(folder: Path, images: Sequence[Path], name: str) -> HeadTemplate:
    pair = _find_pair(images)
    if pair is None:
        found = ", ".join(path.name for path in images[:6]) or "no image"
        raise UnavailableError(
            f"Looked in {folder} for a head (*_T1w.nii.gz, *_FLAIR.nii.gz) and its brain "
            f"(*label-brain_probseg.nii.gz, *desc-brain_mask.nii.gz), found {found}: give "
            "--skull-strip-template a folder that holds both."
        )
    head_path, brain_path = pair
    head, brain = (nib.as_closest_canonical(nib.load(p)) for p in pair)
    if head.ndim != 3 or head.shape != brain.shape or not np.allclose(head.affine, brain.affine):
        raise UnavailableError(
            f"The head {head_path} and the brain {brain_path} should be 3-D and lie on one grid, "
            f"but have shapes {head.shape} and {brain.shape} or different affines: give "
            "--skull-strip-template another folder."
        )
    probability = brain.get_fdata(dtype=np.float32)
    probability = np.clip(probability / max(float(probability.max()), 1e-6), 0, 1)
    contrast = _stem(head_path).split("_")[-1]
    return HeadTemplate(
        name=name,
        head=nib.Nifti1Image(head.get_fdata(dtype=np.float32), head.affine),
        brain=nib.Nifti1Image(probability, brain.affine),
        contrast=contrast if contrast in _HEAD_SUFFIXES else "unknown",
    )


@functools.cache
def _embedded_head() -> HeadTemplate:
    spacing = 2.0
    affine, tissues = _tissue_maps(spacing)
    head, brain, affine = build_head(
        tissues["gm"], tissues["wm"], tissues["brain"], affine, spacing
    )
    return HeadTemplate(
        name=EMBEDDED,
        head=nib.Nifti1Image(head, affine),
        brain=nib.Nifti1Image(brain, affine),
        contrast="FLAIR-like",
    )


@functools.cache
def standard_brain(resolution: float) -> nib.Nifti1Image:
    """Skull-stripped ICBM 2009a symmetric T1 brain on an isotropic RAS grid.

    Parameters
    ----------
    resolution
        Voxel size in mm.
    """
    values, affine = _on_grid(nilearn_datasets.load_mni152_template(resolution=1), resolution)
    return nib.Nifti1Image(values, affine)


def _on_grid(image: nib.Nifti1Image, resolution: float) -> tuple[np.ndarray, np.ndarray]:
    """Coarsen (or refine) a 1 mm map; the first voxel's centre stays, as in TemplateFlow."""
    values = image.get_fdata(dtype=np.float32)
    if resolution == 1:
        return values, image.affine
    affine = image.affine.copy()
    affine[:3, :3] *= resolution
    shape = [int(np.ceil(n / resolution)) for n in image.shape]
    return np.maximum(geometry.resample(values, image.affine, shape, affine), 0), affine


def standard_tissues(resolution: float) -> dict[str, np.ndarray]:
    """Tissue probabilities of the standard brain, on the grid of :func:`standard_brain`.

    Returns
    -------
    dict
        ``"gm"``, ``"wm"``, ``"csf"``: float32 in [0, 1]; ``"brain"``: bool, all three together.
    """
    return {name: values.copy() for name, values in _tissue_maps(resolution)[1].items()}


@functools.cache
def _tissue_maps(resolution: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    template = standard_brain(resolution)
    maps = {
        "gm": nilearn_datasets.load_mni152_gm_template(resolution=1),
        "wm": nilearn_datasets.load_mni152_wm_template(resolution=1),
    }
    tissues = {name: np.clip(_on_grid(image, resolution)[0], 0, 1) for name, image in maps.items()}
    # The ICBM brain is cut out with a mask that includes the fluid around it.
    values = template.get_fdata(dtype=np.float32)
    brain = ndimage.binary_fill_holes(values > 0.05 * float(values.max()))
    labels, count = ndimage.label(brain)
    if count > 1:
        sizes = ndimage.sum_labels(brain, labels, np.arange(1, count + 1))
        brain = labels == 1 + int(np.argmax(sizes))
    csf = np.where(brain, np.clip(1 - tissues["gm"] - tissues["wm"], 0, 1), 0)
    return template.affine, {**tissues, "csf": csf.astype(np.float32), "brain": brain}
