"""Does TF-GAN bring synthetic lesions nearer to real ones, and does quality control keep those?

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/fabrication_realism.py RESULTS --out OUT    # both as for fabrication.py

The GANs are those of ``fabrication.py``'s cells, with the settings of profile ``fast``; what is
trained is used again, here and there. For each, samples that it never saw are put into tumour-free
scans, refined and judged. Their energy distance to the lesions of all scans that were not annotated
in the cell, of whom it knows nothing, is compared: of the coarse samples, the refined, those that
quality control keeps and drops; and of real lesions to each other, half against half, which is the
least that can be expected. A distance comes from no network; see ``synthesis.fabrication.realism``.

With ``--sheets DIR``, coarse and refined samples and unseen real lesions of one cell, a third each,
are put on two sheets for people who know neither the key nor the code; see ``blind_sheet.py``.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import fabrication_arms as arms
import numpy as np
from blind_sheet import write_sheet
from fabrication import Cell
from fabrication_arms import Labelled, Sample
from fabrication_cohort import N_FOLDS, Cohort, open_cohort, take_cohort

from synthtumour_bids.files import write_json
from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator
from synthtumour_bids.synthesis.fabrication.realism import Reference, describe
from synthtumour_bids.synthesis.fabrication.scans import BrainScan

N_SAMPLES = 40
N_SPLITS = 200  # of the real lesions into halves
N_SHOWN = 8  # of each kind on a sheet
LEAST = 3  # lesions of a set, to have a distance
KINDS = ("coarse", "refined", "kept", "dropped", "real")


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
    gan, real = trained.gan, trained.real
    coarse = [one.made for one in trained.samples]
    refined = [gan.refine(one) for one in coarse]
    kept = [gan.judge(one).accepted for one in refined]
    reach = gan.settings.gate_mm
    unseen = [one.scan for one in trained.unseen]
    reference = Reference.of(unseen, [one.scan for one in real], 1, reach)
    sets = {
        "coarse": coarse,
        "refined": refined,
        "kept": [one for one, good in zip(refined, kept, strict=True) if good],
        "dropped": [one for one, good in zip(refined, kept, strict=True) if not good],
    }
    return {
        "helps": gan.helps,
        "best_step": gan.best_step,
        "evaluated": [[entry["step"], entry["distance"]] for entry in gan.history],
        "seconds": trained.seconds,
        "counts": {name: len(scans) for name, scans in sets.items()},
        "distances": {name: distance(reference, scans, reach) for name, scans in sets.items()}
        | {"real": among_themselves(reference, cell.seed)},
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


def distance(reference: Reference, scans: Sequence[BrainScan], reach: float) -> float | None:
    if len(scans) < LEAST:
        return None
    return reference.distance(np.stack([describe(scan, 1, reach) for scan in scans]))[0]


def among_themselves(reference: Reference, seed: int) -> float:
    """Mean distance of one half of the real lesions to the other."""
    rng, lesions = np.random.default_rng(seed), reference.lesions
    found = []
    for _ in range(N_SPLITS):
        order = rng.permutation(len(lesions))
        one, other = np.array_split(order, 2)
        found.append(Reference(lesions[one], reference.spread).distance(lesions[other])[0])
    return float(np.mean(found))


def table(found: dict[Cell, dict]) -> None:
    print(f"| annotated | fold | {' | '.join(KINDS)} | kept | helps | step | minutes |")
    print("|---" * (len(KINDS) + 6) + "|")
    for cell, one in found.items():
        distances = [one["distances"][kind] for kind in KINDS]
        words = ["n/a" if value is None else f"{value:.3f}" for value in distances]
        print(
            f"| {cell.n} | {cell.fold} | {' | '.join(words)} | {one['counts']['kept']} of "
            f"{one['counts']['refined']} | {one['helps']} | {one['best_step']} "
            f"| {one['seconds'] / 60:.0f} |"
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
