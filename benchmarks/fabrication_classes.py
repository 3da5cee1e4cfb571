"""What fabrication makes of two tumour classes, solid core and oedema, in simulated heads.

    python benchmarks/fabrication_classes.py OUT                 # resumes where it stopped

The heads are the demo's: the first whose tumour has a core of 2 mL. Twelve are annotated, four
are segmented, and the truth of these is read for the table alone. ``OUT/classes.png`` shows it with
what was found.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import numpy as np

from synthtumour_bids.demo.head import Head, nifti, simulate_head
from synthtumour_bids.demo.phantom import BIDS_VERSION
from synthtumour_bids.demo.subjects import Subject, draw_subjects
from synthtumour_bids.demo.tumour import SOLID
from synthtumour_bids.files import write_json, write_tsv
from synthtumour_bids.synthesis.geometry import dice

CORE, OEDEMA = 1, 2
NAMES = {CORE: "core", OEDEMA: "oedema"}
LEVEL = sum(SOLID) / 2  # density at which a tumour looks as much solid as oedematous
CORE_ML = 2.0
N_ANNOTATED, N_SEGMENTED, N_TUMOURFREE = 12, 4, 8  # three of the first judge the GAN
CANDIDATES = 70  # heads with a tumour; most are far-reaching and have no core
RESOLUTION = 2.0
DSEG = "desc-tumour_dseg"


@dataclass(frozen=True)
class Segmented:
    """A head that was segmented: voxels of the scan, true classes, and those that were found."""

    scan: np.ndarray
    true: np.ndarray
    seen: np.ndarray

    def scores(self) -> dict[str, float]:
        each = {name: dice(self.seen == n, self.true == n) for n, name in NAMES.items()}
        return {**each, "whole": dice(self.seen > 0, self.true > 0)}

    def darkness(self) -> float:
        """Median signal of the core by that of the oedema."""
        core, oedema = (float(np.median(self.scan[self.true == n])) for n in (CORE, OEDEMA))
        return core / oedema


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=21, help="none that a starter or demo has")
    parser.add_argument("--nprocs", type=int, default=2)
    options = parser.parse_args()
    out = options.out.absolute()
    if not (out / "heads.json").is_file():
        write_heads(out, options.seed)
    command = [sys.executable, "-m", "synthtumour_bids", str(out / "scans"), str(out / "found")]
    command += ["participant", "--method", "fabrication", "--annotated-dir", str(out / "annotated")]
    command += ["--tumourfree-dir", str(out / "tumourfree"), "--work-dir", str(out / "work")]
    command += ["--profile", "sloppy", "--seed", str(options.seed)]
    code = subprocess.run([*command, "--nprocs", str(options.nprocs)]).returncode
    if code not in (0, 1):
        return code
    tell_of_samples(out / "found" / "models" / "fabricator" / "quality.json")
    truths = sorted((out / "truth").glob(f"sub-*/anat/*_{DSEG}.nii.gz"))
    heads = {path.parts[-3]: Segmented(*read_head(out, path)) for path in truths}
    report(heads)
    draw(heads, out / "classes.png")
    return code


def write_heads(out: Path, seed: int) -> None:
    """Write the three datasets, the annotations and the truth; ``heads.json`` comes last."""
    subjects = draw_subjects(N_TUMOURFREE, CANDIDATES, RESOLUTION, seed, n_followed=0, n_t1w=0)
    drawn, truth = out / "annotated" / "derivatives" / "drawn", out / "truth"
    for folder in (out / "scans", out / "tumourfree", out / "annotated", drawn):
        kind = "derivative" if folder == drawn else "raw"
        about = {"Name": f"Simulated: {folder.name}", "BIDSVersion": BIDS_VERSION}
        write_json(folder / "dataset_description.json", {**about, "DatasetType": kind})
    for folder in (drawn, truth):
        rows = [{"index": index, "name": name} for index, name in NAMES.items()]
        write_tsv(folder / f"{DSEG}.tsv", rows, ["index", "name"])
    # As subjects come: those without a tumour are the first.
    left = ["tumourfree"] * N_TUMOURFREE + ["annotated"] * N_ANNOTATED + ["scans"] * N_SEGMENTED
    who = []
    for subject in subjects:
        if not left:
            break
        head = head_of(subject)
        anat = f"sub-{subject.label}/anat/sub-{subject.label}"
        if head.truth is not None:
            classes = classes_of(head)
            if (classes == CORE).sum() * np.prod(head.image.header.get_zooms()) < CORE_ML * 1000:
                continue
            folder = drawn if left[0] == "annotated" else truth
            save(nifti(classes, head.image.affine), folder / f"{anat}_{DSEG}.nii.gz")
        save(head.image, out / left.pop(0) / f"{anat}_FLAIR.nii.gz")
        who.append(subject.label)
    if left:
        sys.exit(f"Only {len(who)} heads could be made with seed {seed}: too few have a core.")
    write_json(out / "heads.json", who)


def head_of(subject: Subject) -> Head:
    return simulate_head(
        np.random.default_rng(subject.seed),
        subject.resolution,
        subject.acquisition,
        tumour_volume=subject.takes[0].tumour_volume,
        age=subject.age,
    )


def classes_of(head: Head) -> np.ndarray:
    """Class of each voxel: solid and necrotic tumour, where cells are densest, and the rest."""
    inside = np.asanyarray(head.truth.dataobj) > 0
    return np.where(inside, np.where(head.density >= LEVEL, CORE, OEDEMA), 0).astype(np.uint8)


def save(image: nib.Nifti1Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def read(path: Path) -> np.ndarray:
    """Voxels with x to the right, y to the front and z up, as they are shown."""
    return np.asanyarray(nib.as_closest_canonical(nib.load(path)).dataobj)


def read_head(out: Path, truth: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scan, truth, and what the app found; its own table tells what the numbers mean."""
    place = truth.relative_to(out / "truth")
    path, scan = out / "found" / place, out / "scans" / str(place).replace(DSEG, "FLAIR")
    with Path(str(path).replace(".nii.gz", ".tsv")).open(encoding="utf-8", newline="") as stream:
        table = {int(row["index"]): row["name"] for row in csv.DictReader(stream, delimiter="\t")}
    if table != NAMES:
        sys.exit(f"The table of {path} tells {table}, not {NAMES}.")
    return read(scan), read(truth), read(path)


def tell_of_samples(path: Path) -> None:
    quality = json.loads(path.read_text(encoding="utf-8"))
    first, *later = (one["distance"] for one in quality["History"])
    print(f"Distance to real lesions {first:.5f}, refined {min(later):.5f}; ", end="")
    if quality["RefinementHelps"]:
        print(f"{quality['Dropped']} of {quality['Judged']} refined samples dropped.")
    else:
        print("so no sample was refined or judged.")


def report(heads: dict[str, Segmented]) -> None:
    scores = [head.scores() for head in heads.values()]
    rows = {part: [one[part] for one in scores] for part in (*NAMES.values(), "whole")}
    rows["signal, core by oedema"] = [head.darkness() for head in heads.values()]
    print(f"| Dice | mean | lowest | {' | '.join(heads)} |")
    print("|---|---|---|" + "---|" * len(heads))
    for part, values in rows.items():
        told = [statistics.mean(values), min(values), *values]
        print(f"| {part} | {' | '.join(f'{value:.3f}' for value in told)} |")


def draw(heads: dict[str, Segmented], path: Path) -> None:
    """The slice with most tumour: truth above, what was found below; core red, oedema yellow."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    size = (3 * len(heads), 7.4)
    figure, axes = plt.subplots(2, len(heads), figsize=size, squeeze=False, layout="constrained")
    for column, (name, head) in zip(axes.T, heads.items(), strict=True):
        z = int((head.true > 0).sum((0, 1)).argmax())
        told = ", ".join(f"{part} {value:.2f}" for part, value in head.scores().items())
        titles = (f"{name}: truth", f"found: {told}")
        for axis, title, classes in zip(column, titles, (head.true, head.seen), strict=True):
            axis.imshow(head.scan[..., z].T, cmap="gray", origin="lower")
            # The whole tumour, then the core: what is left between them is the oedema.
            for part, colour in ((classes > 0, "yellow"), (classes == CORE, "red")):
                if part[..., z].any():
                    axis.contour(part[..., z].T, [0.5], colors=colour, linewidths=1)
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
