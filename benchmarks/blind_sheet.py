"""A sheet of real and drawn tumours for somebody who knows neither the key nor the code.

Real gliomas beside stage-1 tumours drawn into healthy halves of gliomas' own scans, so that scanner
and brain are the same on both sides, on the template grid, each where most of its tumour is. The
pseudo-label says where that is in real scans; no truth is read.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast        # leaves its samples in OUT/work
    python benchmarks/blind_sheet.py OUT SHEET --panels 24 --seed 1

``SHEET/sheet.png`` is to be judged, ``SHEET/key.json`` tells afterwards. With real scans in it, a
sheet is subject to their terms.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from cohort import load
from numpy.typing import NDArray

COLUMNS = 6

Pair = tuple[NDArray[np.float32], NDArray[np.bool_]]  # a scan on the template grid, its tumour


def panel(pair: Pair) -> NDArray[np.float32]:
    """The axial slice with most tumour, scaled to its brain."""
    voxels, mask = pair
    level = int(mask.sum(axis=(0, 1)).argmax())
    bright = np.percentile(voxels[voxels > 0], 99.5)
    return np.clip(voxels[..., level] / bright, 0, 1)


def read(image: Path, label: Path) -> Pair:
    return load(image).astype(np.float32), load(label) > 0


def real(out: Path) -> list[Pair]:
    grid = "space-MNI152NLin2009aSym_res-2"
    found = sorted((out / "derivatives").glob(f"sub-*/anat/*_{grid}_label-L_mask.nii.gz"))
    pairs = [
        read(path.with_name(path.name.replace("label-L_mask", "desc-preproc_FLAIR")), path)
        for path in found
    ]
    return [pair for pair in pairs if pair[1].any()]


def drawn(out: Path) -> list[Pair]:
    labels = sorted((out / "work").glob("*/healthy_halves/*_label.nii"))
    pairs = [read(path.with_name(path.name.replace("_label", "_image")), path) for path in labels]
    return [pair for pair in pairs if pair[1].any()]


def write_sheet(chosen: Sequence[tuple[str, Pair]], sheet: Path, rng: random.Random) -> None:
    """Write panels in a random order, and the key: what each of them is."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shuffled = list(chosen)
    rng.shuffle(shuffled)
    rows = -(-len(shuffled) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(2.2 * COLUMNS, 2.7 * rows), facecolor="k")
    for ax in axes.ravel():
        ax.set_axis_off()
    for number, (ax, (_, pair)) in enumerate(zip(axes.ravel(), shuffled, strict=False), start=1):
        ax.imshow(panel(pair).T, cmap="gray", origin="lower", vmin=0, vmax=1)
        ax.set_title(str(number), color="w", fontsize=9)
    figure.tight_layout(pad=0.3)
    sheet.mkdir(parents=True, exist_ok=True)
    figure.savefig(sheet / "sheet.png", dpi=90)
    key = {number: kind for number, (kind, _) in enumerate(shuffled, 1)}
    (sheet / "key.json").write_text(json.dumps(key, indent=1))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--panels", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    half = options.panels // 2
    chosen = [("real", pair) for pair in rng.sample(real(options.out), half)]
    chosen += [("drawn", pair) for pair in rng.sample(drawn(options.out), options.panels - half)]
    write_sheet(chosen, options.sheet, rng)
    return 0


if __name__ == "__main__":
    sys.exit(main())
