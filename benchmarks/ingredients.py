"""Time of one sample with each ingredient, in memory, beside one without any.

    python benchmarks/ingredients.py [--resolution 2] [--samples 20]

Seconds of one processor core: of wall time and of CPU time, the median and the longest, over
simulated heads. ``all`` has every ingredient as often as it is drawn; each line of one ingredient
has it in every sample.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from synthtumour_bids.ingredients import mix
from synthtumour_bids.ingredients.atlas import load_atlas
from synthtumour_bids.preprocessing.templates import standard_brain, standard_tissues
from synthtumour_bids.simulation.head import render, sample
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.priors import load_priors
from synthtumour_bids.synthesis.seeds import stream

PRIORS = load_priors("glioma", "FLAIR")
HEADS = 4


def hosts(resolution: float) -> list[Brain]:
    grid, tissues = standard_brain(resolution), standard_tissues(resolution)
    made = []
    for index in range(HEADS):
        head = render(sample(stream(527, "bench", index=index)), grid.shape, grid.affine)
        placement = tissues["gm"] + tissues["wm"]
        size = (resolution,) * 3
        made.append(Brain(head.image, head.mask, size, tissues["wm"], placement))
    return made


def certainly(name: str, rng: np.random.Generator) -> object:
    draw = mix.CUES[name] if name in mix.CUES else mix.DISTRACTORS[name][0]
    return next(params for params in (draw(rng) for _ in range(1000)) if params is not None)


def measure(name: str, samples: int, make: Callable[[int], None]) -> None:
    make(0)  # tables that are computed once
    wall, cpu = [], []
    for index in range(samples):
        start = time.perf_counter(), time.process_time()
        make(index)
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    print(
        f"{name:16}  {np.median(wall):8.3f}  {max(wall):8.3f}  {np.median(cpu):8.3f}"
        f"  {max(cpu):8.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resolution", type=float, default=2.0)
    parser.add_argument("--samples", type=int, default=20)
    args = parser.parse_args()
    brains = hosts(args.resolution)
    grid = standard_brain(args.resolution)
    atlas = load_atlas(grid.shape, grid.affine)
    print(f"{'ingredients':16}  median s     max s     cpu s   max cpu")
    for name in ("none", *mix.INGREDIENTS, "all"):
        several = {"none": (), "all": mix.INGREDIENTS}.get(name, ())

        def make(index: int, name: str = name, several: tuple[str, ...] = several) -> None:
            host, rng = brains[index % HEADS], stream(527, "bench", name, index=index)
            mixed = mix.sample(stream(527, "bench", index=index), host, PRIORS, several)
            if name in mix.INGREDIENTS:
                mixed = replace(mixed, parts={name: certainly(name, rng)})
            mix.render(host, atlas, mixed)

        measure(name, args.samples, make)


if __name__ == "__main__":
    main()
