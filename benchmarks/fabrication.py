"""What should be done with N annotated scans? Ways to learn from them, compared scan by scan.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast          # its preprocessing is needed
    python benchmarks/fabrication.py RESULTS --out OUT          # goes on where it stopped
    python benchmarks/fabrication.py RESULTS --device cuda --folds 0   # of RESULTS, moved elsewhere

The arms: the annotated scans alone (``plain``), with CarveMix (``carvemix``), with TF-Aug, half of
it in tumour-free scans and half in annotated ones, as the app does it but for places, which go by
brightness (``tf-aug``); the first and third from the weights of the starter (``starter``,
``starter-tf``); and the starter itself (``none``), whatever N. Grid, network and number of steps
are those of profile ``fast``, its junior's; nnU-Net and its augmentation are the same in all; half
of the draws are real; the last averaged weights are kept, so that nothing selects. Borders are as
the networks see them (``refinement.py`` tells what refining them adds to label-free ones).

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
from paired import beyond

from synthtumour_bids.files import write_json
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.initial_weights import can_start_from
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.starters import SHIPPED
from synthtumour_bids.segmentation.training import train

STARTER = SHIPPED / "starter-flair-2mm-0.1"
ARMS = ("none", "plain", "starter", "carvemix", "tf-aug", "starter-tf")
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
    facts: dict[str, object] = {"tested": [member.label for member in tested], "device": device}
    if cell.arm == "none":
        model = STARTER
    else:
        real = [Labelled.of(member) for member in annotated]
        model = cell.folder / "model"
        facts |= teach(model, cell, cohort, real, device, nprocs)
    images = {member.label: member.image for member in tested}
    predict(model, images, cell.maps, device=device, mirroring=True, nprocs=nprocs)
    facts["seconds"] = time.monotonic() - start[0]
    facts["cpu_seconds"] = time.process_time() - start[1]
    write_json(cell.facts, facts)


def teach(
    model: Path, cell: Cell, cohort: Cohort, real: list[Labelled], device: str, nprocs: int
) -> dict[str, object]:
    """Train the network of a cell, and say what it learned from."""
    samples = synthetic(cell, cohort, real)
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
    curve = train(
        prepared,
        model,
        training=schedule,
        device=device,
        seed=cell.seed,
        nprocs=nprocs,
        initial_weights=STARTER if from_starter else None,
    )
    return {
        "annotated": [one.member.label for one in real],
        "learnt_from": {"real": len(real), "synthetic": len(samples)},
        "training_loss": curve.train_loss[-1],
    }


def synthetic(cell: Cell, cohort: Cohort, real: list[Labelled]) -> list[Sample]:
    """Make the synthetic scans of a cell."""
    if cell.arm in ("plain", "starter"):
        return []
    if cell.arm == "carvemix":
        return list(arms.carved(real, cell.seed))
    hosts = [Labelled.of(member) for member in cohort.hosts]
    made = arms.fabricated(real, hosts, arms.N_MADE - arms.N_MIXED, cell.seed, "train")
    return made + arms.fabricated(real, real, arms.N_MIXED, cell.seed, "mixed")


def test(cell: Cell, cohort: Cohort) -> None:
    """Score the masks of a cell on the scans' own grids, unless that is done."""
    if cell.scores.is_file() or not cell.facts.is_file():
        return
    _, tested = cohort.fold(cell.fold, cell.n)
    write_json(
        cell.scores, {m.label: asdict(score(m, cell.maps / f"{m.label}.nii.gz")) for m in tested}
    )


def table(cells: Sequence[Cell], other: str, other_n: int | None) -> None:
    """Print Dice and HD95 over all scans, and the difference from another arm, scan by scan."""
    against = other if other_n is None else f"{other} with {other_n}"
    print(f"| annotated | arm | scans | Dice | median | HD95, mm | empty | Dice beyond {against} |")
    print("|---|---|---|---|---|---|---|---|")

    def found(arm: str, n: int) -> dict[tuple[int, str], dict[str, float]]:
        return scores([cell for cell in cells if (cell.arm, cell.n) == (arm, n)])

    for n in dict.fromkeys(cell.n for cell in cells):
        others = {key: one["dice"] for key, one in found(other, other_n or n).items()}
        for arm in ARMS:
            if not (runs := found(arm, n)):
                continue
            dice = {key: one["dice"] for key, one in runs.items()}
            far = [one["hd95_mm"] for one in runs.values()]
            known = [mm for mm in far if mm is not None and np.isfinite(mm)]
            print(
                f"| {n} | {arm} | {len(dice)} | {statistics.mean(dice.values()):.3f} "
                f"| {statistics.median(dice.values()):.3f} | {statistics.mean(known):.1f} "
                f"| {len(far) - len(known)} | {beyond(differences(dice, others))} |"
            )


def scores(cells: Sequence[Cell]) -> dict[tuple[int, str], dict[str, float]]:
    """Scores by seed and scan."""
    done = [cell for cell in cells if cell.scores.is_file()]
    return {
        (cell.seed, label): one
        for cell in done
        for label, one in json.loads(cell.scores.read_text()).items()
    }


def differences(
    dice: dict[tuple[int, str], float], others: dict[tuple[int, str], float]
) -> list[float]:
    """By scan, the mean over the seeds."""
    found: dict[str, list[float]] = {}
    for key in dice.keys() & others.keys():
        found.setdefault(key[1], []).append(dice[key] - others[key])
    return [statistics.mean(values) for _, values in sorted(found.items())]


def arm_and_number(text: str) -> tuple[str, int | None]:
    """Read ``ARM`` or ``ARM:N``."""
    arm, _, number = text.partition(":")
    if arm not in ARMS or (number and not number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(ARMS)}, or one with :N")
    return arm, int(number) if number else None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, help="OUT of cohort.py; without, nothing is scored")
    parser.add_argument("--n", type=int, nargs="+", default=(3, 10))
    parser.add_argument("--arms", choices=ARMS, nargs="+", default=ARMS)
    parser.add_argument(
        "--beyond",
        type=arm_and_number,
        default=("plain", None),
        metavar="ARM[:N]",
        help="arm to compare with, and of how many annotated scans (default: plain, of as many)",
    )
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
        table(cells, *options.beyond)


if __name__ == "__main__":
    main()
