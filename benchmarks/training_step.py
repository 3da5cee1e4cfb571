"""Seconds, memory and disk of training: per step, per scored case, per prepared case.

    python benchmarks/training_step.py --profile fast --nprocs 2 --steps 20

Trains on synthetic brains of the profile's grid in a temporary folder. CPU seconds hardly depend
on what else the machine does; wall-clock seconds do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from processes import own_peak_gb
from scipy import ndimage

from synthtumour_bids.profiles import PROFILES, Training
from synthtumour_bids.segmentation.dataset import Case, PreparedDataset, build_dataset
from synthtumour_bids.segmentation.environment import (
    loader_workers,
    nnunet_environment,
    resolve_device,
    torch_threads,
)
from synthtumour_bids.segmentation.plans import CONFIGURATION
from synthtumour_bids.segmentation.trainer import SynthTumourTrainer

GRID_MM = (196.0, 232.0, 188.0)  # about the template's field of view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=sorted(PROFILES), default="fast")
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--nprocs", type=int, default=2)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    profile = PROFILES[arguments.profile]
    training = replace(profile.junior, iterations_per_epoch=arguments.steps + 2)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        began = time.perf_counter()
        cases = write_cases(folder / "cases", arguments.cases, profile.resolution)
        written = time.perf_counter()
        prepared = build_dataset(
            cases, folder, dataset_id=900, name="bench", training=training,
            n_processes=arguments.nprocs,
        )  # fmt: skip
        done = time.perf_counter()
        print(f"planning and preprocessing {len(cases)} cases: {done - written:.1f} s "
              f"(writing them: {written - began:.1f} s); a case takes "
              f"{megabytes(folder / 'cases') / len(cases):.1f} MB as written and "
              f"{megabytes(prepared.folder) / len(cases):.1f} MB prepared")  # fmt: skip
        measure(prepared, training, arguments.device, arguments.nprocs)


def write_cases(folder: Path, n: int, resolution: float) -> list[Case]:
    folder.mkdir(parents=True, exist_ok=True)
    shape = tuple(round(mm / resolution) for mm in GRID_MM)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, s) for s in shape], indexing="ij"))
    brain = ((grid / np.array([0.72, 0.75, 0.74])[:, None, None, None]) ** 2).sum(0) < 1
    cases = []
    for i in range(n):
        rng = np.random.default_rng(i)
        image = 100 + 15 * ndimage.gaussian_filter(rng.normal(size=shape), 2) * 10
        centre = rng.uniform(-0.4, 0.4, 3)[:, None, None, None]
        label = brain & (((grid - centre) ** 2).sum(0) < rng.uniform(0.15, 0.35) ** 2)
        image = np.where(brain, image * np.where(label, 1.8, 1.0), 0).astype(np.float32)
        affine = np.diag([resolution] * 3 + [1.0])
        paths = folder / f"case{i:03d}.nii", folder / f"case{i:03d}_label.nii"
        nib.save(nib.Nifti1Image(image, affine), paths[0])
        nib.save(nib.Nifti1Image(label.astype(np.uint8), affine), paths[1])
        cases.append(Case(f"case{i:03d}", *paths, validation=i % 4 == 3))
    return cases


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def measure(prepared: PreparedDataset, training: Training, device: str, nprocs: int) -> None:
    on = resolve_device(device)
    with nnunet_environment(prepared.folder), torch_threads(nprocs):
        trainer = SynthTumourTrainer(
            prepared.plans(), CONFIGURATION, 0, prepared.dataset_json(), on
        )
        trainer.set_up(training)
        trainer.open_data()
        n_weights = sum(p.numel() for p in trainer.network.parameters())
        patch = trainer.configuration_manager.patch_size
        workers = loader_workers(nprocs, on, 8 * int(np.prod(patch)) * trainer.batch_size)
        waited, stepped, cpu_data, cpu_step = [], [], [], []
        batches = iter(trainer.batches(0, 0, 0, workers))
        for i in range(training.iterations_per_epoch):
            t0, c0 = time.perf_counter(), time.process_time()
            batch = next(batches)
            t1, c1 = time.perf_counter(), time.process_time()
            trainer.step(batch, i)
            t2, c2 = time.perf_counter(), time.process_time()
            if i >= 2:  # the first ones set up memory and kernels
                waited.append(t1 - t0)
                stepped.append(t2 - t1)
                cpu_data.append(c1 - c0)
                cpu_step.append(c2 - c1)
        t0, c0 = time.perf_counter(), time.process_time()
        trainer.score()
        scored, cpu_scored = time.perf_counter() - t0, time.process_time() - c0
    total = np.mean(waited) + np.mean(stepped)
    n_shifted = len(prepared.validation)
    print(
        f"{on}, {nprocs} threads, {workers} data workers; batch {trainer.batch_size}, "
        f"patch {patch} (Z, Y, X), features {training.features}, {n_weights / 1e6:.2f} M weights\n"
        f"  step: {total:.2f} s (median {np.median(np.add(waited, stepped)):.2f}), of it waiting "
        f"for data {100 * np.mean(waited) / total:.0f} %\n"
        f"  CPU seconds of this process: {np.mean(cpu_step):.2f} network, "
        f"{np.mean(cpu_data):.2f} data\n"
        f"  scoring: {scored / n_shifted:.2f} s a case ({cpu_scored / n_shifted:.2f} CPU s)\n"
        f"  peak memory of this process: {own_peak_gb():.1f} GB"
    )
    if on.type == "cuda":
        tensors = torch.cuda.max_memory_allocated(on) / 1e9
        print(f"  peak memory of tensors on the GPU: {tensors:.1f} GB")


if __name__ == "__main__":
    main()
