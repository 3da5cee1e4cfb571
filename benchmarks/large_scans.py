"""Peak memory and seconds of each step for scans with many voxels, one process each.

    python benchmarks/large_scans.py OUT 128x128x80 256x256x160 512x512x320

A simulated head is enlarged to each shape over the same field of view, stored as scanners do (16
bits and a slope), and segmented with the starter, step by step. The last line fits bytes per voxel
on top of what the libraries take.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import processes
from scipy import ndimage

from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.demo.head import simulate_head

STEPS = ("preprocess", "segment", "report")


def write_scan(folder: Path, shape: tuple[int, ...]) -> None:
    head = simulate_head(np.random.default_rng(1), 2.0, Acquisition()).image
    factors = np.array(shape) / head.shape
    values = ndimage.zoom(np.asarray(head.dataobj), factors, order=1)
    image = nib.Nifti1Image(values, head.affine @ np.diag([*(1 / factors), 1]))
    image.set_data_dtype(np.int16)
    path = folder / "sub-1" / "anat" / "sub-1_FLAIR.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    text = '{"Name": "large", "BIDSVersion": "1.10.1"}'
    (folder / "dataset_description.json").write_text(text)
    (folder / "participants.tsv").write_text("participant_id\tgroup\nsub-1\ttumour\n")


def measure(out: Path, name: str, step: str) -> processes.Cost:
    """Run one step; those before it are done."""
    command = [sys.executable, "-m", "synthtumour_bids", str(out / f"bids-{name}")]
    command += [str(out / f"out-{name}"), "participant", "--model", "starter", "--nprocs", "1"]
    command += ["--work-dir", str(out / "work"), "--skip-bids-validation", "--steps", step]
    cost = processes.run(command)
    if cost.exit_code:
        sys.exit(f"{name} failed")
    return cost


def main() -> int:
    out = Path(sys.argv[1]).absolute()
    names = sys.argv[2:]
    rows = []
    for name in names:
        shape = tuple(map(int, name.split("x")))
        write_scan(out / f"bids-{name}", shape)
        rows.append((float(np.prod(shape)), [measure(out, name, step) for step in STEPS]))
    print(f"| scan | million voxels | {', GB | '.join(STEPS)}, GB | seconds |")
    print("|---" * (len(STEPS) + 3) + "|")
    for name, (voxels, measured) in zip(names, rows, strict=True):
        peaks = " | ".join(f"{cost.peak_gb:.2f}" for cost in measured)
        seconds = " + ".join(f"{cost.seconds:.0f}" for cost in measured)
        print(f"| {name.replace('x', ' x ')} | {voxels / 1e6:.0f} | {peaks} | {seconds} |")
    if len(rows) > 1:
        for number, step in enumerate(STEPS):
            peaks = [measured[number].peak_gb for _, measured in rows]
            slope, base = np.polyfit([voxels for voxels, _ in rows], peaks, 1)
            print(f"{step}: {base:.2f} GB + {slope * 1e9:.0f} bytes a voxel")
    return 0


if __name__ == "__main__":
    sys.exit(main())
