"""The training of TF-GAN: first the segmentation network, then generator against discriminator.

One step of the second phase: the discriminator learns from real patches (annotated scans and
tumour-free hosts) and refined ones, then the generator from the discriminator's verdict, both of
its heads, and the segmentation network's features. The training ends when refined validation
samples have stopped coming nearer to held-out real lesions (:mod:`.realism`); the best evaluation
is kept. The coarse samples themselves are evaluated first: if refinement never comes nearer than
they are, beyond chance among the samples and among the lesions, the kept generator is the identity,
and the record says so.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ...errors import DataError, StoppedError
from .fabricator import Fabricator
from .gan_curve import CURVE, plot_curve
from .gan_settings import GanSettings
from .gan_state import GanState
from .gan_steps import adversarial_step, autocast, warm_up_step
from .patches import StepPatches, draw_patch
from .perceptual import Bank, pooled
from .realism import Reference, describe
from .refinement import refine
from .scans import BrainScan

LOGGER = logging.getLogger(__name__)

LATEST = "checkpoint_latest.pt"
FINAL = "fabricator.pt"
JUDGING = "2"  # changes when evaluations are made or compared otherwise: none are mixed


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What TF-GAN learns from; sequences may read their scans from disk one at a time.

    Attributes
    ----------
    real, real_held_out
        Annotated scans to learn from, and of other persons to measure with.
    hosts
        Tumour-free scans, also without any coarse tumour: they tell the discriminator that the
        look of the hosts' scanner is no sign of a fake.
    coarse, coarse_held_out
        Coarse samples to refine, and the fixed ones that every evaluation refines.
    classes
        Tumour classes, background not counted.
    """

    real: Sequence[BrainScan]
    real_held_out: Sequence[BrainScan]
    hosts: Sequence[BrainScan]
    coarse: Sequence[BrainScan]
    coarse_held_out: Sequence[BrainScan]
    classes: int


def train(
    data: TrainingData,
    settings: GanSettings,
    folder: Path,
    *,
    recipe: str = "",
    device: str = "cpu",
    should_stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda step: None,
) -> Fabricator:
    """Train TF-GAN, or go on where an earlier call ended.

    Parameters
    ----------
    data
        What to learn from.
    settings
        Sizes and schedule.
    folder
        Where the checkpoint, the finished networks and ``curve.png`` are kept; the picture is
        drawn anew after each evaluation.
    recipe
        Fingerprint of the data; a checkpoint of another recipe or other settings is not used.
    device
        As torch names it.
    should_stop
        Asked before every step; once true, the state is saved and the training left.
    progress
        Told the number of finished steps now and then.

    Returns
    -------
    Fabricator
        The best networks of the training, also written to ``fabricator.pt``.

    Raises
    ------
    DataError
        If a kind of data is missing, or classes go beyond `data.classes`.
    StoppedError
        If asked to stop.
    """
    _check(data)
    what_matters = replace(settings, workers=0).to_json()
    recipe = json.dumps([recipe, data.classes, what_matters])
    where = torch.device(device)
    if (folder / FINAL).is_file() and (done := Fabricator.load(folder / FINAL, device, recipe)):
        return done
    state = GanState(data.real[0].contrasts, data.classes, settings, where)
    latest = folder / LATEST
    begun = json.dumps([recipe, JUDGING])
    state.load(latest, begun)
    reference = Reference.of(data.real_held_out, data.real, data.classes, settings.gate_mm)

    for batch in _batches(data, state):
        if should_stop():
            state.save(latest, begun)
            raise StoppedError(
                f"The training of TF-GAN was stopped after step {state.step}; the same command "
                "goes on from there."
            )
        if state.step < settings.warm_up:
            state.add(warm_up_step(state, batch))
        else:
            if state.bank is None:
                _end_warm_up(state, data, reference)
                plot_curve(state.history, state.best_step, folder / CURVE)
            state.add(adversarial_step(state, batch))
        state.step += 1
        if _is_evaluated(state):
            if state.step > settings.warm_up:
                _evaluate(state, data, reference)
                plot_curve(state.history, state.best_step, folder / CURVE)
            state.save(latest, begun)
            progress(state.step)
        if state.finished:
            break
    result = Fabricator.of(state).with_thresholds(data.real_held_out, data.coarse_held_out)
    result.save(folder / FINAL, recipe)
    return result


def _batches(data: TrainingData, state: GanState) -> Iterator[dict[str, Tensor]]:
    patches = StepPatches(data.real, data.hosts, data.coarse, state.settings)
    if state.finished:
        return iter(())
    return iter(
        DataLoader(
            patches,
            batch_size=None,
            sampler=range(state.step, len(patches)),
            num_workers=state.settings.workers,
            pin_memory=state.device.type == "cuda",
            generator=torch.Generator(),  # leaves the global one alone
        )
    )


def _is_evaluated(state: GanState) -> bool:
    settings = state.settings
    done = state.step - settings.warm_up
    return state.step > 0 and (done % settings.evaluate_every == 0 or done == settings.steps)


def _end_warm_up(state: GanState, data: TrainingData, reference: Reference) -> None:
    """Freeze the segmentation network, fill the bank, and evaluate the coarse samples."""
    settings = state.settings
    state.segmenter.requires_grad_(False).eval()
    seed = np.random.SeedSequence([settings.seed, settings.warm_up, 1])
    rng = np.random.Generator(np.random.PCG64(seed))
    seen = []
    with torch.no_grad():
        for scan in data.real:
            for _ in range(settings.bank_draws):
                patch = draw_patch(rng, scan, settings.patch, settings.gate_mm)
                images, classes = (patch[k][None].to(state.device) for k in ("images", "classes"))
                with autocast(state):
                    features = state.segmenter.encode(images)
                seen.append(pooled(features, classes, state.classes))
    state.bank = Bank.of(seen)
    _evaluate(state, data, reference)


def _evaluate(state: GanState, data: TrainingData, reference: Reference) -> None:
    settings = state.settings
    described = [
        describe(
            refine(state.average, scan, settings.patch, settings.gate_mm),
            data.classes,
            settings.gate_mm,
        )
        for scan in data.coarse_held_out
    ]
    samples = np.stack(described)
    distance, each = reference.distance(samples)
    state.record(distance, each, *reference.left_out(samples))
    LOGGER.info("TF-GAN, step %d: distance to real lesions %.4f", state.step, distance)


def _check(data: TrainingData) -> None:
    kinds = {
        "annotated scan": data.real,
        "held-out annotated scan": data.real_held_out,
        "coarse sample": data.coarse,
        "held-out coarse sample": data.coarse_held_out,
    }
    for name, scans in kinds.items():
        if not len(scans):
            raise DataError(
                f"TF-GAN needs at least one {name}; found none. It takes annotated scans of at "
                "least two persons, and coarse samples in tumour-free scans on either side."
            )
    highest = max(int(scan.classes.max()) for scan in data.real)
    if highest > data.classes:
        raise DataError(
            f"An annotated scan holds class {highest}, but only classes up to {data.classes} are "
            "expected."
        )
