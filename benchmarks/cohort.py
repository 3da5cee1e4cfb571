"""Run the whole method on a cohort with known truth, step by step, and tabulate what it scored.

The cohort is a folder with three BIDS datasets: ``glioma`` (tumour scans), ``tumourfree`` and
``glioma-truth`` (``label-L_mask``, read for the table alone). Its place comes from the environment
variable ``SYNTHTUMOUR_COHORT``.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast        # resumes where it stopped
    python benchmarks/cohort.py junior OUT2 --profile fast --preset reference
    python benchmarks/cohort.py table OUT

Every step runs in a process of its own; its seconds and peak memory (of the largest process) go
to ``OUT/benchmark.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk

N_HELD_OUT = 8


def cohort_folder() -> Path:
    folder = os.environ.get("SYNTHTUMOUR_COHORT")
    if not folder or not (Path(folder) / "glioma").is_dir():
        sys.exit("Set SYNTHTUMOUR_COHORT to a folder with glioma, tumourfree and glioma-truth.")
    return Path(folder)


def truths(folder: Path) -> dict[str, Path]:
    paths = sorted((folder / "glioma-truth").glob("sub-*/anat/*_label-L_mask.nii.gz"))
    return {path.name.split("_")[0].removeprefix("sub-"): path for path in paths}


def held_out(folder: Path) -> list[str]:
    """A fixed choice, blind to how hard the scans are."""
    return sorted(random.Random(0).sample(sorted(truths(folder)), N_HELD_OUT))


def arguments(out: Path, more: list[str]) -> list[str]:
    folder = cohort_folder()
    return [
        *(str(folder / "glioma"), str(out / "derivatives"), "participant"),
        *("--tumourfree-dir", str(folder / "tumourfree")),
        *("--truth", str(folder / "glioma-truth")),
        *("--work-dir", str(out / "work"), "--keep-work"),
        *("--hold-out", *held_out(folder)),
        *more,
    ]


def note(out: Path, **entry: object) -> None:
    log = out / "benchmark.json"
    entries = json.loads(log.read_text()) if log.is_file() else []
    log.write_text(json.dumps([*entries, entry], indent=1))


def run(out: Path, more: list[str]) -> int:
    out.mkdir(parents=True, exist_ok=True)
    for step in ("preprocess", "synthesise", "train", "segment", "report"):
        command = [*(sys.executable, "-m", "synthtumour_bids"), *arguments(out, more)]
        start = time.monotonic()
        process = subprocess.Popen([*command, "--steps", step])
        _, status, usage = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        note(
            out,
            step=step,
            seconds=round(time.monotonic() - start, 1),
            peak_gb=round(usage.ru_maxrss / 1e6, 2),
            exit_code=code,
            options=more,
        )
        if code not in (0, 1):
            return code
    return 0


def junior(out: Path, more: list[str]) -> int:
    """Train a junior alone and write its masks, through the package's own steps."""
    from synthtumour_bids.bids.derivatives import like_native, write_image
    from synthtumour_bids.bids.inputs import collect_scans
    from synthtumour_bids.cli import parse_settings
    from synthtumour_bids.execution.logs import open_run_log, start_logging
    from synthtumour_bids.execution.resources import limit_threads
    from synthtumour_bids.preprocessing.registration import carry_to_native
    from synthtumour_bids.settings import Role
    from synthtumour_bids.steps import predictions, preprocess, segment, synthesise, train
    from synthtumour_bids.steps.job import Job

    out.mkdir(parents=True, exist_ok=True)
    settings = parse_settings(arguments(out, more))
    start_logging(settings)
    limit_threads(settings.omp_nthreads)
    job = Job(settings, collect_scans(settings), open_run_log(settings))
    for name, work in (
        ("preprocess", preprocess.run),
        ("synthesise", synthesise.run),
        ("train junior", train.train_junior),
    ):
        start = time.monotonic()
        work(job)
        note(out, step=name, seconds=round(time.monotonic() - start, 1), options=more)
    for result in predictions.predict(job, "junior", job.preprocessed(Role.TUMOUR)):
        scan = result.item
        if result.value is None:
            continue
        reference = nib.load(job.native(scan, desc="preproc", suffix=scan.suffix))
        brain = load(job.native(scan, desc="brain", suffix="mask")) > 0
        transform = segment.find_transform(job.standard_image(scan).parent, scan)
        mask = carry_to_native(nib.load(result.value), transform, reference) > segment.THRESHOLD
        path = job.native(scan, label="L", desc="junior", suffix="mask")
        write_image(path, like_native(mask & brain, reference, np.uint8), {})
    return table(out)


def load(path: Path) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj)


def otsu(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Voxels of the brain above Otsu's threshold of the brain's intensities."""
    low, high = np.percentile(image[brain], (0.5, 99.5))
    clipped = sitk.GetImageFromArray(np.clip(image, low, high).astype(np.float32))
    mask = sitk.GetImageFromArray(brain.astype(np.uint8))
    filtered = sitk.OtsuThreshold(clipped, mask, 0, 1, 128, True, 1)
    return (sitk.GetArrayFromImage(filtered) > 0) & brain


def dice(one: np.ndarray, other: np.ndarray) -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def table(out: Path) -> int:
    folder = cohort_folder()
    scores: dict[str, dict[str, float]] = {"Otsu": {}, "junior": {}, "senior": {}}
    for label, truth_path in truths(folder).items():
        anat = out / "derivatives" / f"sub-{label}" / "anat"
        truth = load(truth_path) > 0
        image, brain = (
            anat / f"sub-{label}_desc-preproc_FLAIR.nii.gz",
            anat / f"sub-{label}_desc-brain_mask.nii.gz",
        )
        if image.is_file():
            scores["Otsu"][label] = dice(otsu(load(image), load(brain) > 0), truth)
        for name, stem in (("junior", "label-L_desc-junior_mask"), ("senior", "label-L_mask")):
            path = anat / f"sub-{label}_{stem}.nii.gz"
            if path.is_file():
                scores[name][label] = dice(load(path) > 0, truth)
    held = set(held_out(folder))
    print("| method | scans | mean | median | worst three |")
    print("|---|---|---|---|---|")
    for name, values in scores.items():
        for title, chosen in (
            ("all", values),
            ("held out", {k: v for k, v in values.items() if k in held}),
        ):
            if not chosen:
                continue
            worst = sorted(chosen.items(), key=lambda item: item[1])[:3]
            print(
                f"| {name} | {title} ({len(chosen)}) | {statistics.mean(chosen.values()):.3f} "
                f"| {statistics.median(chosen.values()):.3f} "
                f"| {', '.join(f'{k} {v:.2f}' for k, v in worst)} |"
            )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "junior", "table"))
    parser.add_argument("out", type=Path)
    options, more = parser.parse_known_args()
    if options.what == "table":
        return table(options.out)
    return {"run": run, "junior": junior}[options.what](options.out.absolute(), more)


if __name__ == "__main__":
    sys.exit(main())
