"""How much a tumour's measured volume differs between two scans of one unchanged head.

Simulated heads are scanned twice, with other noise, shading and pose, as two sessions; the app
segments them (``--model``). What it calls "no measurable change" (``measures/change.py``) is set by
the limit that 95 % of these differences keep. Real repeats, where there are any, are named as pairs
of participants of a dataset.

    python benchmarks/repeats.py OUT MODELS --heads 20 [-- --profile fast ...]
    python benchmarks/repeats.py OUT MODELS --dataset DATASET --pairs A:B C:D
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from starter import volumes

from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.demo.head import Again, simulate_head
from synthtumour_bids.measures.change import smallest_measurable

RESOLUTION = 2.0  # mm
VOLUMES = (12.0, 90.0)  # mL
LIMIT = 1.96  # standard deviations of a difference that hold 95 % of them
# From the median: a false positive that comes and goes is nothing that any limit could hold.
ROBUST = 1.4826
DESCRIPTION = {"Name": "Repeats", "BIDSVersion": "1.10.1", "DatasetType": "raw"}


def write_repeats(root: Path, heads: int, seed: int) -> None:
    """Two sessions of each head; both are drawn in a pose of their own."""
    for number, volume in enumerate(np.geomspace(*VOLUMES, heads)):
        for session in (1, 2):
            name = f"sub-{number:02d}/ses-{session}/anat/sub-{number:02d}_ses-{session}"
            head = simulate_head(
                np.random.default_rng((seed, number)),
                RESOLUTION,
                Acquisition(),
                tumour_volume=float(volume),
                again=Again(np.random.default_rng((seed, number, session))),
            )
            for folder, ending, image in (
                ("bids", "FLAIR", head.image),
                ("truth", "label-L_mask", head.truth),
                ("truth", "desc-brain_mask", head.brain),
            ):
                path = root / folder / f"{name}_{ending}.nii.gz"
                path.parent.mkdir(parents=True, exist_ok=True)
                nib.save(image, path)
    write_table(root / "bids", [f"sub-{number:02d}" for number in range(heads)])


def link_pairs(root: Path, dataset: Path, pairs: list[str]) -> None:
    """Both participants of a pair as two sessions of one."""
    for number, pair in enumerate(pairs):
        for session, label in enumerate(pair.split(":"), 1):
            (source,) = (dataset / f"sub-{label}").glob("**/*_FLAIR.nii.gz")
            anat = root / "bids" / f"sub-{number:02d}" / f"ses-{session}" / "anat"
            anat.mkdir(parents=True, exist_ok=True)
            link = anat / f"sub-{number:02d}_ses-{session}_FLAIR.nii.gz"
            if not link.exists():
                link.symlink_to(source.absolute())
    write_table(root / "bids", [f"sub-{number:02d}" for number in range(len(pairs))])


def write_table(bids: Path, people: list[str]) -> None:
    (bids / "dataset_description.json").write_text(json.dumps(DESCRIPTION))
    rows = ["participant_id\tgroup", *(f"{one}\ttumour" for one in people)]
    (bids / "participants.tsv").write_text("\n".join(rows) + "\n")


def segment(root: Path, models: str, more: list[str]) -> None:
    command = [sys.executable, "-m", "synthtumour_bids", str(root / "bids"), str(root / "out")]
    command += ["participant", "--model", models, "--work-dir", str(root / "work")]
    code = subprocess.run([*command, "--steps", "preprocess", "segment", *more]).returncode
    if code not in (0, 1):
        sys.exit(code)


def by_session(folder: Path) -> dict[str, dict[str, float]]:
    """mL by participant and session."""
    found: dict[str, dict[str, float]] = {}
    for name, volume in volumes(folder).items():
        person, session = name.split("_")
        found.setdefault(person, {})[session] = volume
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("models", help="as for --model of the app: a folder, or starter")
    parser.add_argument("--heads", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dataset", type=Path, help="of real repeats, in place of simulated ones")
    parser.add_argument("--pairs", nargs="+", default=[], metavar="A:B")
    arguments, more = sys.argv[1:], []
    if "--" in arguments:  # what follows is the app's
        more = arguments[arguments.index("--") + 1 :]
        arguments = arguments[: arguments.index("--")]
    options = parser.parse_args(arguments)
    root = options.out.absolute()
    if options.dataset:
        link_pairs(root, options.dataset, options.pairs)
    else:
        write_repeats(root, options.heads, options.seed)
    segment(root, options.models, more)
    measured, truth = by_session(root / "out"), by_session(root / "truth")
    differences = []
    for person, (one, other) in ((who, both.values()) for who, both in measured.items()):
        mean, limit = (one + other) / 2, smallest_measurable(one, other)
        known = ", ".join(f"{volume:.1f}" for volume in truth.get(person, {}).values())
        within = "within" if abs(other - one) <= limit else "BEYOND"
        print(
            f"{person}: {one:.1f}, {other:.1f} mL (truth {known or '?'}); {within} {limit:.1f} mL"
        )
        if mean > 0:
            differences.append((other - one) / mean)
    sizes = np.abs(differences)
    spread = ROBUST * float(np.median(sizes)) if len(sizes) else float("nan")
    print(
        f"{len(sizes)} repeats: differences of {100 * spread:.1f} % of the mean (robust s.d.), "
        f"95 % within {100 * LIMIT * spread:.0f} %; each: {np.sort(100 * sizes).round()} %"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
