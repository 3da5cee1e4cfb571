"""What masks of a few scans, given as ``--corrections``, add to the label-free method.

The scans of a cohort with a truth (see ``cohort.py``) are shared out among folds as in
``fabrication.py``. In each fold the app learns without the fold's scans (``--hold-out``), with the
truth of n others as corrected masks, and its senior is scored on the fold's. So every scan is
scored once for each n, and n = 0, the label-free method, is the baseline, scan by scan. The n are
those of ``fabrication.py``; of them, those who choose the senior's epoch teach nothing.

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
from pathlib import Path

import cohort
import numpy as np
from fabrication_cohort import N_FOLDS, SPLIT_SEED
from paired import beyond

Dice = dict[str, float]  # of the senior, by scan
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


def scored(out: Path) -> dict[int, Dice]:
    """Dice of the tested scans, by n."""
    found: dict[int, Dice] = {}
    for cell in sorted(out.glob("fold-*_n-??")):
        number, n = (int(part.split("-")[1]) for part in cell.name.split("_"))
        _, tested = fold_of(number, n)
        scores = cohort.scores(cell, "label-L_mask")
        found.setdefault(n, {}).update({k: v for k, v in scores.items() if k in tested})
    return found


def table(out: Path) -> int:
    """Print Dice, and what it is beyond that without any mask, with its bootstrap interval.

    Masks of persons who choose the senior's epoch teach nothing.
    """
    found = scored(out)
    print("| masks given | of these taught | scans | Dice | median | beyond none, same scans |")
    print("|---|---|---|---|---|---|")
    for n, dice in sorted(found.items()):
        if not dice:
            continue
        cards = [
            json.loads(path.read_text()) for path in sorted(out.glob(f"fold-*_n-{n:02d}/{CARD}"))
        ]
        taught = ", ".join(str(card.get("Corrections", {}).get("Count", 0)) for card in cards)
        both = sorted(dice.keys() & found.get(0, {}).keys()) if n else []
        more = f"{beyond([dice[x] - found[0][x] for x in both])}, {len(both)} scans" if n else ""
        values = dice.values()
        print(
            f"| {n} | {taught} | {len(dice)} | {statistics.mean(values):.3f} | "
            f"{statistics.median(values):.3f} | {more} |"
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
