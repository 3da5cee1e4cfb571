"""Time, CPU and memory of stage 1: in memory and file to file, in 1 and 2 processes.

    python benchmarks/stage_one.py [--scan FLAIR.nii.gz] [--samples 16]

Without a scan (skull-stripped, zero outside the brain) it makes a 1-mm brain of 176 x 240 x 142
voxels itself. ``plain`` is a straightforward implementation of the published procedure, which
filters the whole volume in double precision: the figure to compare with, in the same run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np
from processes import own_peak_gb
from scipy import ndimage

from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.synthesis import stage_one
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import Box, largest_component
from synthtumour_bids.synthesis.priors import load_priors
from synthtumour_bids.synthesis.published import PublishedParams
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.shape import levels

PRIORS = load_priors("glioma", "FLAIR")


def phantom() -> nib.Nifti1Image:
    shape = (176, 240, 142)
    grid = np.meshgrid(*[np.linspace(-1.15, 1.15, n) for n in shape], indexing="ij", sparse=True)
    radius = np.sqrt(sum(g**2 for g in grid))
    rng = np.random.default_rng(0)
    image = np.where(radius > 0.85, 350, 300) + rng.normal(0, 12, shape)
    image[radius > 1] = 0
    return nib.Nifti1Image(image.astype(np.float32), np.diag([1.0, 1, 1, 1]))


def read(path: Path) -> tuple[nib.Nifti1Image, np.ndarray, tuple[float, float, float]]:
    scan = nib.load(path)
    image = np.asanyarray(scan.dataobj, dtype=np.float32)
    return scan, image, tuple(float(z) for z in scan.header.get_zooms()[:3])


@cache
def white_matter(path: Path) -> np.ndarray:
    """Stand-in for the template's white matter, which the app reads once: all but 8 mm of brain."""
    _, image, spacing = read(path)
    depth = ndimage.distance_transform_edt(image > 0, sampling=spacing)
    return np.clip(depth - 8, 0, 1).astype(np.float32)


def plain(
    image: np.ndarray, brain: np.ndarray, spacing: tuple[float, ...], params: PublishedParams
) -> tuple[np.ndarray, np.ndarray]:
    """Whole-volume version of the published training sample."""
    image = image.astype(np.float64)
    whole = Box((0, 0, 0), image.shape)
    layers = [(params.whole, params.gain)]
    if params.core is not None:
        layers.append((params.core, params.core_gain))
    blurred = ndimage.gaussian_filter(image, 5)
    out, label, allowed = image.copy(), None, brain
    for surface, gain in layers:
        mask = largest_component((levels(surface, whole, spacing) < 1) & allowed)
        soft = ndimage.gaussian_filter(mask.astype(np.float64), 1)
        out = out * (1 - soft) + gain * blurred * soft
        label = soft > 0.1 if label is None else label
        allowed = mask
    return out, label


def one(job: tuple[str, str, int, str, str]) -> tuple[float, float]:
    """Make one sample; return wall and CPU seconds of what is measured."""
    path, preset, index, where, folder = job
    rng = stream(527, "bench", None, index=index)
    white = white_matter(Path(path))
    wall, cpu = time.perf_counter(), time.process_time()
    scan, image, spacing = read(Path(path))
    brain = image > 0
    if not where.startswith("file"):
        wall, cpu = time.perf_counter(), time.process_time()
    host = Brain(image, brain, spacing, white_matter=white)
    if preset == "plain":
        params = stage_one.sample_published(rng, host, PRIORS)
        if not where.startswith("file"):
            wall, cpu = time.perf_counter(), time.process_time()
        made_image, made_label = plain(image, brain, spacing, params)
    else:
        made = stage_one.synthesise(rng, host, PRIORS, sampler=RECIPES[preset].sampler)
        made_image, made_label = made.image, made.label
    if where.startswith("file"):
        for name, data in (("image", made_image), ("label", made_label.astype(np.uint8))):
            target = Path(folder) / f"{preset}-{index}-{name}{where[4:]}"
            nib.save(nib.Nifti1Image(data, scan.affine), target)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(path: str, preset: str, where: str, n: int, processes: int, folder: str) -> None:
    jobs = [(path, preset, i, where, folder) for i in range(n)]
    context = multiprocessing.get_context("fork")
    with context.Pool(processes) as pool:
        pool.map(one, jobs[:processes], chunksize=1)  # tables that are computed once
        start = time.perf_counter()
        results = pool.map(one, jobs, chunksize=1)
        elapsed = time.perf_counter() - start
        memory = max(pool.map(peak_mb, range(processes), chunksize=1))
    wall, cpu = np.array(results).T
    print(
        f"{preset:9}  {where:12}  {processes:9}  {np.median(wall):8.3f}  {wall.max():8.3f}"
        f"  {np.median(cpu):8.3f}  {n / elapsed:9.2f}  {memory:8.0f}"
    )


def peak_mb(_: int) -> float:
    return own_peak_gb() * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--samples", type=int, default=16)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.scan or Path(folder) / "phantom.nii.gz"
        if args.scan is None:
            nib.save(phantom(), path)
        print(
            "preset     where         processes  median s     max s     cpu s  samples/s  peak MB"
        )
        for processes in (1, 2):
            for preset in ("plain", "reference", "default"):
                for where in ("memory", "file.nii.gz", "file.nii"):
                    n = 4 if preset == "plain" else args.samples
                    measure(str(path), preset, where, n, processes, folder)


if __name__ == "__main__":
    main()
