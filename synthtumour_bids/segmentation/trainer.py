"""nnU-Net's trainer with the choices of this method: selection, augmentation, short schedules."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.helpers import dummy_context
from torch import nn
from torch.utils.data import DataLoader

from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.batches import Batches, start_worker
from synthtumour_bids.segmentation.cpu import faster_on_cpu
from synthtumour_bids.segmentation.drawn_cases import Draw, DrawnCases
from synthtumour_bids.segmentation.ranks import Ranks

LOGGER = logging.getLogger(__name__)

POLY_EXPONENT = 0.9  # nnU-Net's learning-rate decay
WARM_UP = 0.03  # share of the steps over which the learning rate rises
ADAMW_WEIGHT_DECAY = 1e-2
AVERAGED_EPOCHS = 1.0  # length of the running average of the weights
SECONDS_TO_A_BATCH = 300.0  # a process that takes longer has lost it

# How workers are started. Forks are there at once; a process that was itself spawned, as those of
# several GPUs are, would by default spawn its own, which import torch anew in each epoch.
WORKERS = "fork" if sys.platform == "linux" else None

# What nnU-Net itself would do; replaced by `SynthTumourTrainer.set_up`.
NNUNET_TRAINING = Training(epochs=1000, iterations_per_epoch=250, patience=1000, min_epochs=0)


@dataclass(frozen=True)
class ShiftedScore:
    """Score on the shifted-validation set: mean hard Dice in [0, 1], mean cross-entropy (nats)."""

    dice: float
    loss: float


class SynthTumourTrainer(nnUNetTrainer):  # type: ignore[misc]  # nnU-Net has no types
    """nnU-Net's network, loss, loading and augmentation; our schedule, selection and checkpoints.

    Differences from nnU-Net's trainer, and why:

    * **Selection.** Each epoch is scored on one fixed patch per shifted case, centred on its
      tumour, by the mean over cases (and tumour classes) of the hard Dice: nnU-Net's own score
      draws random patches and pools them, and the choice of the epoch would follow that noise.
    * **Averaged weights.** What is scored and kept is a running average of the weights over the
      last epoch or so, as the scores of single steps swing by several points of Dice.
    * **Mirroring** along left–right only. Images lie on a template's grid, where the other two
      axes have a meaning; test-time mirroring uses the same axis.
    * **Schedules** of AdamW or SGD with a short warm-up and nnU-Net's polynomial decay per step.
    * **Loading** through torch's loader: its workers end with the training, and the random
      numbers of a sample follow from (seed, epoch, batch, position in it), so that a resumed
      training sees the data it would have seen, whatever the number of workers and of GPUs.
    * **Several GPUs** each take an even share of every batch and of the shifted cases. Scores are
      put together on all of them, so that they take the same decisions.
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008 - nnU-Net's signature
    ) -> None:
        super().__init__(
            {**plans, "continue_training": False}, configuration, fold, dataset_json, device
        )
        self.device = device  # nnU-Net always takes the first GPU
        self.training = NNUNET_TRAINING
        self.ranks = Ranks(device)
        self.average: list[torch.Tensor] = []
        self._shifted: list[tuple[str, list[list[int]]]] = []

    def set_up(self, training: Training, ranks: Ranks | None = None) -> None:
        """Take the settings and build network, optimiser and loss; meet the other ranks."""
        self.training = training
        self.num_epochs = training.epochs
        self.num_iterations_per_epoch = training.iterations_per_epoch
        self.initial_lr = training.learning_rate
        # nnU-Net gives the coarsest output no weight; with two stages nothing would be left.
        self.enable_deep_supervision = len(self.configuration_manager.pool_op_kernel_sizes) > 2
        self.initialize()
        if self.device.type == "cpu":
            faster_on_cpu(self.network)
        if ranks is not None and ranks.size > 1:
            # Only now: nnU-Net's own way of sharing a training out knows nothing but whole GPUs.
            self.ranks, self.is_ddp = ranks, True
            self.network: nn.Module = ranks.join(self.network)
            self.loss = self._build_loss()  # with all outputs, and with all samples where it pools
        self.average = [p.detach().clone() for p in self.network.parameters()]

    @property
    def bare_network(self) -> nn.Module:
        """The network without what torch wraps around it, which changes the names of weights."""
        network = self.network.module if self.is_ddp else self.network
        return cast(nn.Module, getattr(network, "_orig_mod", network))

    # --- nnU-Net's hooks -------------------------------------------------------------------

    def print_to_log_file(self, *args: object, **_: object) -> None:
        """Send nnU-Net's messages to the log instead of its own files and the console."""
        LOGGER.debug("nnU-Net: %s", " ".join(str(a) for a in args).strip())

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, None]:
        """Build the optimiser; the learning rate is set before each step (`learning_rate`)."""
        parameters = self.network.parameters()
        if self.training.optimiser == "adamw":
            return torch.optim.AdamW(
                parameters, self.initial_lr, weight_decay=ADAMW_WEIGHT_DECAY
            ), None
        if self.training.optimiser == "sgd":
            return torch.optim.SGD(
                parameters,
                self.initial_lr,
                momentum=0.99,
                nesterov=True,
                weight_decay=self.weight_decay,
            ), None
        raise ValueError(f"optimiser {self.training.optimiser!r} is neither 'sgd' nor 'adamw'")

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(  # noqa: N802 - nnU-Net's
        self,
    ) -> tuple[Any, ...]:
        """Keep nnU-Net's augmentation, but mirror left–right only."""
        rotation, dummy_2d, initial_patch, _ = (
            super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        )
        # nnU-Net's arrays are (Z, Y, X) before it reorders axes: X, left–right, is the third.
        axis = list(self.plans_manager.transpose_forward).index(2)
        self.inference_allowed_mirroring_axes = (axis,)
        return rotation, dummy_2d, initial_patch, (axis,)

    # --- training --------------------------------------------------------------------------

    def open_data(self, draw: Draw | None = None) -> None:
        """Find the cases, or draw those to train with, and fix the patches to validate with."""
        rotation, dummy_2d, initial_patch, mirror_axes = (
            self.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        )
        transforms = self.get_training_transforms(
            self.configuration_manager.patch_size,
            rotation,
            self._get_deep_supervision_scales(),
            mirror_axes,
            dummy_2d,
            use_mask_for_norm=self.configuration_manager.use_mask_for_norm,
        )
        train, shifted = self.get_tr_and_val_datasets()
        if draw is not None:
            train = DrawnCases(draw, self.label_manager.foreground_labels)
        self._loader = nnUNetDataLoader(
            train,
            1,  # sample at a time
            initial_patch,
            self.configuration_manager.patch_size,
            self.label_manager,
            transforms=transforms,
        )
        self._shifted_data = shifted
        self._shifted = [(name, self._fixed_patch(name)) for name in shifted.identifiers]

    def batches(self, seed: int, epoch: int, first: int, n_workers: int) -> DataLoader[Any]:
        """Load the batches `first` … of one epoch, as far as they are this rank's share."""
        indices = range(first, self.num_iterations_per_epoch)
        positions = self.ranks.share(self.batch_size)
        return DataLoader(
            Batches(self._loader, self.batch_size, positions, indices, (seed, epoch)),
            batch_size=None,
            num_workers=n_workers,
            worker_init_fn=start_worker,
            multiprocessing_context=WORKERS if n_workers else None,
            timeout=SECONDS_TO_A_BATCH if n_workers else 0,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator().manual_seed(seed),
        )

    def step(self, batch: Mapping[str, Any], step: int) -> float:
        """Do one optimisation step, the `step`-th of the training; return the loss of the batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(step)
        self.network.train()
        loss = self.ranks.mean(float(self.train_step(batch)["loss"]))
        window = AVERAGED_EPOCHS * self.num_iterations_per_epoch
        # The average starts short, or the random initial weights would stay in it for long.
        keep = min(1 - 1 / window, (1 + step) / (10 + step))
        with torch.no_grad():
            for average, weight in zip(self.average, self.network.parameters(), strict=True):
                average.lerp_(weight.detach(), 1 - keep)
        return loss

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then polynomial decay to 0 at the end of the schedule."""
        total = self.num_epochs * self.num_iterations_per_epoch
        rise = min(1.0, (step + 1) / max(1.0, WARM_UP * total))
        values: float = self.initial_lr * rise * max(0.0, 1 - step / total) ** POLY_EXPONENT
        return values

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Put the averaged weights into the network for the block."""
        own = [p.detach().clone() for p in self.network.parameters()]
        self.load_weights(self.average)
        try:
            yield
        finally:
            self.load_weights(own)

    def load_weights(self, weights: list[torch.Tensor]) -> None:
        """Copy weights, in the order of ``network.parameters()``, into the network."""
        with torch.no_grad():
            for parameter, weight in zip(self.network.parameters(), weights, strict=True):
                parameter.copy_(weight)

    # --- selection -------------------------------------------------------------------------

    def score(self) -> ShiftedScore:
        """Score the averaged weights on the shifted cases; the same weights score the same."""
        scores = torch.zeros(2, len(self._shifted), dtype=torch.float64)
        self.network.eval()
        self.set_deep_supervision_enabled(False)
        use_autocast = self.device.type == "cuda"
        try:
            with self.averaged_weights(), torch.inference_mode():
                for case in self.ranks.share(len(self._shifted)):
                    image, label = self._shifted_patch(case)
                    with torch.autocast("cuda") if use_autocast else dummy_context():
                        logits = self.network(image)
                    scores[1, case] = float(nn.functional.cross_entropy(logits.float(), label))
                    scores[0, case] = self._mean_dice(logits.argmax(1), label)
        finally:
            self.set_deep_supervision_enabled(self.enable_deep_supervision)
        dice, loss = self.ranks.sum(scores).mean(1).tolist()
        return ShiftedScore(dice, loss)

    def _mean_dice(self, found: torch.Tensor, true: torch.Tensor) -> float:
        """Hard Dice, averaged over the classes that are found or there; 1 where none is."""
        scores = []
        for k in self.label_manager.foreground_labels:
            mine, real = found == k, true == k
            if both := int(mine.sum()) + int(real.sum()):
                scores.append(2 * int((mine & real).sum()) / both)
        return float(np.mean(scores)) if scores else 1.0

    def _fixed_patch(self, name: str) -> list[list[int]]:
        """Bounds of the patch that a case is scored on, centred on its tumour where it can be."""
        data, _, _, properties = self._shifted_data.load_case(name)
        classes = self.label_manager.foreground_labels
        voxels = np.concatenate(
            [np.reshape(properties["class_locations"][k], (-1, data.ndim)) for k in classes]
        )
        bounds = []
        for axis, size in enumerate(self.configuration_manager.patch_size):
            extent = data.shape[1 + axis]
            middle = voxels[:, 1 + axis].mean() if len(voxels) else extent / 2
            room = extent - size
            # A patch longer than the image is centred on it.
            low = room // 2 if room < 0 else min(max(round(middle - size / 2), 0), room)
            bounds.append([int(low), int(low) + size])
        return bounds

    def _shifted_patch(self, case: int) -> tuple[torch.Tensor, torch.Tensor]:
        name, bounds = self._shifted[case]
        data, seg, _, _ = self._shifted_data.load_case(name)
        image = torch.from_numpy(np.array(crop_and_pad_nd(data, bounds, 0), np.float32))
        label = torch.from_numpy(np.array(crop_and_pad_nd(seg, bounds, 0), np.int64))
        return image[None].to(self.device), label.clamp_(min=0).to(self.device)
