"""Tumour classes: what the values of a class image mean, and the table that tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.tables import Table, read_table
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_tsv

DSEG = "desc-tumour_dseg"


@dataclass(frozen=True)
class TumourClass:
    """One kind of tumour tissue.

    Attributes
    ----------
    index
        Its value in the annotations and in what is written.
    name, abbreviation, color
        As in the class table; the last two may be empty.
    """

    index: int
    name: str
    abbreviation: str = ""
    color: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)


WHOLE_TUMOUR = (TumourClass(1, "tumour"),)


def read_classes(image: Path, root: Path) -> tuple[TumourClass, ...]:
    """Read what the values of a class image mean.

    Parameters
    ----------
    image
        ``*_dseg.nii[.gz]``. Its table is the ``.tsv`` of the same name or, as BIDS lets tables be
        inherited, a ``desc-tumour_dseg.tsv`` or ``dseg.tsv`` in a folder above.
    root
        Where to stop looking.

    Returns
    -------
    All rows but the background (index 0), by rising index.

    Raises
    ------
    DataError
        When there is no table, it cannot be read, or it has no class, a class twice, or an index
        that is no whole number from 1 to 255.
    """
    own = image.with_name(image.name.partition(".")[0] + ".tsv")
    folders = [folder for folder in image.parents if folder.is_relative_to(root)]
    names = [f"{DSEG}.tsv", "dseg.tsv"]
    wanted = [own, *(folder / name for folder in folders for name in names)]
    path = next((path for path in wanted if path.is_file()), None)
    if path is None:
        msg = (
            f"The classes of {image} are told nowhere: looked for {own.name} beside it and for "
            f"{' or '.join(names)} in the folders above up to {root}, found none. The table needs "
            "the columns index and name."
        )
        raise DataError(msg)
    table = read_table(path) or Table(path, (), ())
    table.check("index", "name", "abbreviation", "color")
    try:
        classes = sorted(map(_row, table.rows), key=lambda one: one.index)
    except (KeyError, ValueError) as error:
        msg = (
            f"{path} cannot be read as a class table, with the columns index (whole numbers from "
            f"0 to 255) and name: {error}."
        )
        raise DataError(msg) from error
    kept = tuple(one for one in classes if one.index > 0)
    if not kept or len({one.index for one in kept}) < len(kept):
        problem = "has an index twice" if kept else "has no class beside the background"
        msg = f"{path} {problem}: one row for each value of {image.name} is needed."
        raise DataError(msg)
    return kept


def write_classes(path: Path, classes: Sequence[TumourClass]) -> None:
    """Write the class table beside an image of class numbers."""
    filled = [key for key in ("abbreviation", "color") if any(getattr(c, key) for c in classes)]
    write_tsv(path, [one.to_json() for one in classes], ["index", "name", *filled])


def _row(row: Mapping[str, str]) -> TumourClass:
    index = int(row["index"])
    if not 0 <= index <= 255:
        msg = f"index {index} is out of range"
        raise ValueError(msg)
    name = row["name"]
    if not name:
        msg = f"index {index} has no name"
        raise ValueError(msg)
    more = {key: row.get(key, "") for key in ("abbreviation", "color")}
    empty = ("n/a", "")
    return TumourClass(index, name, **{k: "" if v in empty else v for k, v in more.items()})
