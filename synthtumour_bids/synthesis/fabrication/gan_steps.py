"""The optimisation steps of TF-GAN: what is learned from one step's patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from . import losses
from .gan_state import GanState
from .perceptual import pooled


def warm_up_step(state: GanState, batch: dict[str, Tensor]) -> dict[str, float]:
    """Teach the segmentation network on real patches.

    Parameters
    ----------
    state
        Of the training; its networks are changed.
    batch
        Of :class:`.patches.StepPatches`.

    Returns
    -------
    dict
        Mean loss, by its name.
    """
    total = 0.0
    optimiser = state.optimisers["segmenter"]
    optimiser.zero_grad(set_to_none=True)
    for part in _parts(state, batch):
        with autocast(state):
            logits = state.segmenter(part["real_images"])
        loss = losses.segmentation_loss(logits, part["real_classes"]) / state.settings.accumulate
        loss.backward()
        total += float(loss.detach())
    optimiser.step()
    return {"warm_up": total}


def adversarial_step(state: GanState, batch: dict[str, Tensor]) -> dict[str, float]:
    """One step of the discriminator, then one of the generator.

    Parameters
    ----------
    state
        Of the training; its networks are changed.
    batch
        Of :class:`.patches.StepPatches`.

    Returns
    -------
    dict
        Mean losses, unweighted, by their names.
    """
    state.segmenter.requires_grad_(False).eval()
    parts = list(_parts(state, batch))
    judged = _optimised(state, "discriminator", parts, _discriminator_losses)
    state.discriminator.requires_grad_(False)
    made = _optimised(state, "generator", parts, _generator_losses)
    state.discriminator.requires_grad_(True)
    state.follow()
    return {**judged, **made}


def _optimised(
    state: GanState,
    name: str,
    parts: Sequence[dict[str, Tensor]],
    terms_of: Callable[[GanState, dict[str, Tensor]], dict[str, tuple[float, Tensor]]],
) -> dict[str, float]:
    """One optimiser step over all parts of a batch; returns the unweighted losses."""
    optimiser = state.optimisers[name]
    optimiser.zero_grad(set_to_none=True)
    sums: dict[str, float] = {}
    for part in parts:
        terms = terms_of(state, part)
        total = torch.stack([weight * loss for weight, loss in terms.values()]).sum()
        (total / len(parts)).backward()
        for term, (_, loss) in terms.items():
            sums[term] = sums.get(term, 0.0) + float(loss.detach()) / len(parts)
    optimiser.step()
    return sums


def _discriminator_losses(
    state: GanState, part: dict[str, Tensor]
) -> dict[str, tuple[float, Tensor]]:
    """Losses of the discriminator.

    Its class head learns from real patches alone: taught on refined ones as well, it would learn
    to read whatever the generator draws, and guide nothing.
    """
    with torch.no_grad(), autocast(state):
        refined = _refined(state, part)
    with autocast(state):
        real, kinds = state.discriminator(part["real_images"])
        fake, _ = state.discriminator(refined)
    return {
        "judge_real": (1.0, losses.hinge_real(real, part["real_focus"])),
        "judge_fake": (1.0, losses.hinge_fake(fake, part["coarse_focus"])),
        "judge_kinds": (1.0, losses.segmentation_loss(kinds, part["real_classes"])),
    }


def _generator_losses(state: GanState, part: dict[str, Tensor]) -> dict[str, tuple[float, Tensor]]:
    if state.bank is None:
        raise RuntimeError("The bank of real features is filled before the generator learns.")
    weights = state.settings.weights
    coarse, classes, gate = (part[f"coarse_{k}"] for k in ("images", "classes", "gate"))
    with autocast(state):
        refined = _refined(state, part)
        realness, kinds = state.discriminator(refined)
        features = state.segmenter.encode(refined)
    seen = pooled(features, classes, state.classes)
    return {
        "adversarial": (1.0, losses.hinge_generator(realness, part["coarse_focus"])),
        "segmentation": (weights.segmentation, losses.segmentation_loss(kinds, classes)),
        "perceptual": (weights.perceptual, state.bank.distance(seen)),
        "identity": (weights.identity, losses.identity_loss(refined, coarse, gate)),
        "variation": (weights.variation, losses.variation_loss(refined, coarse, gate)),
    }


def _refined(state: GanState, part: dict[str, Tensor]) -> Tensor:
    refined: Tensor = state.generator(
        part["coarse_images"], part["coarse_classes"], part["coarse_gate"]
    )
    return refined


def _parts(state: GanState, batch: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Split a step's patches into the batches that fit into memory."""
    for n in range(state.settings.accumulate):
        own = slice(n * state.settings.batch, (n + 1) * state.settings.batch)
        yield {k: v[own].to(state.device, non_blocking=True) for k, v in batch.items()}


def autocast(state: GanState) -> torch.autocast:
    """Context of mixed precision, where settings and device allow it.

    bfloat16 has float32's range, so that losses need no scaling.
    """
    on = state.settings.half and has_bfloat16(state.device)
    return torch.autocast(state.device.type, dtype=torch.bfloat16, enabled=on)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself: CUDA from compute capability 8 on."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device)[0] >= 8
