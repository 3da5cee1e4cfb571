"""What to do next with a mask on a T1w image's grid: the commands of other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """What it is good for, and the lines to type."""

    purpose: str
    lines: str


def next_steps(
    *,
    participant: str,
    session: str | None,
    t1w: str,
    mask: str,
    roi_dir: str,
    filters: Mapping[str, Any],
) -> list[Command]:
    """Write the commands for one participant.

    Parameters
    ----------
    participant, session
        Labels without their prefix.
    t1w
        The T1w image, relative to the dataset.
    mask
        The mask on its grid, relative to the output folder.
    roi_dir
        The dataset of lesion masks, as the shell is to read it.
    filters
        What chooses this T1w image among several of the participant; empty for a single one.
    """
    who = f"sub-{participant}"
    chosen = ""
    commands = [
        Command(
            "Lay the mask beside the T1w image, in a copy of the dataset if it must not change",
            f'cp -Rn {roi_dir}/{who} "$BIDS_DIR"/\n'
            f'cat {roi_dir}/.bidsignore >> "$BIDS_DIR"/.bidsignore',
        )
    ]
    if filters:
        chosen = " --bids-filter-file t1w.json"
        commands.append(
            Command(
                "Of several T1w images, have the tools take the one that the mask lies on",
                f"echo '{json.dumps({'t1w': dict(filters)})}' > t1w.json",
            )
        )
    return [
        *commands,
        Command(
            "fMRIPrep, which leaves the lesion out when it fits the brain to a template",
            f'fmriprep "$BIDS_DIR" "$FMRIPREP_DIR" participant --participant-label {participant}'
            f"{chosen}",
        ),
        Command(
            "QSIPrep, which does so as well",
            f'qsiprep "$BIDS_DIR" "$QSIPREP_DIR" participant --participant-label {participant} '
            f"--output-resolution 2{chosen}",
        ),
        Command(
            "FastSurfer, which fills the lesion before it draws surfaces",
            f'run_fastsurfer.sh --t1 "$BIDS_DIR"/{t1w} --lesion_mask "$OUTPUT_DIR"/{mask} '
            f"--sid {'_'.join([who, *([f'ses-{session}'] if session else [])])} "
            '--sd "$SUBJECTS_DIR" --fs_license "$FS_LICENSE"',
        ),
    ]
