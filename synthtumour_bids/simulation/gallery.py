"""A sheet of simulated heads, beside real scans if some are given.

``python -m synthtumour_bids.simulation.gallery OUT.png [SCAN ...]``; the scans are skull-stripped
and lie on a template grid (``space-MNI152NLin2009aSym`` derivatives).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.simulation.anatomy import ORIGIN, SHAPE, SPACING
from synthtumour_bids.simulation.appearance import APPEARANCES, FLAIR, Appearance
from synthtumour_bids.simulation.head import HeadParams, render, sample
from synthtumour_bids.synthesis.seeds import stream

HEIGHTS = (-36.0, -10.0, 16.0, 30.0, 52.0)  # mm, MNI, of the slices
WINDOW = (-4.5, 5.0)  # robust standard deviations around the median


def build_parser() -> argparse.ArgumentParser:
    """Make the parser."""
    parser = argparse.ArgumentParser(
        prog="python -m synthtumour_bids.simulation.gallery",
        description="Draws simulated heads, beside stripped scans on a template grid.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="PNG file, or a folder to put it in")
    parser.add_argument("scans", type=Path, nargs="*", metavar="SCAN", help="stripped NIfTI scans")
    parser.add_argument("--count", type=int, default=8, metavar="N", help="heads (default: 8)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed (default: 1)")
    parser.add_argument(
        "--contrast",
        choices=tuple(APPEARANCES),
        default="FLAIR",
        help="of the heads (default: FLAIR)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the sheet."""
    parser = build_parser()
    args = parser.parse_args(argv)
    out = args.out if args.out.suffix == ".png" else args.out / "gallery.png"
    appearance = APPEARANCES[args.contrast]
    if missing := [str(path) for path in args.scans if not path.is_file()]:
        parser.error(f"there is no {', '.join(missing)}")
    if args.count < 1 and not args.scans:
        parser.error("nothing to draw: --count is below 1 and no scan was given")
    rows = [simulated_row(args.seed, index, appearance) for index in range(args.count)]
    rows += [real_row(path) for path in args.scans]
    out.parent.mkdir(parents=True, exist_ok=True)
    _draw(rows, out)
    print(out)
    return 0


Row = tuple[str, NDArray[np.float32]]


def simulated_row(seed: int, index: int, appearance: Appearance = FLAIR) -> Row:
    """Title and slices of one simulated head."""
    params = sample(stream(seed, "gallery", index=index), appearance)
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = ORIGIN
    head = render(params, SHAPE, affine)
    return title_of(params), slices_of(head.image, affine)


def real_row(path: Path) -> Row:
    """Title and slices of a stripped scan."""
    image = nib.as_closest_canonical(nib.Nifti1Image.from_filename(path))
    return path.name.split("_space")[0], slices_of(image.get_fdata(dtype=np.float32), image.affine)


def title_of(params: HeadParams) -> str:
    """Say what a head has."""
    spots, scanner = params.hyperintensities, params.scanner
    slices = "3-D" if scanner.thickness is None else f"{scanner.thickness:.1f}-mm slices"
    return f"age {params.age:.2f}, burden {spots.burden:.2f}, {slices}"


def slices_of(image: NDArray[np.float32], affine: NDArray[np.float64]) -> NDArray[np.float32]:
    """Axial slices side by side, in robust standard deviations of the brain; NaN outside it.

    A slice that lies outside the image is NaN throughout.
    """
    values = image[image > 0]
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    scaled = np.where(image > 0, (image - middle) / spread, np.nan)
    at = np.round((np.array(HEIGHTS) - affine[2, 3]) / affine[2, 2]).astype(int)
    blank = np.full_like(scaled[:, :, 0], np.nan)
    drawn = [scaled[:, :, k] if 0 <= k < scaled.shape[2] else blank for k in at]
    return np.concatenate([np.rot90(one) for one in drawn], axis=1)


def _draw(rows: Sequence[Row], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = rows[0][1].shape
    figure = Figure(figsize=(width / 50, len(rows) * (height + 12) / 50), facecolor="black")
    FigureCanvasAgg(figure)
    for index, (title, values) in enumerate(rows, 1):
        axes = figure.add_subplot(len(rows), 1, index)
        axes.imshow(values, cmap="gray", vmin=WINDOW[0], vmax=WINDOW[1], interpolation="nearest")
        axes.set_title(title, color="white", fontsize=8, pad=2)
        axes.set_axis_off()
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    raise SystemExit(main())
