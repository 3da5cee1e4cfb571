"""Measure the brain extraction on heads with known brain masks.

Run it as ``python benchmarks/brain_extraction.py DATASET MASKS [--template PATH]``: DATASET is a
BIDS dataset of heads, MASKS a derivative dataset with their ``*_desc-brain_mask.nii.gz``. Prints
the Dice overlap of every scan with the seconds it took, then the mean and the lowest, and writes
one mosaic per scan (found brain in red, known brain in green).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--template", help="folder of a head template; default: the embedded head")
    parser.add_argument("--only", nargs="*", help="labels of the subjects to measure")
    parser.add_argument("--mosaics", type=Path, help="folder for the pictures")
    options = parser.parse_args(argv)
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"

    import nibabel as nib
    import numpy as np

    from synthtumour_bids.preprocessing.brain import extract_brain
    from synthtumour_bids.preprocessing.templates import load_head_template
    from synthtumour_bids.synthesis.geometry import dice

    template = load_head_template(options.template or "embedded")
    dices = {}
    print(f"{'subject':24s} {'dice':>6s} {'s':>5s} {'cpu s':>5s}  flags, quality")
    for mask_path in sorted(options.masks.glob("sub-*/**/*mask.nii.gz")):
        subject = mask_path.name.split("_")[0].removeprefix("sub-")
        if options.only and subject not in options.only:
            continue
        scan_path = next(options.dataset.glob(f"sub-{subject}/**/*_FLAIR.nii.gz"))
        image = nib.load(scan_path)
        start, start_cpu = time.monotonic(), time.process_time()
        with tempfile.TemporaryDirectory() as work_dir:
            found = extract_brain(image, lambda: template, work_dir=Path(work_dir), seed=527)
        seconds, cpu = time.monotonic() - start, time.process_time() - start_cpu
        truth = nib.load(mask_path).get_fdata() > 0.5
        dices[subject] = dice(found.mask, truth)
        quality = " ".join(f"{key}={value:.3f}" for key, value in found.qc.items())
        flags = ",".join(found.flags) or "-"
        print(
            f"{subject:24s} {dices[subject]:6.3f} {seconds:5.0f} {cpu:5.0f}  {flags} {quality}",
            flush=True,
        )
        if options.mosaics:
            options.mosaics.mkdir(parents=True, exist_ok=True)
            write_mosaic(image, found.mask, truth, options.mosaics / f"{subject}.png")
    if not dices:
        print(f"no *_mask.nii.gz in {options.masks} belongs to a scan of {options.dataset}")
        return 65
    values = list(dices.values())
    print(f"mean {np.mean(values):.3f}, lowest {min(values):.3f}, of {len(values)} scans")
    return 0


def write_mosaic(image, found, truth, path: Path) -> None:
    """Draw slices in three directions with both masks' outlines."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import nibabel as nib
    import numpy as np

    canonical = [
        nib.as_closest_canonical(nib.Nifti1Image(np.asarray(a, dtype=np.float32), image.affine))
        for a in (image.get_fdata(), found, truth)
    ]
    data, found, truth = (c.get_fdata() for c in canonical)
    sizes = canonical[0].header.get_zooms()
    boxes = [np.flatnonzero(truth.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    places = [(2, 0.2), (2, 0.45), (2, 0.7), (1, 0.35), (1, 0.7), (0, 0.5), (0, 0.75)]
    figure, axes = plt.subplots(1, len(places), figsize=(2.2 * len(places), 2.4))
    for axis, (direction, fraction) in zip(axes, places, strict=True):
        index = boxes[direction][int(fraction * (len(boxes[direction]) - 1))]
        across, along = (a for a in range(3) if a != direction)
        axis.imshow(
            data.take(index, direction).T,
            cmap="gray",
            origin="lower",
            vmax=np.percentile(data[data > 0], 98),
            aspect=sizes[along] / sizes[across],
        )
        for mask, colour in ((truth, "lime"), (found, "red")):
            axis.contour(mask.take(index, direction).T, [0.5], colors=colour, linewidths=0.7)
        axis.axis("off")
    figure.tight_layout(pad=0.1)
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
