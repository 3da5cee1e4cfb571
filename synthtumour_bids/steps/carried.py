"""The masks of a segmentation on further grids, which go with it."""

from __future__ import annotations

from pathlib import Path

from synthtumour_bids.bids.derivatives import remove_outputs
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.steps.standard_spaces import step_of
from synthtumour_bids.steps.t1w import STEP as T1W


def carried_files(ledger: Ledger, key: str) -> list[Path]:
    """Files of a scan on the grid of its T1w image and in standard spaces, transforms among them.

    Parameters
    ----------
    ledger
        Of the output folder.
    key
        Of the scan.
    """
    stamps = (ledger.read(step, key) for step in _steps(ledger))
    return [ledger.output_dir / name for stamp in stamps if stamp for name in stamp.outputs]


def remove_carried(ledger: Ledger, key: str) -> None:
    """Remove these files, and what says that they are there; see `carried_files`."""
    remove_outputs(carried_files(ledger, key))
    for step in _steps(ledger):
        ledger.clear(step, key)


def _steps(ledger: Ledger) -> list[str]:
    every = step_of("*")
    return [T1W, *sorted(path.name for path in ledger.folder(every).parent.glob(every))]
