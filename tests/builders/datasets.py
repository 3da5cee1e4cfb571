"""Datasets of empty images, and what a run finds in them."""

from __future__ import annotations

from pathlib import Path

from synthtumour_bids.bids.inputs import collect_scans
from synthtumour_bids.settings import Settings


def make(root: Path, *names: str, content: str = "") -> Path:
    """Make empty images in the folders their names ask for."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        parts = name.split("_")
        folder = root / parts[0]
        if len(parts) > 1 and parts[1].startswith("ses-"):
            folder /= parts[1]
        folder /= "dwi" if parts[-1].split(".")[0] in ("dwi", "trace", "ADC") else "anat"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return root


def put(folder: Path, *names: str) -> None:
    """Make empty files where they are said to be."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def table(root: Path, *rows: str, header: str = "participant_id\tgroup") -> None:
    (root / "participants.tsv").write_text("\n".join([header, *rows]) + "\n")


def collect(main: Path, *others: Path, **more):
    return collect_scans(Settings(main, main.parent / "out", tumourfree_dir=others, **more))


def keys(scans) -> list[str]:
    return [scan.key for scan in scans]


def found(main: Path, *others: Path, **more) -> list[str]:
    """Keys without what is the same in all of them."""
    selected = collect(main, *others, **more).selected
    return [key.removeprefix("raw/").removesuffix("_FLAIR") for key in keys(selected)]
