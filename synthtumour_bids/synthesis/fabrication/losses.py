"""The losses of TF-GAN, on tensors; the class-wise perceptual one is in :mod:`.perceptual`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .blocks import one_hot, pooled_to

ROUND_CHANGE = 0.5  # changes below this, in spreads of normal brain, cost little
ROUND_STEP = 0.1  # the same for differences between neighbours


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean; 0 without any weight.

    Parameters
    ----------
    values
        Of any shape.
    weights
        Non-negative, of the same shape.
    """
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)


def focus_on(realness: Tensor, focus: Tensor) -> Tensor:
    """Bring a map of weights to the resolution of the realness.

    Parameters
    ----------
    realness
        (N, 1, x, y, z).
    focus
        (N, X, Y, Z).

    Returns
    -------
    Tensor
        (N, 1, x, y, z).
    """
    return pooled_to(focus[:, None], realness)


def hinge_real(realness: Tensor, focus: Tensor) -> Tensor:
    """Discriminator's loss on real patches.

    Parameters
    ----------
    realness
        Its first head's output, (N, 1, x, y, z).
    focus
        How much each voxel counts, (N, X, Y, Z), in [0, 1].
    """
    realness = realness.float()
    return weighted_mean(functional.relu(1 - realness), focus_on(realness, focus))


def hinge_fake(realness: Tensor, focus: Tensor) -> Tensor:
    """Discriminator's loss on refined patches.

    Parameters
    ----------
    realness, focus
        As for :func:`hinge_real`.
    """
    realness = realness.float()
    return weighted_mean(functional.relu(1 + realness), focus_on(realness, focus))


def hinge_generator(realness: Tensor, focus: Tensor) -> Tensor:
    """Generator's adversarial loss.

    Parameters
    ----------
    realness, focus
        As for :func:`hinge_real`, of refined patches.
    """
    realness = realness.float()
    return -weighted_mean(realness, focus_on(realness, focus))


def segmentation_loss(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy plus 1 - soft Dice, the latter over the tumour classes that are there.

    Parameters
    ----------
    logits
        (N, K + 1, X, Y, Z).
    classes
        (N, X, Y, Z), whole numbers 0 … K.
    """
    logits = logits.float()
    entropy = functional.cross_entropy(logits, classes)
    truth = one_hot(classes, logits.shape[1] - 1)
    found = logits.softmax(dim=1)[:, 1:]
    both = (found * truth).sum(dim=(2, 3, 4))
    total = (found + truth).sum(dim=(2, 3, 4))
    there = truth.sum(dim=(2, 3, 4)) > 0
    dice = (2 * both + 1) / (total + 1)
    return entropy + weighted_mean(1 - dice, there.float())


def identity_loss(refined: Tensor, coarse: Tensor, gate: Tensor) -> Tensor:
    """Mean absolute change inside the gate: refinement must not turn into replacement.

    Outside the gate nothing changes by construction (:mod:`.generator`). Rounded off near 0: there
    the bare absolute value pulls as strongly as anywhere, and would pin the generator to the
    identity from which it starts.

    Parameters
    ----------
    refined, coarse
        (N, C, X, Y, Z).
    gate
        (N, X, Y, Z), in [0, 1].
    """
    weights = gate[:, None].expand_as(refined)
    return weighted_mean(_rounded(refined - coarse, ROUND_CHANGE), weights)


def variation_loss(refined: Tensor, coarse: Tensor, gate: Tensor) -> Tensor:
    """Total variation of the change, per voxel of the gate: no speckle, no chequerboard.

    Of the change rather than of the image, whose texture is wanted; rounded off near 0 for the
    same reason as above.

    Parameters
    ----------
    refined, coarse, gate
        As for :func:`identity_loss`.
    """
    change = refined - coarse
    total = change.new_zeros(())
    for axis in (2, 3, 4):
        total = total + _rounded(torch.diff(change, dim=axis), ROUND_STEP).sum()
    return total / (3 * refined.shape[1] * gate.gt(0).sum().clamp_min(1))


def _rounded(x: Tensor, width: float) -> Tensor:
    """Absolute value, smooth within about `width` of 0."""
    return (x.square() + width**2).sqrt() - width
