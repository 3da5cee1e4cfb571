"""What differs between runs of one command with other numbers of processes and other folders.

    python benchmarks/determinism.py OUT                                  # trains three times
    python benchmarks/determinism.py OUT --steps preprocess synthesise    # minutes

The demo cohort is worked on with one process, with two, and with two again in another work folder.
Arguments after OUT are the app's. Of every kind of file it tells how many are the same bytes as
in the run before, and of masks the least Dice with those of the run before.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import nibabel as nib
import numpy as np

from synthtumour_bids.demo.phantom import write_cohort
from synthtumour_bids.synthesis.geometry import dice

RUNS = (("1 process", 1), ("2 processes", 2), ("2 processes, again", 2))
KINDS = {
    "preprocessed images and masks": "out/sub-*/anat/*_desc-[bp]r*.nii.gz",
    "synthetic images and labels": "work/**/stage_one/*.nii",
    "mixes": "work/**/stage_two/*.nii",
    "tumour masks": "out/sub-*/anat/*_label-L_mask.nii.gz",
    "probabilities": "out/sub-*/anat/*_probseg.nii.gz",
    "tables": "out/*.tsv",  # those under logs tell of the run itself
}


def run(bids: Path, place: Path, nprocs: int, more: list[str]) -> None:
    """Run the app in folders of its own."""
    command = [sys.executable, "-m", "synthtumour_bids", str(bids), str(place / "out")]
    command += ["participant", "--profile", "sloppy", "--keep-work", "--skip-bids-validation"]
    command += ["--work-dir", str(place / "work"), "--nprocs", str(nprocs), *more]
    subprocess.run(command, check=True)


def hashes(place: Path, pattern: str) -> dict[str, str]:
    """Hashes of files, by their names without the folders that differ between runs."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.glob(pattern))
    }


def least_dice(first: Path, other: Path) -> float | None:
    """Least Dice of two runs' masks of one scan; ``None`` where there are none."""
    scores = []
    for path in sorted(first.glob(KINDS["tumour masks"])):
        one, two = (
            np.asanyarray(nib.load(file).dataobj) > 0
            for file in (path, other / path.relative_to(first))
        )
        scores.append(dice(one, two))
    return min(scores, default=None)


def row(name: str, first: Path, other: Path) -> str:
    """One run compared with another, as a line of a table."""
    cells: Mapping[str, str] = {
        kind: f"{sum(two.get(file) == value for file, value in one.items())} of {len(one)}"
        for kind, pattern in KINDS.items()
        for one, two in ((hashes(first, pattern), hashes(other, pattern)),)
    }
    least = least_dice(first, other)
    told = "n/a" if least is None else f"{least:.4f}"
    return f"| {name} | {' | '.join(cells.values())} | {told} |"


def main() -> int:
    """Run, compare, print."""
    root, more = Path(sys.argv[1]).absolute(), sys.argv[2:]
    cohort = write_cohort(root, n_tumourfree=2, n_tumour=2, resolution=4.0, seed=1)
    places = [root / name.replace(" ", "-") for name, _ in RUNS]
    for place, (_, nprocs) in zip(places, RUNS, strict=True):
        run(cohort.bids_dir, place, nprocs, more)
    print(f"| run | {' | '.join(KINDS)} | least Dice |")
    print("|---" * (len(KINDS) + 2) + "|")
    for (before, after), (name, _) in zip(pairwise(places), RUNS[1:], strict=True):
        print(row(name, before, after))
    return 0


if __name__ == "__main__":
    sys.exit(main())
