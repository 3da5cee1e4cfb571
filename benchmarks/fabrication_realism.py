"""Does TF-GAN bring synthetic lesions nearer to real ones, and does quality control keep those?

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/fabrication_realism.py RESULTS --out OUT    # both as for fabrication.py

The 20 scans with truth are turned as in ``fabrication.py``. In each of four turns a GAN, with the
settings of profile ``fast``, learns from ten annotated scans; the lesions of five others judge it
and choose what is kept, as in the app where 15 or more persons are annotated; and of the last five
nothing is known to it. Samples that it never saw are put into tumour-free scans, refined and
judged, and their energy distance to the lesions of those five is compared: of the coarse samples,
the refined, those that quality control keeps and drops. It is free of the bias by the number of
samples, so that real lesions would be at 0 on average; it comes from no network; see
``synthesis.fabrication.realism``. How much nearer refined samples are than coarse ones has its
standard error, by the jackknife over the scans whose lesions are in the samples and over the five;
how much nearer kept ones are than dropped ones the share of random choices of as many that do as
well. What is trained and measured is used again.

With ``--sheets DIR``, coarse and refined samples and real lesions of the first turn, a third each,
are put on two sheets for people who know neither the key nor the code; see ``blind_sheet.py``.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fabrication_arms as arms
import numpy as np
from blind_sheet import write_sheet
from fabrication_arms import Labelled, Sample
from fabrication_cohort import N_FOLDS, Cohort, open_cohort, take_cohort

from synthtumour_bids.files import write_json
from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator
from synthtumour_bids.synthesis.fabrication.gan_settings import FAST
from synthtumour_bids.synthesis.fabrication.gan_training import TrainingData, train
from synthtumour_bids.synthesis.fabrication.realism import Reference, describe

N_LEARNED = 10  # annotated scans that a GAN learns from; those left judge it
N_COARSE = 60  # samples that it learns from
N_EVALUATED = 12  # that every evaluation of it refines
WORKERS = 2  # processes that prepare its patches where a GPU trains
N_SAMPLES = 40  # that nobody has seen
N_SHUFFLES = 2000
N_SHOWN = 8  # of each kind on a sheet
LEAST = 3  # lesions of a set, to have a distance
KINDS = ("coarse", "refined", "kept", "dropped")
Described = np.ndarray  # (samples, 2, F): lesion and rim of each; see realism.describe


@dataclass(frozen=True, eq=False)
class Trained:
    """A GAN with what it learned from, and samples and lesions that it never saw."""

    gan: Fabricator
    seconds: float
    real: list[Labelled]
    samples: list[Sample]  # coarse
    unseen: list[Labelled]

    @classmethod
    def of(cls, cohort: Cohort, turn: int, folder: Path, device: str) -> Trained:
        """Train the GAN of a turn, or take it as it is."""
        annotated, unseen = cohort.fold(turn, len(cohort.scans) * (N_FOLDS - 1) // N_FOLDS)
        everybody = [Labelled.of(member) for member in annotated]
        real, judges = everybody[:N_LEARNED], everybody[N_LEARNED:]
        hosts = [Labelled.of(member) for member in cohort.hosts]
        start = time.monotonic()
        gan = train_gan(real, judges, hosts, folder, device)
        seconds = time.monotonic() - start
        samples = arms.fabricated(real, hosts, N_SAMPLES, 0, "realism")
        return cls(gan, seconds, real, samples, [Labelled.of(member) for member in unseen])


def train_gan(
    real: Sequence[Labelled],
    judges: Sequence[Labelled],
    hosts: Sequence[Labelled],
    folder: Path,
    device: str,
) -> Fabricator:
    """Train TF-GAN on the first, judged by the second; go on where an earlier call ended."""
    # A side's coarse samples carry its own lesions: how lesions differ must not count.
    learnt, evaluated = (
        [sample.made for sample in arms.fabricated(side, hosts, count, 0, f"gan {purpose}")]
        for side, count, purpose in (
            (real, N_COARSE, "train"),
            (judges, N_EVALUATED, "judge"),
        )
    )
    data = TrainingData(
        real=[one.scan for one in real],
        real_held_out=[one.scan for one in judges],
        hosts=[host.scan for host in hosts],
        coarse=learnt,
        coarse_held_out=evaluated,
        classes=1,
    )
    labels = " ".join(one.member.label for one in (*real, *judges))
    settings = replace(FAST, workers=0 if device == "cpu" else WORKERS)
    return train(data, settings, folder, recipe=labels, device=device)


def measure(trained: Trained) -> dict[str, object]:
    """Measure what a GAN does to samples that it never saw."""
    gan, reach = trained.gan, trained.gan.settings.gate_mm
    refined = [gan.refine(one.made) for one in trained.samples]
    kept = np.array([gan.helps and gan.judge(one).accepted for one in refined])
    unseen, real = ([one.scan for one in many] for many in (trained.unseen, trained.real))
    reference = Reference.of(unseen, real, 1, reach)
    before, after = (
        np.stack([describe(scan, 1, reach) for scan in scans])
        for scans in ([one.made for one in trained.samples], refined)
    )
    sets = dict(zip(KINDS, (before, after, after[kept], after[~kept]), strict=True))
    donors = np.array([one.donor for one in trained.samples])
    return {
        "helps": gan.helps,
        "best_step": gan.best_step,
        "evaluated": [[entry["step"], entry["distance"]] for entry in gan.history],
        "seconds": trained.seconds,
        "counts": {name: len(scans) for name, scans in sets.items()},
        "distances": {name: distance(reference, scans) for name, scans in sets.items()},
        "nearer": nearer(reference, before, after, donors),
        "chance": chance(reference, after, kept),
    }


def sheets(trained: Trained, folder: Path) -> None:
    """Two sheets with real lesions: each sample is coarse on one, and refined on the other."""
    rng = random.Random(0)
    chosen = rng.sample(trained.samples, 2 * N_SHOWN)
    real = [*trained.unseen, *trained.real]
    halves = chosen[:N_SHOWN], chosen[N_SHOWN:]
    for number, (coarse, refined) in enumerate((halves, halves[::-1]), 1):
        pairs = [("coarse", one.made, one.host) for one in coarse]
        pairs += [("refined", trained.gan.refine(one.made), one.host) for one in refined]
        pairs += [("real", one.scan, one) for one in rng.sample(real, N_SHOWN)]
        shown = [(kind, (host.own(made), made.classes > 0)) for kind, made, host in pairs]
        write_sheet(shown, folder / str(number), rng)


def distance(reference: Reference, described: Described) -> float | None:
    if len(described) < LEAST:
        return None
    return reference.distance(described, unbiased=True)[0]


def nearer(
    reference: Reference, before: Described, after: Described, donors: np.ndarray
) -> tuple[float, float]:
    """How much nearer refined samples are than the same coarse ones, and its standard error."""

    def gain(to: Reference, chosen: np.ndarray) -> float:
        one, other = (to.distance(samples[chosen], unbiased=True)[0] for samples in (before, after))
        return one - other

    everything = np.ones(len(before), bool)
    by_donor = [gain(reference, donors != donor) for donor in np.unique(donors)]
    by_lesion = [
        gain(replace(reference, lesions=np.delete(reference.lesions, i, 0)), everything)
        for i in range(len(reference.lesions))
    ]
    variance = sum((len(g) - 1) * np.var(g) for g in (by_donor, by_lesion))  # jackknife
    return gain(reference, everything), float(np.sqrt(variance))


def chance(reference: Reference, refined: Described, kept: np.ndarray) -> float | None:
    """Share of random choices of samples that are as much nearer than the rest as the kept are."""
    if not LEAST <= kept.sum() <= len(kept) - LEAST:
        return None
    rng = np.random.default_rng(0)

    def gain(chosen: np.ndarray) -> float:
        one, other = (
            reference.distance(refined[which], unbiased=True)[0] for which in (~chosen, chosen)
        )
        return one - other

    found = gain(kept)
    as_good = sum(gain(rng.permutation(kept)) >= found for _ in range(N_SHUFFLES))
    return (1 + as_good) / (1 + N_SHUFFLES)


def table(found: dict[int, dict[str, Any]]) -> None:
    print(f"| turn | {' | '.join(KINDS)} | nearer by | kept | by chance | helps | step |")
    print("|---" * (len(KINDS) + 6) + "|")
    for turn, one in found.items():
        distances = [one["distances"][kind] for kind in KINDS]
        words = ["n/a" if value is None else f"{value:.3f}" for value in distances]
        gain, error = one["nearer"]
        likely = "n/a" if one["chance"] is None else f"{one['chance']:.3f}"
        print(
            f"| {turn} | {' | '.join(words)} | {gain:+.3f} ± {error:.3f} | "
            f"{one['counts']['kept']} of {one['counts']['refined']} | {likely} | {one['helps']} "
            f"| {one['best_step']} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, help="OUT of cohort.py; without, RESULTS has its scans")
    parser.add_argument("--turns", type=int, nargs="*", default=range(N_FOLDS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--sheets", type=Path, help="folder; of the first turn")
    options = parser.parse_args()
    results = options.results.absolute()
    scans = results / "scans"
    cohort = take_cohort(options.out.absolute(), scans) if options.out else open_cohort(scans)
    found = {}
    for turn in options.turns:
        path = results / f"realism-{turn}" / "realism.json"
        if not path.is_file() or options.sheets:
            trained = Trained.of(cohort, turn, path.parent, options.device)
            if options.sheets:
                sheets(trained, options.sheets)
                return
            write_json(path, measure(trained))
        found[turn] = json.loads(path.read_text())
    table(found)


if __name__ == "__main__":
    main()
