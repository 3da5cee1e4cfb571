"""What should be done with N annotated scans? Ways to learn from them, compared scan by scan.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast          # its preprocessing is needed
    python benchmarks/fabrication.py RESULTS --out OUT          # goes on where it stopped
    python benchmarks/fabrication.py RESULTS --device cuda --folds 0   # of RESULTS, moved elsewhere

The arms: the annotated scans alone (``plain``), with CarveMix (``carvemix``), with TF-Aug, half of
it in tumour-free scans and half in annotated ones, as the app does it (``tf-aug``), with TF-GAN's
refined samples as well (``tf-gan``); and the first and third from the weights of the starter
(``starter``, ``starter-tf``). Grid, network and number of steps are those of profile ``fast``, its
junior's; nnU-Net and its augmentation are the same in all; half of the draws are real; the last
averaged weights are kept, so that nothing selects.

The scans with truth are shared out among four folds. A fold tests its own scans; annotated are the
N that follow them in the order drawn once. So every scan is tested once for each N and arm.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import fabrication_arms as arms
import numpy as np
from fabrication_arms import Labelled, Sample
from fabrication_cohort import N_FOLDS, Cohort, open_cohort, score, take_cohort

from synthtumour_bids.files import write_json
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.initial_weights import can_start_from
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.starters import SHIPPED
from synthtumour_bids.segmentation.training import train

STARTER = SHIPPED / "starter-flair-2mm-0.1"
ARMS = ("plain", "starter", "carvemix", "tf-aug", "starter-tf", "tf-gan")
FROM_STARTER = ("starter", "starter-tf")
JUNIOR, SENIOR = PROFILES["fast"].junior, PROFILES["fast"].senior
# One long epoch: its last, averaged weights are kept, so that nothing selects.
SCHEDULE = replace(
    JUNIOR,
    epochs=1,
    iterations_per_epoch=JUNIOR.epochs * JUNIOR.iterations_per_epoch,
    patience=1,
    min_epochs=1,
)
N_RESAMPLED, INTERVAL = 10_000, (2.5, 97.5)


@dataclass(frozen=True)
class Cell:
    """One network: an arm, with n annotated scans, tested on one fold."""

    arm: str
    n: int
    fold: int
    seed: int
    results: Path

    @property
    def group(self) -> Path:
        """Folder of all arms with these annotated scans and this seed."""
        return self.results / f"n-{self.n:02d}_seed-{self.seed}_fold-{self.fold}"

    @property
    def folder(self) -> Path:
        return self.group / self.arm

    @property
    def facts(self) -> Path:
        """Written when the scans of the fold are segmented."""
        return self.folder / "facts.json"

    @property
    def scores(self) -> Path:
        return self.folder / "scores.json"

    @property
    def maps(self) -> Path:
        return self.folder / "maps"


def run(cell: Cell, cohort: Cohort, device: str, nprocs: int) -> None:
    """Train a network and segment the scans of its fold, unless that is done."""
    if cell.facts.is_file():
        return
    start = time.monotonic(), time.process_time()
    annotated, tested = cohort.fold(cell.fold, cell.n)
    real = [Labelled.of(member) for member in annotated]
    samples = synthetic(cell, cohort, real, device)
    cell.folder.mkdir(parents=True, exist_ok=True)
    from_starter = cell.arm in FROM_STARTER
    rate = SENIOR.learning_rate if from_starter else JUNIOR.learning_rate
    schedule = replace(SCHEDULE, learning_rate=rate)
    prepared = build_dataset(
        arms.cases(real, samples, cell.folder / "cases"),
        cell.folder / "dataset",
        dataset_id=700,
        name="fabrication",
        training=schedule,
        n_processes=nprocs,
    )
    if from_starter and not can_start_from(STARTER, prepared):
        raise SystemExit(f"{STARTER.name} has another network than {cell.folder}.")
    model = cell.folder / "model"
    curve = train(
        prepared,
        model,
        training=schedule,
        device=device,
        seed=cell.seed,
        nprocs=nprocs,
        initial_weights=STARTER if from_starter else None,
    )
    images = {member.label: member.image for member in tested}
    predict(model, images, cell.maps, device=device, mirroring=True, nprocs=nprocs)
    facts = {
        "annotated": [member.label for member in annotated],
        "tested": [member.label for member in tested],
        "learnt_from": {"real": len(real), "synthetic": len(samples)},
        "training_loss": curve.train_loss[-1],
        "device": device,
        "seconds": time.monotonic() - start[0],
        "cpu_seconds": time.process_time() - start[1],
    }
    write_json(cell.facts, facts)


def synthetic(cell: Cell, cohort: Cohort, real: list[Labelled], device: str) -> list[Sample]:
    """Make the synthetic scans of a cell."""
    if cell.arm in ("plain", "starter"):
        return []
    if cell.arm == "carvemix":
        return list(arms.carved(real, cell.seed))
    hosts = [Labelled.of(member) for member in cohort.hosts]
    made = arms.fabricated(real, hosts, arms.N_MADE - arms.N_MIXED, cell.seed, "train")
    samples = made + arms.fabricated(real, real, arms.N_MIXED, cell.seed, "mixed")
    if cell.arm == "tf-gan":
        gan = arms.train_gan(real, hosts, cell.group / "gan", cell.seed, device)
        if gan.helps:
            samples += arms.refined(made, gan, cell.folder)
    return samples


def test(cell: Cell, cohort: Cohort) -> None:
    """Score the masks of a cell on the scans' own grids, unless that is done."""
    if cell.scores.is_file() or not cell.facts.is_file():
        return
    _, tested = cohort.fold(cell.fold, cell.n)
    write_json(
        cell.scores, {m.label: asdict(score(m, cell.maps / f"{m.label}.nii.gz")) for m in tested}
    )


def table(cells: Sequence[Cell], other: str) -> None:
    """Print Dice and HD95 over all scans, and the difference from another arm, scan by scan."""
    print(f"| annotated | arm | scans | Dice | median | HD95, mm | empty | Dice beyond {other} |")
    print("|---|---|---|---|---|---|---|---|")
    for n in dict.fromkeys(cell.n for cell in cells):
        found = {arm: scores([c for c in cells if (c.n, c.arm) == (n, arm)]) for arm in ARMS}
        for arm, runs in found.items():
            if not runs:
                continue
            dice = {key: one["dice"] for key, one in runs.items()}
            far = [one["hd95_mm"] for one in runs.values()]
            known = [mm for mm in far if mm is not None and np.isfinite(mm)]
            others = {key: one["dice"] for key, one in found[other].items()}
            print(
                f"| {n} | {arm} | {len(dice)} | {statistics.mean(dice.values()):.3f} "
                f"| {statistics.median(dice.values()):.3f} | {statistics.mean(known):.1f} "
                f"| {len(far) - len(known)} | {'' if arm == other else beyond(dice, others)} |"
            )


def scores(cells: Sequence[Cell]) -> dict[tuple[int, str], dict[str, float]]:
    """Scores by seed and scan."""
    done = [cell for cell in cells if cell.scores.is_file()]
    return {
        (cell.seed, label): one
        for cell in done
        for label, one in json.loads(cell.scores.read_text()).items()
    }


def beyond(dice: dict[tuple[int, str], float], others: dict[tuple[int, str], float]) -> str:
    """Mean paired difference and its bootstrap interval; a scan is drawn with all its seeds.

    How networks differ that learned from the same scans is in it only as far as seeds are.
    """
    differences: dict[str, list[float]] = {}
    for key in dice.keys() & others.keys():
        differences.setdefault(key[1], []).append(dice[key] - others[key])
    if not differences:
        return "n/a"
    each = np.array([statistics.mean(values) for _, values in sorted(differences.items())])
    drawn = np.random.default_rng(0).choice(each, (N_RESAMPLED, len(each))).mean(1)
    low, high = np.percentile(drawn, INTERVAL)
    return f"{each.mean():+.3f} ({low:+.3f} to {high:+.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, help="OUT of cohort.py; without, nothing is scored")
    parser.add_argument("--n", type=int, nargs="+", default=(3, 10))
    parser.add_argument("--arms", choices=ARMS, nargs="+", default=ARMS[:-1])
    parser.add_argument("--beyond", choices=ARMS, default="plain", help="arm to compare with")
    parser.add_argument("--folds", type=int, nargs="*", default=range(N_FOLDS), help="to train")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0,))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--nprocs", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
    results = options.results.absolute()
    scans = results / "scans"
    cohort = take_cohort(options.out.absolute(), scans) if options.out else open_cohort(scans)
    cells = [
        Cell(arm, n, fold, seed, results)
        for seed in options.seeds
        for arm in ARMS
        for n in options.n
        for fold in range(N_FOLDS)
    ]
    for cell in cells:
        if cell.arm in options.arms and cell.fold in options.folds:
            run(cell, cohort, options.device, options.nprocs)
            print(cell.folder.relative_to(results), flush=True)
    if options.out:
        for cell in cells:
            test(cell, cohort)
        table(cells, options.beyond)


if __name__ == "__main__":
    main()
