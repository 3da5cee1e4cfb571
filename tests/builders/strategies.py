"""hypothesis strategies for scans and their names."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from synthtumour_bids.bids.names import ENTITY_ORDER
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.settings import Role

SOURCE_ENTITIES = ("ses", "acq", "ce", "rec", "dir", "run", "echo", "inv", "part", "chunk")

labels = st.text("abcXYZ0129", min_size=1, max_size=6)
suffixes = st.sampled_from(("FLAIR", "T1w", "T2w", "trace", "dwi"))


@st.composite
def entities(draw) -> tuple[tuple[str, str], ...]:
    """Entities of a raw scan, in their order."""
    optional = draw(st.dictionaries(st.sampled_from(SOURCE_ENTITIES), labels, max_size=5))
    chosen = {"sub": draw(labels), **optional}
    return tuple((key, chosen[key]) for key in ENTITY_ORDER if key in chosen)


@st.composite
def scans(draw, suffix=suffixes) -> Scan:
    """A scan of the main or of another tumour-free dataset."""
    name_parts = draw(entities())
    chosen_suffix = draw(suffix)
    dataset_name = draw(st.sampled_from(("raw", "tumourfree", "tumourfree2")))
    dataset = Path("/data") / dataset_name
    stem = "_".join(f"{key}-{value}" for key, value in name_parts)
    path = dataset / f"sub-{dict(name_parts)['sub']}" / "anat" / f"{stem}_{chosen_suffix}.nii.gz"
    role = draw(st.sampled_from(Role))
    return Scan(path, name_parts, chosen_suffix, role, dataset, dataset_name)
