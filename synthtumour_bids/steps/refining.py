"""Whose probabilities the scan itself refines: networks that no annotation has shown a border."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from synthtumour_bids.settings import Method

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synthtumour_bids.steps.volumes import Volume
    from synthtumour_bids.synthesis.borders import Evidence


def evidence_of(model_dir: Path) -> Evidence | None:
    """How the scan refines what a trained network says; ``None`` if it does not.

    Networks of the published preset are left as published, and those of fabrication learn borders
    from annotations.
    """
    from synthtumour_bids.synthesis.borders import Evidence

    described = json.loads((model_dir / "model.json").read_text())
    label_free = described.get("Method", Method.SYNTHTUMOUR) == Method.SYNTHTUMOUR
    return Evidence() if label_free and described.get("Preset") == "default" else None


def refined(
    probability: Volume, image: Path, brain: NDArray[np.bool_], evidence: Evidence | None
) -> NDArray[np.float32]:
    """Probability on the template grid, refined by the image it was made from."""
    from synthtumour_bids.steps.volumes import load_volume
    from synthtumour_bids.synthesis.borders import refine

    if evidence is None:
        return probability.data
    return refine(probability.data, load_volume(image).data, brain, probability.spacing, evidence)
