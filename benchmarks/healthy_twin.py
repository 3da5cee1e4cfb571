"""How near a filled hole comes to the tissue that was there: scans without a tumour are the truth.

Holes have the shapes of tumour masks and lie anywhere in one half of the brain. They are filled
with the mean of the brain within 5 mm around, with the mirror image as it is, and as
``--healthy-twin`` fills them. The midplane is sought on the scan's own axes: the scans must lie
about straight, for nothing is registered.

    python benchmarks/healthy_twin.py SCANS BRAINS MASKS --participants 01 02

SCANS is a BIDS dataset of tumour-free FLAIR scans, BRAINS holds their ``desc-brain_mask``, MASKS
any ``label-L_mask`` images (of a finished run, say).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import structural_similarity

from synthtumour_bids.segmentation.mirrored import Source, guide_from
from synthtumour_bids.segmentation.other_side import midplane_of
from synthtumour_bids.synthesis.filling import fill

Values = NDArray[np.float32]
Mask = NDArray[np.bool_]
AWAY_MM = 20.0  # of a hole's middle from the midplane
TRIES = 500
HOLES = 2  # in each scan


def straight(path: Path) -> nib.Nifti1Image:
    return nib.as_closest_canonical(nib.load(path))


def placed(shape: Mask, brain: Mask, affine: NDArray[np.float64], rng: np.random.Generator) -> Mask:
    """A hole of this shape in one half of the brain, nearly all of it inside."""
    places = np.argwhere(brain)
    for _ in range(TRIES):
        middle = places[rng.integers(len(places))]
        start = middle - np.array(shape.shape) // 2
        if (start < 0).any() or (start + shape.shape > brain.shape).any():
            continue
        hole = np.zeros(brain.shape, bool)
        hole[tuple(slice(a, a + n) for a, n in zip(start, shape.shape, strict=True))] = shape
        aside = abs(float((affine @ np.array([*middle, 1.0]))[0])) > AWAY_MM
        if aside and (hole & brain).sum() > 0.9 * hole.sum():
            return hole & brain
    raise SystemExit("No hole of this shape fits into the brain.")


def on_voxels(path: Path, spacing: NDArray[np.float64]) -> Mask:
    image = straight(path)
    mask = np.asarray(image.dataobj) > 0
    box = ndimage.find_objects(mask.astype(int))[0]
    zoom = nib.affines.voxel_sizes(image.affine) / spacing
    return ndimage.zoom(mask[box].astype(np.float32), zoom, order=1) > 0.5


def fillings(
    scan: Values, brain: Mask, hole: Mask, affine: NDArray[np.float64]
) -> Iterator[tuple[str, Values]]:
    x, y, z = map(float, nib.affines.voxel_sizes(affine))
    spacing = x, y, z
    holed = np.where(hole, 0, scan)
    ring = (ndimage.distance_transform_edt(~hole, sampling=spacing) <= 5) & brain & ~hole
    mean = float(scan[ring].mean())
    yield "local mean", np.where(hole, mean, scan)
    # A hole is a tumour's place: what is in it must not say where the midplane is.
    way = midplane_of(np.where(hole, mean, scan), brain, affine).reflection(affine)
    there = way[:3, :3] @ np.argwhere(hole).T + way[:3, 3:]
    mirrored = holed.copy()
    mirrored[hole] = ndimage.map_coordinates(holed, there, order=1)
    yield "mirrored", mirrored
    guide = guide_from(Source(holed, brain & ~hole, way), holed, brain, hole, spacing)
    yield "twin", fill(holed, hole, brain, guide.values, guide.known, spacing)


def figures(filled: Values, scan: Values, brain: Mask, hole: Mask) -> tuple[float, float, float]:
    """SSIM, PSNR in dB and mean absolute error, inside the hole; brightness from 0 to 1."""
    peak = float(np.percentile(scan[brain], 99.9))
    one, other = (np.where(brain, image, 0) / peak for image in (filled, scan))
    _, alike = structural_similarity(other, one, data_range=1.0, full=True)
    difference = (one - other)[hole]
    return (
        float(alike[hole].mean()),
        float(-10 * np.log10(np.mean(difference**2))),
        float(np.abs(difference).mean()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("scans", "brains", "masks"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--participants", nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    shapes = sorted(given.masks.rglob("*label-L_mask.nii*"))
    found: dict[str, list[tuple[float, float, float]]] = {}
    for label in given.participants:
        image = straight(next(given.scans.glob(f"sub-{label}/**/*_FLAIR.nii*")))
        mask = straight(next(given.brains.glob(f"**/sub-{label}_*desc-brain_mask.nii*")))
        scan, brain = np.asarray(image.dataobj, np.float32), np.asarray(mask.dataobj) > 0
        affine = image.affine.copy()
        affine[:3, 3] -= affine[:3, :3] @ ndimage.center_of_mass(brain) + affine[:3, 3]
        for _ in range(HOLES):
            path = shapes[rng.integers(len(shapes))]
            shape = on_voxels(path, nib.affines.voxel_sizes(affine))
            hole = placed(shape, brain, affine, rng)
            told = []
            for name, filled in fillings(scan, brain, hole, affine):
                one = figures(filled.astype(np.float32), scan, brain, hole)
                found.setdefault(name, []).append(one)
                told.append(f"{name} {one[0]:.3f} {one[1]:.1f} {one[2]:.3f}")
            volume = hole.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000
            print(f"{label} {volume:.0f} mL: {', '.join(told)}", flush=True)
    print("\nfilled with | SSIM | PSNR, dB | MAE | twin better in all three")
    for name, rows in found.items():
        means = np.mean(rows, axis=0)
        better = sum(
            twin[0] > one[0] and twin[1] > one[1] and twin[2] < one[2]
            for twin, one in zip(found["twin"], rows, strict=True)
        )
        beaten = "" if name == "twin" else f"{better} of {len(rows)}"
        print(f"{name} | {means[0]:.3f} | {means[1]:.1f} | {means[2]:.3f} | {beaten}")


if __name__ == "__main__":
    main()
