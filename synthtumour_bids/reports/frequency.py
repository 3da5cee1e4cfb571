"""Picture of how often tumours lie where."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib

from synthtumour_bids.files import replacing

SLICES = 10  # from the lowest voxel with a tumour to the highest
DPI = 90


def frequency_mosaic(
    brain: nib.Nifti1Image, share: nib.Nifti1Image, path: Path, title: str
) -> None:
    """Share of a cohort with a tumour, in colours over the template's axial slices.

    Left in the picture is the person's left.

    Parameters
    ----------
    brain, share
        Template, and share in [0, 1]; 0 is not coloured.
    path
        PNG file to write.
    title
        Line above.
    """
    import matplotlib as mpl
    from nilearn import plotting

    with mpl.rc_context({"backend": "agg"}), replacing(path) as temporary:
        display = plotting.plot_stat_map(
            share,
            bg_img=brain,
            display_mode="z",
            cut_coords=SLICES,
            cmap="inferno",
            vmin=0,
            threshold=1e-6,
            black_bg=True,
        )
        display.title(title, color="w", bgcolor="k", size=11)
        display.savefig(temporary, dpi=DPI)
        display.close()
