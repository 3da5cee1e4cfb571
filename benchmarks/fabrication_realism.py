"""Does TF-GAN bring synthetic lesions nearer to real ones, and does quality control keep those?

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/fabrication_realism.py RESULTS --out OUT    # both as for fabrication.py

The GANs are those of ``fabrication.py``'s cells, with the settings of profile ``fast``; what is
trained is used again, here and there. For each, samples that it never saw are put into tumour-free
scans, refined and judged. Their energy distance to the lesions of all scans that were not annotated
in the cell, of whom it knows nothing, is compared: of the coarse samples, the refined, those that
quality control keeps and drops. It is free of the bias by the number of samples, so that real
lesions would be at 0 on average; it comes from no network; see ``synthesis.fabrication.realism``.
How much nearer refined samples are than coarse ones has its standard error (jackknife over the
samples), how much nearer kept ones are than dropped ones the share of random choices of as many
that do as well.

With ``--sheets DIR``, coarse and refined samples and unseen real lesions of one cell, a third each,
are put on two sheets for people who know neither the key nor the code; see ``blind_sheet.py``.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabrication_arms as arms
import numpy as np
from blind_sheet import write_sheet
from fabrication import Cell
from fabrication_arms import Labelled, Sample
from fabrication_cohort import N_FOLDS, Cohort, open_cohort, take_cohort

from synthtumour_bids.files import write_json
from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator
from synthtumour_bids.synthesis.fabrication.realism import Reference, describe

N_SAMPLES = 40
N_SHUFFLES = 2000
N_SHOWN = 8  # of each kind on a sheet
LEAST = 3  # lesions of a set, to have a distance
KINDS = ("coarse", "refined", "kept", "dropped")
Described = np.ndarray  # (samples, 2, F): lesion and rim of each; see realism.describe


@dataclass(frozen=True, eq=False)
class Trained:
    """The GAN of a cell, with what it learned from, and samples and lesions that it never saw."""

    gan: Fabricator
    seconds: float
    real: list[Labelled]
    samples: list[Sample]  # coarse
    unseen: list[Labelled]

    @classmethod
    def of(cls, cell: Cell, cohort: Cohort) -> Trained:
        """Train the GAN of a cell, or take it as it is."""
        annotated, _ = cohort.fold(cell.fold, cell.n)
        taught = {member.label for member in annotated}
        real = [Labelled.of(member) for member in annotated]
        hosts = [Labelled.of(member) for member in cohort.hosts]
        start = time.monotonic()
        gan = arms.train_gan(real, hosts, cell.group / "gan", cell.seed)
        seconds = time.monotonic() - start
        samples = arms.fabricated(real, hosts, N_SAMPLES, cell.seed, "realism")
        unseen = [Labelled.of(one) for one in cohort.scans if one.label not in taught]
        return cls(gan, seconds, real, samples, unseen)


def measure(cell: Cell, cohort: Cohort) -> dict[str, object]:
    """Measure what the GAN of a cell does to samples that it never saw."""
    trained = Trained.of(cell, cohort)
    gan, reach = trained.gan, trained.gan.settings.gate_mm
    refined = [gan.refine(one.made) for one in trained.samples]
    kept = np.array([gan.judge(one).accepted for one in refined])
    unseen, real = ([one.scan for one in many] for many in (trained.unseen, trained.real))
    reference = Reference.of(unseen, real, 1, reach)
    before, after = (
        np.stack([describe(scan, 1, reach) for scan in scans])
        for scans in ([one.made for one in trained.samples], refined)
    )
    sets = dict(zip(KINDS, (before, after, after[kept], after[~kept]), strict=True))
    return {
        "helps": gan.helps,
        "best_step": gan.best_step,
        "evaluated": [[entry["step"], entry["distance"]] for entry in gan.history],
        "seconds": trained.seconds,
        "counts": {name: len(scans) for name, scans in sets.items()},
        "distances": {name: distance(reference, scans) for name, scans in sets.items()},
        "nearer": nearer(reference, before, after),
        "chance": chance(reference, after, kept, cell.seed),
    }


def sheets(cell: Cell, cohort: Cohort, folder: Path) -> None:
    """Two sheets with real lesions: each sample is coarse on one, and refined on the other."""
    trained, rng = Trained.of(cell, cohort), random.Random(cell.seed)
    chosen = rng.sample(trained.samples, 2 * N_SHOWN)
    halves = chosen[:N_SHOWN], chosen[N_SHOWN:]
    for number, (coarse, refined) in enumerate((halves, halves[::-1]), 1):
        pairs = [("coarse", one.made, one.host) for one in coarse]
        pairs += [("refined", trained.gan.refine(one.made), one.host) for one in refined]
        pairs += [("real", one.scan, one) for one in rng.sample(trained.unseen, N_SHOWN)]
        shown = [(kind, (host.own(made), made.classes > 0)) for kind, made, host in pairs]
        write_sheet(shown, folder / str(number), rng)


def distance(reference: Reference, described: Described) -> float | None:
    if len(described) < LEAST:
        return None
    return reference.distance(described, unbiased=True)[0]


def nearer(reference: Reference, before: Described, after: Described) -> tuple[float, float]:
    """How much nearer refined samples are than the same coarse ones, and its standard error."""

    def gain(chosen: slice | np.ndarray) -> float:
        one, other = (
            reference.distance(samples[chosen], unbiased=True)[0] for samples in (before, after)
        )
        return one - other

    count = len(before)
    without = np.array([gain(np.arange(count) != index) for index in range(count)])
    error = np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2))
    return gain(slice(None)), float(error)


def chance(reference: Reference, refined: Described, kept: np.ndarray, seed: int) -> float | None:
    """Share of random choices of samples that are as much nearer than the rest as the kept are."""
    if not LEAST <= kept.sum() <= len(kept) - LEAST:
        return None
    rng = np.random.default_rng(seed)

    def gain(chosen: np.ndarray) -> float:
        one, other = (
            reference.distance(refined[which], unbiased=True)[0] for which in (~chosen, chosen)
        )
        return one - other

    found = gain(kept)
    as_good = sum(gain(rng.permutation(kept)) >= found for _ in range(N_SHUFFLES))
    return (1 + as_good) / (1 + N_SHUFFLES)


def table(found: dict[Cell, dict[str, Any]]) -> None:
    columns = "nearer by | kept | by chance | helps | step"
    print(f"| annotated | fold | {' | '.join(KINDS)} | {columns} |")
    print("|---" * (len(KINDS) + 7) + "|")
    for cell, one in found.items():
        distances = [one["distances"][kind] for kind in KINDS]
        words = ["n/a" if value is None else f"{value:.3f}" for value in distances]
        gain, error = one["nearer"]
        likely = "n/a" if one["chance"] is None else f"{one['chance']:.3f}"
        print(
            f"| {cell.n} | {cell.fold} | {' | '.join(words)} | {gain:+.3f} ± {error:.3f} | "
            f"{one['counts']['kept']} of {one['counts']['refined']} | {likely} | {one['helps']} "
            f"| {one['best_step']} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, help="OUT of cohort.py; without, RESULTS has its scans")
    parser.add_argument("--n", type=int, nargs="+", default=(3, 10))
    parser.add_argument("--folds", type=int, nargs="*", default=range(N_FOLDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheets", type=Path, help="folder; of the first n and fold")
    options = parser.parse_args()
    results = options.results.absolute()
    scans = results / "scans"
    cohort = take_cohort(options.out.absolute(), scans) if options.out else open_cohort(scans)
    if options.sheets:
        cell = Cell("tf-gan", options.n[0], options.folds[0], options.seed, results)
        sheets(cell, cohort, options.sheets)
        return
    found = {}
    for n in options.n:
        for fold in options.folds:
            cell = Cell("tf-gan", n, fold, options.seed, results)
            path = cell.group / "realism.json"
            if not path.is_file():
                write_json(path, measure(cell, cohort))
            found[cell] = json.loads(path.read_text())
    table(found)


if __name__ == "__main__":
    main()
