"""Memory that training TF-GAN with its settings for 1 mm takes.

    python benchmarks/gan_memory.py [--contrasts 1]

Two warm-up and two adversarial steps, an evaluation after each pair, on simulated 1-mm brains in
float32 on the processor. The peak of the process, less what it held before, is the figure to
compare with a GPU's memory: there, activations are in bfloat16 and take half as much.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from processes import own_peak_gb

from synthtumour_bids.synthesis.fabrication import coarse
from synthtumour_bids.synthesis.fabrication.gan_settings import FULL
from synthtumour_bids.synthesis.fabrication.gan_training import TrainingData, train
from synthtumour_bids.synthesis.fabrication.lesions import cut_out
from synthtumour_bids.synthesis.fabrication.scans import BrainScan, make_scan
from synthtumour_bids.synthesis.seeds import stream

SHAPE = (176, 216, 176)
SETTINGS = replace(FULL, warm_up=2, steps=2, evaluate_every=2, bank_draws=1)


def brain_scan(name: str, contrasts: int, tumour_mm: float = 0.0) -> BrainScan:
    """An ellipsoid with noise, and a ball in it."""
    axes = [np.linspace(-1.1, 1.1, n) for n in SHAPE]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    brain = x**2 + y**2 + z**2 < 1
    rng = np.random.default_rng(len(name))
    images = np.where(brain, 100 + rng.normal(0, 5, (contrasts, *SHAPE)), 0).astype(np.float32)
    mm = [axis * n / 2.2 for axis, n in zip((x, y, z), SHAPE, strict=True)]
    tumour = sum(axis**2 for axis in mm) < tumour_mm**2
    images[:, tumour] += 50
    return make_scan(images, brain, (1.0, 1.0, 1.0), name, tumour.astype(np.uint8))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--contrasts", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    annotated = brain_scan("annotated", options.contrasts, 30.0)
    host = brain_scan("host", options.contrasts)
    (lesion,) = cut_out(annotated)
    rng = stream(0, "host", None, purpose="coarse")
    rough = coarse.render(host, lesion, coarse.sample(rng, host, lesion))
    data = TrainingData([annotated], [annotated], [host], [rough], [rough], classes=1)
    before, start = own_peak_gb(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        train(data, SETTINGS, Path(folder), device="cpu")
    print(
        f"patches of {' x '.join(map(str, SETTINGS.patch))} voxels, {options.contrasts} "
        f"contrast(s): {own_peak_gb() - before:.1f} GB beyond {before:.1f} GB, "
        f"{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
