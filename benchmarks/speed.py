"""How long a mask of one scan takes with the starter: steps preprocess to segment, by the clock
and in processor seconds, of this version and of another one beside it.

    export SYNTHTUMOUR_COHORT=/data/cohort            # as for cohort.py
    python benchmarks/speed.py OUT glioma/sub-STRIPPED tumourfree/sub-HEAD
    python benchmarks/speed.py OUT glioma/sub-STRIPPED --beside OTHER_CHECKOUT --repeats 3

Every run starts in an empty folder, in a process of its own. Versions take turns, so that what
else the machine does falls on both; processor seconds, of all processes of a run, are what to
compare where it is not idle. Dice tells how far the masks of the other version are the same.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import processes
from cohort import cohort_folder, load
from starter import AS_PATIENTS

from synthtumour_bids.synthesis.geometry import dice

HERE = Path(__file__).resolve().parents[1]


def run(source: Path, out: Path, scan: str, more: list[str]) -> processes.Cost:
    dataset, label = scan.split("/")
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "synthtumour_bids", str(cohort_folder() / dataset)]
    command += [
        str(out / "derivatives"),
        "participant",
        "--participant-label",
        label,
        "--model",
        "starter",
    ]
    command += ["--steps", "preprocess", "segment", "--skip-bids-validation"]
    command += ["--work-dir", str(out / "work"), *more]
    command += AS_PATIENTS if dataset == "tumourfree" else ()
    out.mkdir(parents=True)
    with (out / "log.txt").open("w") as log:
        cost = processes.run(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=source,
            env={**os.environ, "PYTHONPATH": str(source)},
        )
    if code := cost.exit_code:
        sys.exit(f"{' '.join(command)} ended with {code}:\n{(out / 'log.txt').read_text()}")
    return cost


def mask(out: Path) -> Path:
    (found,) = (p for p in out.rglob("*_label-L_mask.nii.gz") if "_space-" not in p.name)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("scans", nargs="+", help="DATASET/sub-LABEL of the cohort")
    parser.add_argument("--beside", type=Path, help="checkout of another version")
    parser.add_argument("--repeats", type=int, default=1)
    options, more = parser.parse_known_args()
    sources = {"here": HERE}
    if options.beside:
        sources["beside"] = options.beside.absolute()
    costs: dict[tuple[str, str], list[processes.Cost]] = {}
    for scan in options.scans:
        for _ in range(options.repeats):
            for name, source in sources.items():
                out = options.out.absolute() / name / scan
                costs.setdefault((scan, name), []).append(run(source, out, scan, more))
    print("| scan | version | seconds | processor seconds | peak memory, GB |")
    print("|---|---|---|---|---|")
    for (scan, name), found in costs.items():
        clock, processor = (
            statistics.median(getattr(one, field) for one in found)
            for field in ("seconds", "processor_seconds")
        )
        peak = max(one.peak_gb for one in found)
        print(f"| {scan} | {name} | {clock:.1f} | {processor:.1f} | {peak:.1f} |")
    if options.beside:
        for scan in options.scans:
            masks = [load(mask(options.out / name / scan)) > 0 for name in sources]
            print(f"{scan}: Dice of the two versions' masks {dice(*masks):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
