"""The demo's first part: a mask of one scan at once, of a starter."""

from __future__ import annotations

import json
import time
from pathlib import Path

from synthtumour_bids.demo.phantom import DemoCohort
from synthtumour_bids.demo.words import dice_of, masks_of
from synthtumour_bids.execution.streams import say


def stripped_patient(bids_dir: Path) -> str | None:
    """Find a participant with a tumour whose scan comes without skull: the quickest to segment.

    Parameters
    ----------
    bids_dir
        Of a demo cohort.

    Returns
    -------
    Label of the participant, without ``sub-``; ``None`` where there is none.
    """
    for path in sorted(bids_dir.glob("sub-tumour*/anat/*_FLAIR.json")):
        if json.loads(path.read_text(encoding="utf-8"))["SkullStripped"]:
            return path.parts[-3].removeprefix("sub-")
    return None


def segment_at_once(cohort: DemoCohort, label: str, folder: Path, nprocs: int) -> int:
    """Segment one participant with the starter, and say how long that took.

    Parameters
    ----------
    cohort
        The demo's.
    label
        Of the participant.
    folder
        Gets ``first-mask``, an output folder of its own.
    nprocs
        Cores to use.

    Returns
    -------
    Exit code of the app.
    """
    from synthtumour_bids.__main__ import main as app

    output = folder / "first-mask"
    command = [
        *(str(cohort.bids_dir), str(output), "participant", "--model", "starter"),
        *("--participant-label", label, "--truth", str(cohort.truth_dir)),
        *("--work-dir", str(folder / "work-first-mask"), "--nprocs", str(nprocs)),
    ]
    say(f"Running:      synthtumour-bids {' '.join(command)}")
    start = time.monotonic()
    code = app(command)
    seconds = time.monotonic() - start
    for mask in masks_of(output):
        dice = "".join(f", Dice {value:.2f}" for value in dice_of(output).values())
        say(f"First mask:   {mask}  ({seconds:.0f} s with its report, nothing trained{dice})")
    return code
