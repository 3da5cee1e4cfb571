"""Peak memory and seconds of preprocessing scans with many voxels, one process each.

    python benchmarks/large_scans.py OUT 256x256x160 384x384x240 512x512x320

A simulated head is enlarged to each shape over the same field of view. The last line fits bytes per
voxel on top of what the libraries take.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.demo.head import simulate_head


def write_scan(folder: Path, shape: tuple[int, ...]) -> None:
    head = simulate_head(np.random.default_rng(1), 2.0, Acquisition()).image
    factors = np.array(shape) / head.shape
    values = ndimage.zoom(np.asarray(head.dataobj), factors, order=1)
    affine = head.affine @ np.diag([*(1 / factors), 1])
    path = folder / "sub-1" / "anat" / "sub-1_FLAIR.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)
    text = '{"Name": "large", "BIDSVersion": "1.10.1"}'
    (folder / "dataset_description.json").write_text(text)
    (folder / "participants.tsv").write_text("participant_id\tgroup\nsub-1\ttumour\n")


def measure(out: Path, shape: tuple[int, ...]) -> tuple[float, float]:
    name = "x".join(map(str, shape))
    bids = out / f"bids-{name}"
    write_scan(bids, shape)
    command = [sys.executable, "-m", "synthtumour_bids", str(bids), str(out / f"out-{name}")]
    command += ["participant", "--steps", "preprocess", "--profile", "fast", "--nprocs", "1"]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--work-dir", str(out / "work")])
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{name} failed")
    return usage.ru_maxrss / 1e6, time.monotonic() - start


def main() -> int:
    out = Path(sys.argv[1]).absolute()
    shapes = [tuple(map(int, text.split("x"))) for text in sys.argv[2:]]
    print("| shape | million voxels | peak memory, GB | seconds |")
    print("|---|---|---|---|")
    voxels, memory = [], []
    for shape in shapes:
        gb, seconds = measure(out, shape)
        voxels.append(float(np.prod(shape)))
        memory.append(gb)
        name = " x ".join(map(str, shape))
        print(f"| {name} | {voxels[-1] / 1e6:.0f} | {gb:.2f} | {seconds:.0f} |", flush=True)
    if len(shapes) > 1:
        slope, base = np.polyfit(voxels, memory, 1)
        print(f"{base:.2f} GB + {slope * 1e9:.0f} bytes a voxel")
    return 0


if __name__ == "__main__":
    sys.exit(main())
