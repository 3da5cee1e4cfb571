"""What a starter is worth: Dice on gliomas, mL marked in scans without a tumour, and its verdicts.

    export SYNTHTUMOUR_COHORT=/data/cohort            # as for cohort.py
    python benchmarks/starter.py OUT BUNDLE [-- --keep-mask ...]

The app itself runs (``--model BUNDLE``); preprocessing is kept in OUT from one bundle to the next.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from cohort import cohort_folder, load, truths

from synthtumour_bids.demo.words import masks_of
from synthtumour_bids.synthesis.geometry import dice

Row = dict[str, str]  # of a table of the app
LITTLE_ML = 1.0
# Tumour-free people are segmented here as if they were patients.
AS_PATIENTS = ("--tumour-value", "control", "--tumourfree-value", "none")


def segment(out: Path, dataset: str, bundle: Path, more: list[str]) -> Path:
    target = out / dataset
    command = [sys.executable, "-m", "synthtumour_bids", str(cohort_folder() / dataset)]
    command += [str(target), "participant", "--model", str(bundle)]
    command += ["--work-dir", str(out / "work" / dataset), "--keep-work", *more]
    code = subprocess.run(command).returncode
    if code not in (0, 1):
        sys.exit(code)
    return target


def volumes(folder: Path) -> dict[str, float]:
    """Millilitres of the masks on their scans' own grids, by the scans' names."""
    found = {}
    for path in masks_of(folder):
        voxel = float(np.prod(nib.load(path).header.get_zooms()[:3])) / 1000
        found[path.name.split("_label-")[0]] = float(np.count_nonzero(load(path))) * voxel
    return found


def verdicts(folder: Path) -> str:
    with (folder / "participants.tsv").open(encoding="utf-8", newline="") as stream:
        return said(list(csv.DictReader(stream, delimiter="\t")))


def said(rows: Sequence[Row]) -> str:
    counts = Counter(row["tumour_present"] for row in rows)
    words = ", ".join(f"{word} {counts[word]}" for word in ("yes", "unsure", "no"))
    p = p_values(rows)
    return words + (f"; p {min(p):.4f} to {max(p):.4f}" if p else "; no p")


def p_values(rows: Sequence[Row]) -> list[float]:
    return [float(row["presence_p"]) for row in rows if row["presence_p"] != "n/a"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("more", nargs="*", help="further arguments of the app, after --")
    options = parser.parse_args()
    out = options.out.absolute()
    bundle = options.bundle.absolute()
    gliomas = segment(out, "glioma", bundle, options.more)
    scores = {
        label: dice(load(mask) > 0, load(truth) > 0)
        for label, truth in truths(cohort_folder()).items()
        if (
            mask := gliomas / f"sub-{label}" / "anat" / f"sub-{label}_label-L_mask.nii.gz"
        ).is_file()
    }
    values = np.array(list(scores.values()))
    worst = sorted(scores.items(), key=lambda item: item[1])[:5]
    print(f"{len(values)} gliomas: mean Dice {values.mean():.3f}, median {np.median(values):.3f}")
    print("worst:", ", ".join(f"{label} {value:.2f}" for label, value in worst))
    empty = [label for label, volume in volumes(gliomas).items() if volume == 0]
    print(f"empty masks of gliomas: {len(empty)} {' '.join(empty)}")
    print(f"tumour_present of gliomas: {verdicts(gliomas)}")
    marked = volumes(segment(out, "tumourfree", bundle, [*AS_PATIENTS, *options.more]))
    little = sum(volume < LITTLE_ML for volume in marked.values())
    print(f"{len(marked)} tumour-free scans: less than {LITTLE_ML:g} mL in {little}")
    print(", ".join(f"{name} {volume:.1f}" for name, volume in marked.items() if volume))
    print(f"tumour_present of tumour-free scans: {verdicts(out / 'tumourfree')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
