"""Run the whole method on a cohort with known truth, step by step, and tabulate what it scored.

The cohort is a folder with three BIDS datasets: ``glioma`` (tumour scans), ``tumourfree`` and
``glioma-truth`` (``label-L_mask``, read for the table alone). Its place comes from the environment
variable ``SYNTHTUMOUR_COHORT``.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast        # resumes where it stopped
    python benchmarks/cohort.py junior OUT2 --profile fast --preset reference
    python benchmarks/cohort.py table OUT OUT2                # OUT2: more juniors to list
    python benchmarks/cohort.py steps OUT

Every step runs in a process of its own; its seconds and peak memory (of the largest process) go
to ``OUT/benchmark.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import processes
import SimpleITK as sitk

from synthtumour_bids.synthesis.geometry import dice

N_HELD_OUT = 8
STEPS = ("preprocess", "synthesise", "train", "segment", "report")
WHOSE = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


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


def arguments(out: Path, more: list[str], hold_out: Sequence[str] | None = None) -> list[str]:
    """Arguments of the app; left out, `hold_out` is the fixed choice of `held_out`."""
    folder = cohort_folder()
    aside = held_out(folder) if hold_out is None else hold_out
    return [
        *(str(folder / "glioma"), str(out / "derivatives"), "participant"),
        *("--tumourfree-dir", str(folder / "tumourfree")),
        *("--truth", str(folder / "glioma-truth")),
        *("--work-dir", str(out / "work"), "--keep-work"),
        *("--hold-out", *aside),
        *more,
    ]


def note(out: Path, **entry: object) -> None:
    log = out / "benchmark.json"
    entries = json.loads(log.read_text()) if log.is_file() else []
    log.write_text(json.dumps([*entries, entry], indent=1))


def run(
    out: Path,
    more: list[str],
    steps: Sequence[str] = STEPS,
    hold_out: Sequence[str] | None = None,
) -> int:
    out.mkdir(parents=True, exist_ok=True)
    for step in steps:
        command = [*(sys.executable, "-m", "synthtumour_bids"), *arguments(out, more, hold_out)]
        cost = processes.run([*command, "--steps", step])
        note(
            out,
            step=step,
            seconds=round(cost.seconds, 1),
            peak_gb=round(cost.peak_gb, 2),
            exit_code=cost.exit_code,
            options=more,
        )
        if cost.exit_code not in (0, 1):
            return cost.exit_code
    return 0


def junior(out: Path, more: list[str]) -> int:
    """Train a junior alone and write its masks, through the package's own steps."""
    from synthtumour_bids.bids.derivatives import write_image
    from synthtumour_bids.cli.parser import parse_settings
    from synthtumour_bids.layout import Network
    from synthtumour_bids.methods.predictions import predict
    from synthtumour_bids.methods.registry import method_of_run
    from synthtumour_bids.settings import Role
    from synthtumour_bids.steps import preprocess, segment, train
    from synthtumour_bids.steps.networks import Networks
    from synthtumour_bids.steps.prepare import begin, prepare

    out.mkdir(parents=True, exist_ok=True)
    settings = parse_settings(arguments(out, more))
    job = prepare(settings)
    method = method_of_run(job)
    job = begin(job, settings)
    for name, work in (
        ("preprocess", lambda: preprocess.run(job)),
        ("synthesise", lambda: method.make_samples(job)),
        ("train junior", lambda: train.run(job, method, Network.JUNIOR)),
    ):
        start = time.monotonic()
        work()
        peak = max(processes.peak_gb(resource.getrusage(who)) for who in WHOSE)
        seconds = round(time.monotonic() - start, 1)
        note(out, step=name, seconds=seconds, peak_gb=round(peak, 2), options=more)
    model = job.model(Network.JUNIOR)
    networks = Networks.of({Network.JUNIOR: model.card}, method, job.settings)
    for result in predict(job, model, job.preprocessed(Role.TUMOUR)):
        scan, record = result.item, job.preprocessing(result.item)
        if result.value is None or record is None:
            continue
        paths = {Network.JUNIOR: result.value}
        found = segment.segment(segment.SegmentTask(scan, paths, record, networks, job.layout))
        mask = found.native(found.masks[Network.JUNIOR], np.uint8)
        path = job.layout.native(scan, label="L", desc=Network.JUNIOR, suffix="mask")
        write_image(path, mask, {})
    return table([out])


def load(path: Path) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj)


def otsu(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Voxels of the brain above Otsu's threshold of the brain's intensities."""
    low, high = np.percentile(image[brain], (0.5, 99.5))
    clipped = sitk.GetImageFromArray(np.clip(image, low, high).astype(np.float32))
    mask = sitk.GetImageFromArray(brain.astype(np.uint8))
    filtered = sitk.OtsuThreshold(clipped, mask, 0, 1, 128, True, 1)
    return (sitk.GetArrayFromImage(filtered) > 0) & brain


def scores(out: Path, stem: str) -> dict[str, float]:
    """Dice of every scan with truth, of the masks named so or of Otsu's threshold (``""``)."""
    found = {}
    for label, truth_path in truths(cohort_folder()).items():
        anat = out / "derivatives" / f"sub-{label}" / "anat"
        image, brain, mask = (
            anat / f"sub-{label}_{name}.nii.gz"
            for name in ("desc-preproc_FLAIR", "desc-brain_mask", stem)
        )
        if stem and mask.is_file():
            found[label] = dice(load(mask) > 0, load(truth_path) > 0)
        elif not stem and image.is_file():
            found[label] = dice(otsu(load(image), load(brain) > 0), load(truth_path) > 0)
    return found


def table(folders: list[Path]) -> int:
    """Print the scores of the first run and of the juniors of the others."""
    methods = {
        "Otsu": scores(folders[0], ""),
        "junior": scores(folders[0], "label-L_desc-junior_mask"),
        **{f"junior of {out.name}": scores(out, "label-L_desc-junior_mask") for out in folders[1:]},
        "senior": scores(folders[0], "label-L_mask"),
    }
    held = set(held_out(cohort_folder()))
    print("| method | scans | mean | median | worst three |")
    print("|---|---|---|---|---|")
    for name, values in methods.items():
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


def steps(folders: list[Path]) -> int:
    """Print seconds and peak memory of each step that did something, over all calls."""
    print("| run | step | seconds | peak memory, GB |")
    print("|---|---|---|---|")
    for out in folders:
        entries = json.loads((out / "benchmark.json").read_text())
        for step in dict.fromkeys(entry["step"] for entry in entries):
            calls = [entry for entry in entries if entry["step"] == step]
            seconds = sum(entry["seconds"] for entry in calls)
            print(f"| {out.name} | {step} | {seconds:.0f} | {max(e['peak_gb'] for e in calls)} |")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("run", "junior", "table", "steps"))
    parser.add_argument("out", type=Path, nargs="+")
    options, more = parser.parse_known_args()
    folders = [folder.absolute() for folder in options.out]
    if options.what in ("table", "steps"):
        return {"table": table, "steps": steps}[options.what](folders)
    return {"run": run, "junior": junior}[options.what](folders[0], more)


if __name__ == "__main__":
    sys.exit(main())
