"""Draw the figures of README and documentation, of simulated heads alone.

Usage: ``python scripts/figures.py DEMO [FOLDER]``: DEMO is a folder that ``synthtumour-demo`` has
finished, FOLDER gets the pictures (default: ``docs/images``).
"""

from __future__ import annotations

import csv
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from synthtumour_bids import synthesis
from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.demo.head import Head, simulate_head

# Two colours that colour-blind readers tell apart (Okabe and Ito); dashes do it in grey.
MASK: dict[str, Any] = {"colors": "#E69F00", "linestyles": "solid", "linewidths": 1.3}
TRUTH: dict[str, Any] = {"colors": "#56B4E9", "linestyles": "dashed", "linewidths": 1.1}
MARGIN_MM = 6.0
SEED = 527
OF_REPORT = "sub-tumour03"  # whose pictures show what a page looks like


@dataclass(frozen=True)
class Panel:
    """An axial slice to draw; arrays are (X, Y, Z) in RAS order on one grid, spacing is in mm.

    Attributes
    ----------
    level
        Where most of it is, the slice is taken.
    mask, truth
        Outlined, where given.
    """

    title: str
    scan: NDArray[np.float32]
    brain: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    level: NDArray[np.bool_]
    mask: NDArray[np.bool_] | None = None
    truth: NDArray[np.bool_] | None = None

    def draw(self, axes: Axes) -> None:
        """Draw the slice, cropped to the brain."""
        k = int(self.level.sum(axis=(0, 1)).argmax())
        window = tuple(
            slice(max(0, held[0] - margin), held[-1] + margin + 1)
            for held, margin in (
                (np.flatnonzero(self.brain.any(axis=others)), round(MARGIN_MM / size))
                for others, size in zip(((1, 2), (0, 2)), self.spacing[:2], strict=True)
            )
        )
        shown = self.scan[*window, k].T
        white = np.percentile(self.scan[self.brain], 99.8)
        aspect = self.spacing[1] / self.spacing[0]
        axes.imshow(shown, cmap="gray", vmin=0, vmax=white, origin="lower", aspect=aspect)
        for outline, style in ((self.mask, MASK), (self.truth, TRUTH)):
            if outline is not None and outline[*window, k].any():
                axes.contour(outline[*window, k].T, [0.5], **style)
        axes.set_title(self.title, fontsize=9)
        axes.axis("off")
        for x, letter, side in ((0.02, "L", "left"), (0.98, "R", "right")):
            place = axes.transAxes
            axes.text(x, 0.5, letter, color="white", fontsize=8, ha=side, transform=place)


def main(demo: Path, folder: Path) -> None:
    """Draw ``overview.png``, ``stages.png`` and ``results.png``; take two pictures of a page."""
    folder.mkdir(parents=True, exist_ok=True)
    learned, found = stages(), results(demo)
    save(folder / "overview.png", [learned[1], learned[3], best(found)])
    save(folder / "stages.png", learned)
    save(folder / "results.png", found)
    for name in ("tumour", "certainty"):
        source = demo / "segmentations" / OF_REPORT / "figures"
        picture = source / f"{OF_REPORT}_desc-{name}_FLAIR.svg"
        shutil.copyfile(picture, folder / f"report-{name}.svg")


def stages() -> list[Panel]:
    """What the networks learn from: a drawn tumour, and one that is taken from another head."""
    stripped = Acquisition(stripped=True)
    host = brain_of(simulate_head(synthesis.stream(SEED, "host"), 2.0, stripped))
    head = simulate_head(synthesis.stream(SEED, "patient-c"), 2.0, stripped, tumour_volume=60)
    patient, tumour = brain_of(head), head.truth.get_fdata() > 0

    priors = synthesis.load_priors("glioma", "FLAIR")
    rng = synthesis.stream(SEED, "host", index=6)
    drawn, label = synthesis.render(host, synthesis.sample_tumour(rng, host, priors))
    rng = synthesis.stream(SEED, "patient", "host", index=7, purpose="mix")
    mixing = synthesis.sample_mix(rng)
    mixed, mixed_label = synthesis.mix(patient, tumour, host, mixing)
    label, mixed_label = label > 0, mixed_label > 0
    return [
        Panel("tumour-free head", host.image, host.mask, host.spacing, label),
        Panel("stage 1: a drawn tumour", drawn, host.mask, host.spacing, label, label),
        Panel("a patient", patient.image, patient.mask, patient.spacing, tumour, tumour),
        Panel("stage 2: mixed", mixed, host.mask, host.spacing, mixed_label, mixed_label),
    ]


def brain_of(head: Head) -> synthesis.Brain:
    """A simulated, stripped head for the library."""
    x, y, z = map(float, head.image.header.get_zooms())
    image = head.image.get_fdata(dtype=np.float32)
    return synthesis.Brain(image, head.brain.get_fdata() > 0, (x, y, z))


def results(demo: Path) -> list[Panel]:
    """The demo's patients who came once, with the mask of the senior and the simulated truth."""
    with (demo / "segmentations" / "participants.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["role"] == "tumour"]
    once = [row for row in rows if (demo / "bids" / row["participant_id"] / "anat").is_dir()]
    return [result(demo, row["participant_id"], float(row["dice"])) for row in once]


def result(demo: Path, subject: str, dice: float) -> Panel:
    """One patient of the demo."""
    places = (
        ("bids", "FLAIR"),
        ("segmentations", "desc-brain_mask"),
        ("segmentations", "label-L_mask"),
        ("truth", "label-L_mask"),
    )
    images = [
        nib.as_closest_canonical(
            nib.load(demo / dataset / subject / "anat" / f"{subject}_{name}.nii.gz")
        )
        for dataset, name in places
    ]
    scan, *masks = (image.get_fdata(dtype=np.float32) for image in images)
    brain, mask, truth = (values > 0 for values in masks)
    x, y, z = map(float, images[0].header.get_zooms())
    return Panel(f"Dice {dice:.2f}", scan, brain, (x, y, z), truth, mask, truth)


def best(found: list[Panel]) -> Panel:
    """The patient with the highest Dice, under a title that says so."""
    one = max(found, key=lambda panel: panel.title)
    return replace(one, title=f"the senior's mask ({one.title}, best of {len(found)})")


def save(path: Path, panels: list[Panel]) -> None:
    """Draw panels side by side, with a legend."""
    figure = Figure(figsize=(9, 9 / len(panels) * 1.25 + 0.25), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels)), panels, strict=True):
        panel.draw(axes)
    lines = [Line2D([], [], color=MASK["colors"], label="mask")]
    if any(panel.truth is not None for panel in panels):
        dashed = {"color": TRUTH["colors"], "linestyle": "dashed"}
        lines.append(Line2D([], [], **dashed, label="simulated truth"))
    figure.legend(handles=lines, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "docs/images"))
