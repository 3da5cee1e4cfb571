"""What is marked in tumour-free scans that no network has seen: cross-fitting over their people.

The tumour-free participants of a cohort (see ``cohort.py``) are shared out among folds. For each
fold the app learns without its participants (``--hold-out``) and segments them, so that each scan
is judged once, by networks that have never seen it; the gliomas are segmented in every fold.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/crossfit.py run OUT --folds 3 --same A:B C:D --profile fast
    python benchmarks/crossfit.py table OUT

``--same`` names scans of one person, which stay together. Scans are preprocessed once, in
``OUT/preprocessed``. Given again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import cohort
from scipy import stats
from starter import LITTLE_ML, Row, p_values, said

TABLE = "derivatives/group_desc-tumour_volumes.tsv"  # of a fold that is finished


def share_out(labels: Iterable[str], same: Sequence[Sequence[str]], folds: int) -> list[list[str]]:
    """Share participants out among folds, by chance but always alike, persons together."""
    person = {label: label for label in sorted(labels)}
    for group in same:
        if unknown := set(group) - person.keys():
            sys.exit(f"--same: there is no {', '.join(sorted(unknown))}")
        joined = {person[label] for label in group}
        person = {label: min(joined) if one in joined else one for label, one in person.items()}
    order = sorted(set(person.values()))
    random.Random(0).shuffle(order)
    return [
        sorted(label for label, one in person.items() if one in order[k::folds])
        for k in range(folds)
    ]


def run(out: Path, folds: int, same: Sequence[Sequence[str]], more: list[str]) -> int:
    begun = out / "preprocessed"
    if code := cohort.run(begun, more, ["preprocess"]):
        return code
    patients = cohort.held_out(cohort.cohort_folder())
    found = (cohort.cohort_folder() / "tumourfree").glob("sub-*")
    shares = share_out((path.name.removeprefix("sub-") for path in found), same, folds)
    for number, aside in enumerate(shares):
        fold = out / f"fold-{number}"
        if not fold.is_dir():
            unfinished = fold.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(begun / "derivatives", unfinished / "derivatives")
            unfinished.rename(fold)
        if code := cohort.run(fold, more, hold_out=[*patients, *aside]):
            return code
    return table(out)


def rows(fold: Path, role: str) -> list[Row]:
    """Scans of a role as the app's table of volumes has them."""
    with (fold / TABLE).open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream, delimiter="\t") if row["role"] == role]


def auc(tumours: Sequence[Row], others: Sequence[Row]) -> float:
    """Chance that of a glioma and a tumour-free scan the glioma has the smaller p; NaN without."""
    one, other = p_values(tumours), p_values(others)
    if not (one and other):
        return float("nan")
    return float(stats.mannwhitneyu(other, one).statistic) / (len(one) * len(other))


def table(out: Path) -> int:
    held = set(cohort.held_out(cohort.cohort_folder()))
    folds = [fold for fold in sorted(out.glob("fold-*")) if (fold / TABLE).is_file()]
    if not folds:
        print(f"No fold is finished in {out}.")
        return 1
    print("| fold | gliomas: Dice, all | median | held out | median | tumour_present |")
    print("|---|---|---|---|---|---|")
    gliomas: list[Row] = []
    everybody: list[Row] = []
    for fold in folds:
        scores = cohort.scores(fold, "label-L_mask")
        columns = [fold.name.removeprefix("fold-")]
        for chosen in (list(scores.values()), [v for k, v in scores.items() if k in held]):
            columns += [f"{statistics.mean(chosen):.3f}", f"{statistics.median(chosen):.3f}"]
        own = rows(fold, "tumour")
        print(f"| {' | '.join(columns)} | {said(own)} |")
        gliomas += own
        everybody += rows(fold, "heldout")
    volumes = {row["scan"]: float(row["volume_mL"]) for row in everybody}
    little = sum(volume < LITTLE_ML for volume in volumes.values())
    print(
        f"{len(volumes)} tumour-free scans, each held out once: median "
        f"{statistics.median(volumes.values()):.1f} mL, less than {LITTLE_ML:g} mL in {little}"
    )
    print("others:", ", ".join(f"{k} {v:.1f}" for k, v in volumes.items() if v >= LITTLE_ML))
    print(f"tumour_present: {said(everybody)}; AUC of p {auc(gliomas, everybody):.3f}")
    least = min(float(row["volume_mL"]) for row in gliomas)
    print(f"least that is marked in a glioma: {least:.1f} mL")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--same", nargs="+", default=[], metavar="A:B", help="scans of one person")
    options, more = parser.parse_known_args()  # the rest is the app's
    out = options.out.absolute()
    if options.what == "table":
        return table(out)
    same = [pair.split(":") for pair in options.same]
    return run(out, options.folds, same, more)


if __name__ == "__main__":
    sys.exit(main())
