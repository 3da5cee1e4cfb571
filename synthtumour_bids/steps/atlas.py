"""The atlas that the user gave: read, checked, and left out where it does not serve."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

import numpy as np

from synthtumour_bids.bids.tables import read_table
from synthtumour_bids.errors import DataError, advice
from synthtumour_bids.files import fingerprint, hash_file
from synthtumour_bids.measures.location import values_at
from synthtumour_bids.measures.regions import Atlas
from synthtumour_bids.preprocessing.reading import UnreadableError, read_volume
from synthtumour_bids.preprocessing.templates import standard_brain, standard_tissues
from synthtumour_bids.settings import TEMPLATE, atlas_files
from synthtumour_bids.volumes import Volume

LOGGER = logging.getLogger(__name__)

LEAST_INSIDE = 0.5  # share of the labelled voxels that must lie in the template's brain
TOO_LARGE = 2**24  # from which float32, as images are read, does not hold every whole number
COLUMNS = ("index", "name")  # of BIDS' tables of labels
_CHECKED_AT_MM = 2.0


@cache
def load_atlas(text: str | None) -> Atlas | None:
    """Read the atlas of ``--atlas``, once per process; say why where it cannot serve.

    Parameters
    ----------
    text
        ``FILE[:LABELS.tsv]``, or nothing.

    Returns
    -------
    ``None`` where there is none that serves.
    """
    if text is None:
        return None
    try:
        return read_atlas(*atlas_files(text))
    except DataError as error:
        LOGGER.warning("%s Everything but the volumes by region is made without it.", error)
        return None


def read_atlas(path: Path, labels: Path | None) -> Atlas:
    """Read an atlas.

    Parameters
    ----------
    path
        Image of numbers in the template's space, on any grid.
    labels
        Table with the columns ``index`` and ``name``; left out, the one of the same name beside
        the image, if there is one.

    Raises
    ------
    DataError
        When a file cannot be read, numbers are no whole ones or too large, or the regions do
        not lie in the template's brain.
    """
    try:
        volume = Volume.of(read_volume(path))
    except UnreadableError as error:
        msg = f"The atlas {path} (--atlas) cannot be used. {error}"
        raise DataError(msg) from error
    most = float(np.abs(volume.data).max())
    if most >= TOO_LARGE:
        msg = (
            f"The atlas {path} (--atlas) has numbers up to {most:.0f}, and those from {TOO_LARGE} "
            "on cannot be told apart. Give its regions smaller ones, in the image and in its table."
        )
        raise DataError(msg)
    numbers = np.round(volume.data).astype(np.int32)
    if np.abs(volume.data - numbers).max() > 0.01:
        msg = (
            f"The atlas {path} (--atlas) must hold one whole number a voxel, but has others "
            f"between {volume.data.min():g} and {volume.data.max():g}: is it a map of "
            "probabilities? Give one that names the likeliest region of each voxel."
        )
        raise DataError(msg)
    _check_place(path, volume, numbers)
    _warn_of_other_template(path)
    name = path.name.partition(".")[0]
    table = labels or path.with_name(f"{name}.tsv")
    names = _read_names(table) if labels or table.is_file() else {}
    files = [hash_file(one) for one in (path, table) if one.is_file()]
    return Atlas(name, numbers, volume.affine, names, fingerprint(files=files))


def _check_place(path: Path, volume: Volume, numbers: np.ndarray) -> None:
    """Refuse regions that lie elsewhere than the template's brain."""
    indices = np.argwhere(numbers)
    points = indices @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    brain = standard_tissues(_CHECKED_AT_MM)["brain"].astype(np.float32)
    inside = values_at(points, brain, standard_brain(_CHECKED_AT_MM).affine) >= 0.5
    if not len(points) or inside.mean() < LEAST_INSIDE:
        share = float(inside.mean()) if len(points) else 0.0
        msg = (
            f"Looked in the atlas {path} (--atlas) for regions in the brain of {TEMPLATE}, and "
            f"found {share:.0%} of its {len(points)} labelled voxels there: it must lie in that "
            "space. In which space is it?"
        )
        raise DataError(msg)


def _warn_of_other_template(path: Path) -> None:
    said = dict(part.partition("-")[::2] for part in path.name.split("_"))
    template = said.get("tpl") or said.get("space")
    if template not in (None, TEMPLATE):
        LOGGER.warning(
            "The atlas %s (--atlas) is by its name for %s, and is laid over %s as it is: borders "
            "of regions may be some millimetres off.",
            path,
            template,
            TEMPLATE,
        )


def _read_names(path: Path) -> dict[int, str]:
    with advice("It names the regions of --atlas."):
        table = read_table(path)
        if table is not None:
            table.check(*COLUMNS)
    if table is None or not set(COLUMNS) <= set(table.columns):
        found = "no such file" if table is None else f"columns {', '.join(table.columns)}"
        msg = f"Looked in {path} (--atlas) for the columns {' and '.join(COLUMNS)}; found {found}."
        raise DataError(msg)
    try:
        return {int(row["index"]): row["name"] for row in table.rows}
    except ValueError as error:
        msg = f"The column index of {path} (--atlas) must hold whole numbers: {error}."
        raise DataError(msg) from error
