"""What a starter finds in simulated heads that it has never seen.

    python benchmarks/starter_simulated.py OUT BUNDLE [--heads 20] [--seed 11]

Each head is looked at with a lesion drawn from the priors that the starter learned from, and
without. Masks are those of a run on the template grid. ``OUT/masks.png`` shows them with the truth.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.judging import final_masks, judged
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.starters import read_starter
from synthtumour_bids.starter.heads import load_tissues, read_head, render_heads
from synthtumour_bids.starter.recipe import RESOLUTION
from synthtumour_bids.synthesis.geometry import Mask, dice
from synthtumour_bids.synthesis.priors import load_priors
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.stage_one import synthesise
from synthtumour_bids.volumes import load_volume, template_image

SHOWN = 8


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--heads", type=int, default=20)
    parser.add_argument("--seed", type=int, default=11, help="none that a starter or demo has")
    parser.add_argument("--nprocs", type=int, default=2)
    options = parser.parse_args()
    card = read_starter(options.bundle).card
    priors, tissues = load_priors(card.lesion, card.contrast), load_tissues(RESOLUTION)
    affine = standard_brain(RESOLUTION).affine
    heads = render_heads(
        options.out / f"heads-{card.contrast}",
        options.heads,
        seed=options.seed,
        purpose="unseen",
        resolution=RESOLUTION,
        contrast=card.contrast,
        nprocs=options.nprocs,
    )
    images: dict[str, Path] = {}
    truth: dict[str, Mask] = {}
    for index, path in enumerate(heads):
        host = read_head(path, RESOLUTION, tissues)
        made = synthesise(
            stream(options.seed, "lesion", index=index, purpose="unseen"), host, priors
        )
        for kind, values, label in (
            ("lesion", made.image, made.label > 0),
            ("without", host.image, np.zeros(host.image.shape, bool)),
        ):
            name = f"{path.stem}-{kind}"
            images[name], truth[name] = options.out / f"{name}.nii", label
            write_image(images[name], template_image(values.astype(np.float32), affine), {})
    predicted = predict(
        options.bundle, images, options.out / "maps", device="cpu", mirroring=True,
        nprocs=options.nprocs,
    )  # fmt: skip
    recipe = RECIPES["default"]
    share = recipe.enclosing(card.lesion, card.contrast)
    comparison = Comparison.between(card.lesion, card.contrast)
    masks = {}
    for name, path in predicted.items():
        brain = load_volume(images[name]).data > 0
        found = judged(path, images[name], brain, card.lesion, recipe.evidence, comparison)
        masks[name] = final_masks(found, images[name], brain, card.lesion, share)[1]
    report(masks, truth)
    draw(images, masks, truth, options.out / "masks.png")
    return 0


def report(masks: dict[str, Mask], truth: dict[str, Mask]) -> None:
    ml = RESOLUTION**3 / 1000
    scores = [dice(masks[name], true) for name, true in truth.items() if true.any()]
    missed = sum(not masks[name].any() for name, true in truth.items() if true.any())
    marked = [masks[name].sum() * ml for name, true in truth.items() if not true.any()]
    print(
        f"{len(scores)} lesions: mean Dice {statistics.mean(scores):.3f}, median "
        f"{statistics.median(scores):.3f}, {missed} not found at all\n"
        f"{len(marked)} heads without: less than 1 mL in {sum(one < 1 for one in marked)}, "
        f"median {statistics.median(marked):.1f} mL, at most {max(marked):.1f} mL"
    )


def draw(
    images: dict[str, Path], masks: dict[str, Mask], truth: dict[str, Mask], path: Path
) -> None:
    """The slice with most of the lesion: truth in green, mask in red."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = [name for name, true in truth.items() if true.any()][:SHOWN]
    figure, axes = plt.subplots(
        2, len(names) // 2, figsize=(2.6 * len(names) / 2, 6), squeeze=False
    )
    for axis, name in zip(axes.ravel(), names, strict=False):
        z = int(truth[name].sum((0, 1)).argmax())
        axis.imshow(load_volume(images[name]).data[..., z].T, cmap="gray", origin="lower")
        for mask, colour in ((truth[name], "lime"), (masks[name], "red")):
            if mask[..., z].any():
                axis.contour(mask[..., z].T, [0.5], colors=colour, linewidths=1)
        axis.set_axis_off()
    figure.savefig(path, dpi=90, bbox_inches="tight")


if __name__ == "__main__":
    sys.exit(main())
