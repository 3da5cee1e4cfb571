"""What the JSON file beside an image says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from synthtumour_bids.settings import TEMPLATE

NATIVE_SPACE = "orig"  # BIDS' word for the grid of the source


def sidecar(
    *,
    sources: Sequence[str],
    space: str | None = None,
    resolution: float | None = None,
    spatial_reference: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Metadata of a derivative image.

    Parameters
    ----------
    sources
        BIDS URIs of what the image was made from.
    space
        Value of the name's ``space`` entity; ``None`` is the grid of the source.
    resolution
        Voxel size in mm. Required by BIDS where the name has ``res``.
    spatial_reference
        URI of the image that defines the grid, for a space that BIDS does not list.
    more
        Further fields: ``SkullStripped`` of images, ``Type`` of masks (``Brain``, ``Lesion``),
        ``Description``, figures of quality control.

    Returns
    -------
    The sidecar; ``Sources`` and ``SpatialReference`` first.
    """
    if spatial_reference is None:
        spatial_reference = NATIVE_SPACE if space is None else space
    fields: dict[str, Any] = {"Sources": list(sources), "SpatialReference": spatial_reference}
    if resolution is not None:
        grid = f"the {space} template" if space == TEMPLATE else f"{space or NATIVE_SPACE} space"
        fields["Resolution"] = f"{resolution:g} mm isotropic grid of {grid}"
    return fields | more
