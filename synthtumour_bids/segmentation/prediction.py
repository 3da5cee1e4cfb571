"""Tumour probabilities of a trained network, one scan after the other."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
import torch
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray
from scipy import ndimage

from synthtumour_bids.bids.files import replacing
from synthtumour_bids.errors import SynthTumourError, UnavailableError, UnusableScanError
from synthtumour_bids.execution.resources import memory_limit_gb
from synthtumour_bids.segmentation.cpu import faster_on_cpu
from synthtumour_bids.segmentation.environment import quiet, resolve_device, torch_threads

LOG = logging.getLogger(__name__)

TILE_STEP = 0.5  # of the patch, between neighbouring windows
BYTES_A_VALUE = 26.0  # that a pass needs for each voxel and feature of the finest stage; measured
MEMORY_SHARE = 0.7  # of what the process may have, for one pass


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
        What `training.train` made.
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
            _write(classes.sum(axis=0).clip(0, 1), image, target)
        except torch.OutOfMemoryError:
            message = f"{paths[0]} needs more memory than {network.device} has; use --device cpu."
            yield Prediction(name, None, UnavailableError(message))
        except UnusableScanError as error:
            yield Prediction(name, None, error)
        else:
            yield Prediction(name, target)


def classes_path(path: Path) -> Path:
    """Path of the probabilities of single classes, from that of the whole tumour."""
    return path.with_name(path.name.removesuffix(".nii.gz") + "_classes.nii.gz")


class Network:
    """A trained network, loaded once.

    Parameters
    ----------
    model_dir
        What `training.train` made.
    device, mirroring
        As for `iter_predict`.
    """

    def __init__(self, model_dir: Path, *, device: str, mirroring: bool) -> None:
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
        from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        self.device = resolve_device(device)
        checkpoint_path = model_dir / "fold_0" / "checkpoint_best.pth"
        try:
            plans = json.loads((model_dir / "plans.json").read_text("utf-8"))
            description = json.loads((model_dir / "dataset.json").read_text("utf-8"))
            # Only tensors and plain values are loaded: a model may come from anywhere.
            checkpoint = torch.load(checkpoint_path, map_location="cpu", weights_only=True)
            weights = checkpoint["network_weights"]
            configuration_name = checkpoint["init_args"]["configuration"]
            mirror_axes = checkpoint["inference_allowed_mirroring_axes"]
        except FileNotFoundError as error:
            raise UnavailableError(
                f"A trained network was looked for in {model_dir}, but {error.filename} is not "
                "there. Train one (--steps train) or name another (--model)."
            ) from error
        except (pickle.UnpicklingError, RuntimeError, KeyError, ValueError, EOFError) as error:
            raise UnavailableError(
                f"The network in {model_dir} cannot be read ({error}). Train it again or name "
                "another (--model)."
            ) from error
        with quiet():
            manager = PlansManager(plans)
            configuration = manager.get_configuration(configuration_name)
            network = nnUNetTrainer.build_network_architecture(
                manager,
                configuration,
                determine_num_input_channels(manager, configuration, description),
                manager.get_label_manager(description).num_segmentation_heads,
                enable_deep_supervision=False,
            )
            network.load_state_dict(weights)
            if self.device.type == "cpu":
                faster_on_cpu(network)
            self._predictor = nnUNetPredictor(
                tile_step_size=TILE_STEP,
                use_gaussian=True,
                use_mirroring=mirroring,
                device=self.device,
                allow_tqdm=False,
            )
            self._predictor.manual_initialization(
                network, manager, configuration, None, description, "nnUNetTrainer", mirror_axes
            )

    @property
    def bare(self) -> torch.nn.Module:
        """The network itself: logits of (N, C, Z, Y, X)."""
        return cast(torch.nn.Module, self._predictor.network)

    def probabilities(
        self, images: NDArray[np.float32], spacing: tuple[float, float, float]
    ) -> NDArray[np.float32]:
        """Probability of each tumour class in [0, 1], 0 outside the brain.

        Parameters
        ----------
        images
            (C, X, Y, Z), 0 outside the brain.
        spacing
            Voxel size along X, Y, Z, mm.

        Returns
        -------
        float32 array, (K, X, Y, Z).

        Raises
        ------
        UnusableScanError
            When the network was trained on another number of contrasts.
        """
        from nnunetv2.inference.export_prediction import (
            convert_predicted_logits_to_segmentation_with_correct_shape,
        )

        predictor = self._predictor
        wanted = len(predictor.dataset_json["channel_names"])
        if len(images) != wanted:
            raise UnusableScanError(
                f"The network was trained on {wanted} contrast(s) of each scan, but "
                f"{len(images)} are there."
            )
        brain = ndimage.binary_fill_holes((images != 0).any(axis=0))
        # nnU-Net's readers give (channel, Z, Y, X).
        properties = {"spacing": [float(s) for s in spacing[::-1]]}
        with quiet(), torch.inference_mode():
            preprocessor = predictor.configuration_manager.preprocessor_class(verbose=False)
            data, _, properties = preprocessor.run_case_npy(
                images.transpose(0, 3, 2, 1),
                None,
                properties,
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.dataset_json,
            )
            logits = self._logits(torch.from_numpy(data))
            _, probabilities = convert_predicted_logits_to_segmentation_with_correct_shape(
                logits.cpu().float(),
                predictor.plans_manager,
                predictor.configuration_manager,
                predictor.label_manager,
                properties,
                return_probabilities=True,
                num_threads_torch=torch.get_num_threads(),
            )
        classes = np.clip(probabilities[1:].transpose(0, 3, 2, 1), 0, 1).astype(np.float32)
        return np.where(brain, classes, np.float32(0))

    def _logits(self, data: torch.Tensor) -> torch.Tensor:
        """See the whole brain at once; through windows of the training's size only if it must be.

        Windows that cut through a large tumour show too little of what is around it. On the
        development cohort they cost .03 of Dice (``benchmarks/RESULTS.md``).
        """
        trained = list(self._predictor.configuration_manager.patch_size)
        whole = self.whole_window(tuple(data.shape[1:]))
        if self._fits(whole):
            try:
                return self.slide(data, whole)
            except torch.OutOfMemoryError:
                if whole == trained:
                    raise
        LOG.warning("%s cannot hold the whole brain at once; using windows.", self.device)
        return self.slide(data, trained)

    def _fits(self, window: list[int]) -> bool:
        """Whether memory will do: a GPU says so when it does not, but a CPU's process is killed."""
        if self.device.type != "cpu":
            return True
        arguments = self._predictor.configuration_manager.network_arch_init_kwargs
        needed = BYTES_A_VALUE * arguments["features_per_stage"][0] * np.prod(window)
        return bool(needed < MEMORY_SHARE * memory_limit_gb() * 1e9)

    def whole_window(self, shape: tuple[int, ...]) -> list[int]:
        """Least window that holds an image, can be halved, and is no smaller than in training."""
        configuration = self._predictor.configuration_manager
        strides = np.prod(configuration.network_arch_init_kwargs["strides"], axis=0)
        return [
            max(int(-(-size // stride) * stride), trained)
            for size, stride, trained in zip(shape, strides, configuration.patch_size, strict=True)
        ]

    def slide(self, data: torch.Tensor, window: list[int]) -> torch.Tensor:
        """Let nnU-Net slide a window; where there is but one, its voxels count alike."""
        configuration = self._predictor.configuration_manager.configuration
        trained = configuration["patch_size"]
        configuration["patch_size"] = window
        self._predictor.use_gaussian = any(
            size > edge for size, edge in zip(data.shape[1:], window, strict=True)
        )
        try:
            return cast(torch.Tensor, self._predictor.predict_sliding_window_return_logits(data))
        finally:
            configuration["patch_size"] = trained


def _read(path: Path) -> nib.Nifti1Image:
    try:
        image = nib.Nifti1Image.from_filename(path)
        data = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError, ImageFileError) as error:
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
