"""Tumour probabilities of a trained network, one scan after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray

from synthtumour_bids.errors import SynthTumourError, UnavailableError, UnusableScanError
from synthtumour_bids.files import replacing
from synthtumour_bids.segmentation.class_maps import classes_path
from synthtumour_bids.segmentation.environment import torch_threads
from synthtumour_bids.segmentation.network import Network
from synthtumour_bids.volumes import HEADER_ERRORS, VOXEL_ERRORS


@dataclass(frozen=True)
class Prediction:
    """What became of one scan: the file of its probabilities, or why there is none."""

    name: str
    path: Path | None
    error: SynthTumourError | None = None


def predict(
    model_dir: Path,
    images: Mapping[str, Path | Sequence[Path]],
    output_dir: Path,
    *,
    device: str,
    mirroring: bool,
    nprocs: int,
) -> Mapping[str, Path]:
    """Predict every image; see `iter_predict`, which lets one bad scan fail alone.

    Raises
    ------
    SynthTumourError
        The first failure, after all images have been tried.
    """
    done: dict[str, Path] = {}
    failures: list[SynthTumourError] = []
    for one in iter_predict(
        model_dir, images, output_dir, device=device, mirroring=mirroring, nprocs=nprocs
    ):
        if one.path is not None:
            done[one.name] = one.path
        elif one.error is not None:
            failures.append(one.error)
    if failures:
        raise failures[0]
    return done


def iter_predict(
    model_dir: Path,
    images: Mapping[str, Path | Sequence[Path]],
    output_dir: Path,
    *,
    device: str,
    mirroring: bool,
    nprocs: int,
) -> Iterator[Prediction]:
    """Predict images one by one, in this process, with one loaded network.

    The network sees the whole brain at once. Where memory does not suffice, it sees windows of the
    size it was trained with, which overlap by half and are weighted with a Gaussian, as in nnU-Net.

    Parameters
    ----------
    model_dir
        What `training.train` made, or a bundle.
    images
        Skull-stripped images, 0 outside the brain, on the grid the network was trained on, by
        name; one each, or one a contrast.
    output_dir
        Gets ``<name>.nii.gz`` for each: the probability of tumour as float32 in [0, 1] on the
        image's grid, 0 outside the brain. A network of several classes also leaves
        `classes_path`: (X, Y, Z, K), what each class has of it.
    device
        See `environment.resolve_device`.
    mirroring
        Average over the left–right mirrored image as well, which takes twice the time.
    nprocs
        Processor cores to use.

    Yields
    ------
    One `Prediction` per image, in order; an image that cannot be used yields its error.

    Raises
    ------
    UnavailableError
        The model or the device is not there.
    """
    network = Network(model_dir, device=device, mirroring=mirroring)
    output_dir.mkdir(parents=True, exist_ok=True)
    for name, given in images.items():
        paths = (given,) if isinstance(given, Path) else tuple(given)
        target = output_dir / f"{name}.nii.gz"
        try:
            with torch_threads(nprocs):
                read = [_read(path) for path in paths]
                image = read[0]
                classes = network.probabilities(
                    np.stack([np.asarray(one.dataobj, dtype=np.float32) for one in read]),
                    image.header.get_zooms()[:3],
                )
            if len(classes) > 1:
                _write(np.moveaxis(classes, 0, -1), image, classes_path(target))
            else:
                classes_path(target).unlink(missing_ok=True)  # of a network that came before
            _write(classes.sum(axis=0).clip(0, 1), image, target)
        except torch.OutOfMemoryError:
            message = f"{paths[0]} needs more memory than {network.device} has; use --device cpu."
            yield Prediction(name, None, UnavailableError(message))
        except UnusableScanError as error:
            yield Prediction(name, None, error)
        else:
            yield Prediction(name, target)


def _read(path: Path) -> nib.Nifti1Image:
    try:
        image = nib.Nifti1Image.from_filename(path)
        data = np.asarray(image.dataobj, dtype=np.float32)
    except (*HEADER_ERRORS, *VOXEL_ERRORS) as error:
        raise UnusableScanError(f"The image {path} cannot be read ({error}).") from error
    if data.ndim != 3:
        raise UnusableScanError(f"The image {path} should be 3-D, but has shape {data.shape}.")
    if not np.isfinite(data).all():
        raise UnusableScanError(f"The image {path} holds NaN or infinite values.")
    if not data.any():
        raise UnusableScanError(f"The image {path} is empty: there is no brain to segment in.")
    return nib.Nifti1Image(data, image.affine, image.header)


def _write(probability: NDArray[np.float32], image: nib.Nifti1Image, target: Path) -> None:
    result = nib.Nifti1Image(probability, image.affine)
    for kind in ("qform", "sform"):
        matrix, code = getattr(image, f"get_{kind}")(coded=True)
        getattr(result, f"set_{kind}")(matrix, int(code))
    result.header.set_xyzt_units(*image.header.get_xyzt_units())
    with replacing(target) as partial:
        nib.save(result, partial)
