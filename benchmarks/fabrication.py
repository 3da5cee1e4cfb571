"""Do synthetic tumours help where few scans are annotated? Seven ways to learn from N of them.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast
    python benchmarks/fabrication.py OUT RESULTS              # resumes where it stopped

The arms: the annotated scans alone (``plain``), with CarveMix, with TF-Aug in tumour-free scans
only (``tf-free``), in annotated ones only (``tf-own``) or, as the app does it, half and half
(``tf-aug``), the latter with TF-GAN's refined samples as well (``tf-gan``), and these with the
gliomas without annotation, pseudo-labelled by the label-free junior of OUT (``combined``). nnU-Net,
its augmentation and the number of steps are the same in all; no epoch is selected. Ten scans with
truth are tested in every cell and enter nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import fabrication_arms as arms
import nibabel as nib
import numpy as np
from fabrication_arms import Labelled, Sample
from fabrication_cohort import Cohort, Member, open_cohort, score

from synthtumour_bids.files import write_json
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.training import train
from synthtumour_bids.synthesis.pseudo_labels import assess, select

ARMS = ("plain", "carvemix", "tf-free", "tf-aug", "tf-own", "tf-gan", "combined")
MIXED = {"tf-free": 0, "tf-own": arms.N_MADE}  # samples in annotated scans
# One long epoch: its last, averaged weights are kept, so that nothing selects.
SCHEDULE = Training(
    epochs=1,
    iterations_per_epoch=300,
    patience=1,
    min_epochs=1,
    batch_size=2,
    patch_size=(32, 48, 32),
    features=(8, 16, 32),
    optimiser="adamw",
    learning_rate=5e-3,
)


@dataclass(frozen=True)
class Cell:
    """One network: an arm, with n annotated scans, from one seed."""

    arm: str
    n: int
    seed: int
    results: Path

    @property
    def group(self) -> Path:
        """Folder of all arms with these annotated scans and this seed."""
        return self.results / f"n-{self.n:02d}_seed-{self.seed}"

    @property
    def folder(self) -> Path:
        return self.group / self.arm

    @property
    def scores(self) -> Path:
        return self.folder / "scores.json"


def run(cell: Cell, cohort: Cohort) -> None:
    """Train and test one network, unless that is done."""
    if cell.scores.is_file():
        return
    start = time.monotonic(), time.process_time()
    real, samples = learnt_from(cell, cohort)
    cell.folder.mkdir(parents=True, exist_ok=True)
    prepared = build_dataset(
        arms.cases(real, samples, cell.folder / "cases"),
        cell.folder / "dataset",
        dataset_id=700,
        name="fabrication",
        training=SCHEDULE,
        n_processes=1,
    )
    model = cell.folder / "model"
    curve = train(prepared, model, training=SCHEDULE, device="cpu", seed=cell.seed, nprocs=1)
    maps = probabilities(cell, cohort.test)
    scores = {member.label: asdict(score(member, maps[member.label])) for member in cohort.test}
    facts = {
        "annotated": [member.label for member in cohort.annotated(cell.n)],
        "learnt_from": {"real": len(real), "synthetic": len(samples)},
        "training_loss": curve.train_loss[-1],
        "seconds": time.monotonic() - start[0],
        "cpu_seconds": time.process_time() - start[1],
        "scores": scores,
    }
    write_json(cell.scores, facts)


def learnt_from(cell: Cell, cohort: Cohort) -> tuple[list[Labelled], list[Sample]]:
    """Real and synthetic scans of one cell."""
    real = [Labelled.of(member) for member in cohort.annotated(cell.n)]
    if cell.arm == "plain":
        return real, []
    if cell.arm == "carvemix":
        return real, list(arms.carved(real, cell.seed))
    hosts = arms.labelled_hosts(cohort)
    gan = None
    if cell.arm in ("tf-gan", "combined"):
        gan = arms.train_gan(real, hosts, cell.group / "gan", cell.seed)
    mixed = MIXED.get(cell.arm, arms.N_MIXED)
    made = arms.fabricated(real, hosts, arms.N_MADE - mixed, cell.seed, "train")
    samples = made + arms.fabricated(real, real, mixed, cell.seed, "mixed")
    if gan is not None and gan.helps:
        samples += arms.refined(made, gan, cell.folder)
    if cell.arm == "combined":
        real += pseudo_labelled(cell, cohort)
    return real, samples


def pseudo_labelled(cell: Cell, cohort: Cohort) -> list[Labelled]:
    """The other gliomas as the label-free junior sees them, if they pass the app's checks."""
    members = cohort.unlabelled(cell.n)
    images = {
        member.label: next(member.native.glob("*_space-*_desc-preproc_FLAIR.nii.gz"))
        for member in members
    }
    mean, plain = (
        dict(
            predict(
                cohort.junior,
                images,
                cell.results / f"teacher{'' if mirroring else '-unmirrored'}",
                device="cpu",
                mirroring=mirroring,
                nprocs=1,
            )
        )
        for mirroring in (True, False)
    )
    assessed = {}
    for member in members:
        both, one = (member.resampled(maps[member.label]) for maps in (mean, plain))
        spacing = tuple(float(z) for z in nib.load(member.image).header.get_zooms())
        assessed[member.label] = assess(
            both, member.mask, spacing, reference_probability=2 * both - one
        )
    chosen = select(assessed)
    write_json(cell.folder / "pseudo_labels.json", asdict(chosen))
    return [
        Labelled.of(member, assessed[member.label].mask)
        for member in members
        if member.label in chosen.names
    ]


def probabilities(cell: Cell, members: Sequence[Member]) -> dict[str, Path]:
    images = {member.label: member.image for member in members}
    model, folder = cell.folder / "model", cell.folder / "predictions"
    return dict(predict(model, images, folder, device="cpu", mirroring=True, nprocs=1))


def table(cells: Sequence[Cell]) -> None:
    """Print mean Dice and HD95 over scans and seeds, and over seeds the range of the means."""
    print("| annotated | arm | Dice | median | HD95, mm | empty | seeds |")
    print("|---|---|---|---|---|---|---|")
    for n in dict.fromkeys(cell.n for cell in cells):
        for arm in ARMS:
            done = [c for c in cells if (c.n, c.arm) == (n, arm) and c.scores.is_file()]
            runs = [json.loads(cell.scores.read_text())["scores"].values() for cell in done]
            if not runs:
                continue
            means = [statistics.mean(one["dice"] for one in run) for run in runs]
            dice = [one["dice"] for run in runs for one in run]
            far = [one["hd95_mm"] for run in runs for one in run]
            known = [mm for mm in far if mm is not None and np.isfinite(mm)]
            spread = f" ({min(means):.3f}–{max(means):.3f})" if len(means) > 1 else ""
            print(
                f"| {n} | {arm} | {statistics.mean(means):.3f}{spread} "
                f"| {statistics.median(dice):.3f} | {statistics.mean(known):.1f} "
                f"| {len(far) - len(known)} | {len(runs)} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="OUT of cohort.py, preprocessed")
    parser.add_argument("results", type=Path)
    parser.add_argument("--n", type=int, nargs="+", default=(5, 3, 10))
    parser.add_argument("--arms", choices=ARMS, nargs="+", default=ARMS)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0,))
    parser.add_argument("--resolution", type=float, default=4.0, help="mm")
    options = parser.parse_args()
    os.environ.setdefault("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "1")
    results = options.results.absolute()
    cohort = open_cohort(
        options.out.absolute(), results / f"grid-{options.resolution:g}", options.resolution
    )
    cells = [
        Cell(arm, n, seed, results)
        for seed in options.seeds
        for n in options.n
        for arm in options.arms
    ]
    for cell in cells:
        run(cell, cohort)
        print(cell.folder.relative_to(results), flush=True)
    table(sorted(cells, key=lambda cell: cell.n))


if __name__ == "__main__":
    main()
