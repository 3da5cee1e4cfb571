"""Lesion masks as fMRIPrep and QSIPrep look for them, in a dataset to be laid beside the T1w."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from synthtumour_bids.bids.description import write_dataset_description
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import write_text

# BIDS has no name for them; the first line is what fMRIPrep's manual asks for.
BIDSIGNORE = ("*lesion_roi.nii.gz", "*lesion_roi.json")
NAME = "Lesion masks for fMRIPrep and QSIPrep, made by synthtumour_bids"

_README = """\
Tumour masks on the grids of the T1w images of BIDS_DIR, named as fMRIPrep and QSIPrep look for
them. Lay them beside the T1w images, in a copy of the dataset if it must not change:

    cp -Rn sub-* "$BIDS_DIR"/
    cat .bidsignore >> "$BIDS_DIR"/.bidsignore

Both tools then leave the lesion out when they fit a brain to a template. Look at every mask before.
"""


def write_roi_dataset(root: Path, links: Mapping[str, Path], *, anonymous: bool) -> None:
    """Write what makes a folder of lesion masks a dataset.

    Parameters
    ----------
    root
        The folder.
    links, anonymous
        As for :func:`write_dataset_description`.
    """
    root.mkdir(parents=True, exist_ok=True)
    write_dataset_description(root, links=links, name=NAME, anonymous=anonymous, ignored=BIDSIGNORE)
    readme = root / "README"
    if not readme.is_file():
        write_text(readme, _README)


def roi_path(root: Path, t1w: Scan) -> Path:
    """Path of the lesion mask that belongs to a T1w image.

    ``sub-X/[ses-Y/]anat/sub-X[_ses-Y]_label-lesion_roi.nii.gz``: one for each session.
    """
    parts = [f"sub-{t1w.subject}", *([f"ses-{t1w.session}"] if t1w.session else [])]
    return root.joinpath(*parts, "anat", f"{'_'.join(parts)}_label-lesion_roi.nii.gz")
