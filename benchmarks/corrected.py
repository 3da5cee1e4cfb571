"""What masks of a few scans, given as ``--corrections``, add to the label-free method.

The scans of a cohort with a truth (see ``cohort.py``) are shared out among folds as in
``fabrication.py``. In each fold the app learns without the fold's scans (``--hold-out``), with the
truth of n others as corrected masks, and its senior is scored on the fold's. So every scan is
scored once for each n, and n = 0, the label-free method, is the baseline, scan by scan. The n are
those of ``fabrication.py``; of them, those who choose the senior's epoch teach nothing. What is
gained in the scans whose masks taught is told beside it.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/corrected.py run OUT --n 0 3 10 --profile fast
    python benchmarks/corrected.py table OUT

Scans are preprocessed once, in ``OUT/preprocessed``. Given again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cohort
import numpy as np
from fabrication_cohort import N_FOLDS, SPLIT_SEED
from paired import beyond

CARD = "derivatives/models/senior/model.json"


def fold_of(number: int, n: int) -> tuple[list[str], list[str]]:
    """Labels of the n scans whose masks are given, and of those that are tested."""
    labels = sorted(cohort.truths(cohort.cohort_folder()))
    order = np.random.default_rng(SPLIT_SEED).permutation(labels).tolist()
    size = len(order) // N_FOLDS
    turned = order[number * size :] + order[: number * size]
    return turned[size : size + n], turned[:size]


def run(out: Path, counts: Sequence[int], folds: Sequence[int], more: list[str]) -> int:
    begun = out / "preprocessed"
    if code := cohort.run(begun, more, ["preprocess"]):
        return code
    for number in folds:
        for n in counts:
            given, tested = fold_of(number, n)
            cell = out / f"fold-{number}_n-{n:02d}"
            if not cell.is_dir():
                unfinished = cell.with_suffix(".part")
                shutil.rmtree(unfinished, ignore_errors=True)
                shutil.copytree(begun / "derivatives", unfinished / "derivatives")
                for label in given:
                    mask = cohort.truths(cohort.cohort_folder())[label]
                    there = unfinished / "corrections" / f"sub-{label}" / "anat" / mask.name
                    there.parent.mkdir(parents=True)
                    shutil.copyfile(mask, there)
                unfinished.rename(cell)
            options = ["--corrections", str(cell / "corrections")] if given else []
            if code := cohort.run(cell, [*more, *options], hold_out=tested):
                return code
            shutil.rmtree(cell / "work", ignore_errors=True)
    return table(out)


@dataclass(frozen=True)
class Fold:
    """Dice with n masks and without, in the scans that a fold tests and in those that taught."""

    tested: dict[str, tuple[float, float]]
    taught: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, out: Path, number: int, n: int) -> Fold:
        """Read what was scored."""
        given, tested = fold_of(number, n)
        cells = [out / f"fold-{number}_n-{count:02d}" for count in (n, 0)]
        own, bare = (cohort.scores(cell, "label-L_mask") for cell in cells)
        card = json.loads((cells[0] / CARD).read_text()) if (cells[0] / CARD).is_file() else {}
        uris = " ".join(card.get("Corrections", {}).get("Scans", ()))
        both = {label: (own[label], bare[label]) for label in own.keys() & bare}
        return cls(
            {label: both[label] for label in tested if label in both},
            {label: both[label] for label in given if label in both and f"sub-{label}_" in uris},
        )


def table(out: Path) -> int:
    """Print Dice with masks and without, and the differences with their bootstrap intervals."""
    print("| masks given | of these taught | scans | Dice | without | beyond | scans that taught |")
    print("|---|---|---|---|---|---|---|")
    for n in sorted({int(cell.name[-2:]) for cell in out.glob("fold-*_n-??")} - {0}):
        folds = [
            Fold.of(out, int(cell.name.split("_")[0].split("-")[1]), n)
            for cell in sorted(out.glob(f"fold-*_n-{n:02d}"))
        ]
        tested = [pair for fold in folds for pair in fold.tested.values()]
        taught = [own - bare for fold in folds for own, bare in fold.taught.values()]
        own, bare = (statistics.mean(dice) for dice in zip(*tested, strict=True))
        print(
            f"| {n} | {', '.join(str(len(fold.taught)) for fold in folds)} | {len(tested)} "
            f"| {own:.3f} | {bare:.3f} | {beyond([one - other for one, other in tested])} "
            f"| {beyond(taught)}, {len(taught)} scans |"
        )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--n", type=int, nargs="+", default=(0, 3, 10), help="up to 15")
    parser.add_argument("--folds", type=int, nargs="+", default=range(N_FOLDS))
    options, more = parser.parse_known_args()  # the rest is the app's
    out = options.out.absolute()
    if options.what == "table":
        return table(out)
    return run(out, options.n, options.folds, more)


if __name__ == "__main__":
    sys.exit(main())
