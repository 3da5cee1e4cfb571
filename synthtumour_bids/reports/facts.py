"""What is known of a scan, as a list of labels and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from nibabel import Nifti1Image
from nibabel.affines import voxel_sizes

from synthtumour_bids.settings import TEMPLATE

Fact = tuple[str, str]
MEASURED = "MeasuredOnRealScans"  # of sidecars of masks; absent where the network was

ROLES = {
    "tumour": "to be segmented",
    "tumourfree": "tumour-free: a host of synthetic tumours, not segmented",
    "annotated": "annotated: learned from, not segmented",
    "heldout": "tumour-free and held out: segmented, learned from in no way",
}


def input_facts(image: Nifti1Image, source: str, role: str) -> list[Fact]:
    """What went in; of the image, its header alone is read."""
    shape = " × ".join(map(str, image.shape))
    spacing = " × ".join(f"{size:.3g}" for size in voxel_sizes(image.affine))
    return [
        ("Scan", source),
        ("Grid", f"{shape} voxels of {spacing} mm"),
        ("Role", ROLES.get(role, role)),
    ]


def brain_facts(sidecar: Mapping[str, Any], template: str) -> list[Fact]:
    """How the brain was found, from the sidecar of its mask."""
    measured = sidecar.get("QualityControl", {})
    facts = [("Brain mask", _brain_method(sidecar))]
    if "brain_volume_mL" in measured:
        facts.append(("Brain volume", f"{measured['brain_volume_mL']:.0f} mL, with its fluid"))
    aligned = f"affine, to {template}"
    if "standard_overlap" in measured:
        aligned += f"; brains overlap with a Dice of {measured['standard_overlap']:.2f}"
    return [*facts, ("Alignment", aligned)]


def _brain_method(sidecar: Mapping[str, Any]) -> str:
    method, head = sidecar.get("Method", "n/a"), sidecar.get("HeadTemplate", "n/a")
    return str(method) if head == "n/a" else f"{method} (head template {head})"


def place_of(location: Mapping[str, Any]) -> str:
    """Say where a tumour lies, from its measured place."""
    if not location:
        return "n/a, as the mask is empty"
    side = location["side"]
    if side == "both":
        side = f"both sides ({100 * location['left_share']:.0f} % of it left)"
    x, y, z = (f"{location[f'centre_{axis}_mm']:.0f}" for axis in "xyz")
    space = location.get("Template", TEMPLATE)
    return f"{side}, centre at x = {x}, y = {y}, z = {z} mm of {space}"


def size_of(size: Mapping[str, Any]) -> str:
    """Say how big the largest part is, from its measures."""
    axial = f"{size['axial_diameter_mm']:.0f} × {size['axial_perpendicular_mm']:.0f} mm"
    longest = f"{size['longest_diameter_mm']:.0f} mm"
    return f"{size['largest_focus_mL']:.1f} mL, {axial} in one axial slice, longest line {longest}"


def presence_of(result: Mapping[str, Any]) -> str:
    """Say whether there is a tumour, and what that rests on, from a scan's measurements."""
    present, p = result["tumour_present"], result.get("presence_p")
    if "presence_persons" not in result:
        return f"{present}: not judged, as the masks are of an earlier version"
    if p is None:
        why = (
            "the mask is empty" if present == "no" else "too few tumour-free scans to compare with"
        )
        return f"{present}: {why}"
    n, source = result["presence_persons"], result["presence_source"]
    alike = round(p * (n + 1)) - 1
    return f"{present}: p = {p:.3f}, as {alike} of {n} {source} look at least as much like one"


def tumour_facts(
    result: Mapping[str, Any],
    sidecar: Mapping[str, Any],
    size: Mapping[str, Any],
    location: Mapping[str, Any],
) -> list[Fact]:
    """What the segmentation found, from its measurements, its mask's sidecar, size and place."""
    parts = result["n_components"]
    volume = f"{result['volume_mL']:.1f} mL in {parts} part{'' if parts == 1 else 's'}"
    if result.get("brain_volume_mL"):
        volume += f", {100 * result['volume_mL'] / result['brain_volume_mL']:.1f} % of the brain"
    facts = [
        ("Tumour present", presence_of(result)),
        ("Tumour", volume),
        *([("Largest part", size_of(size))] if size else []),
        ("Location", place_of(location)),
    ]
    if result.get("junior_senior_dice") is not None:
        junior = f"{result['junior_volume_mL']:.1f} mL"
        agreement = f"Dice {result['junior_senior_dice']:.2f}; the junior marked {junior}"
        facts.append(("Junior and senior", agreement))
    if result.get("mean_probability") is not None:
        certainty = f"probability {result['mean_probability']:.2f}"
        if result.get("mean_entropy") is not None:
            certainty += f", entropy {result['mean_entropy']:.2f} bit"
        facts.append(("Mean of what the network marked", certainty))
    facts += expected_facts(result, sidecar)
    reasons = Counter(one["Reason"] for one in sidecar.get("DroppedComponents", ()))
    if reasons:
        told = (f"{n} part{'' if n == 1 else 's'}: {reason}" for reason, n in reasons.items())
        facts.append(("Dropped", "; ".join(told)))
    return facts


def network_facts(sidecar: Mapping[str, Any]) -> list[Fact]:
    """Which networks made a mask, from its sidecar."""
    models = sidecar.get("Models", {})
    facts = [("Networks", ", ".join(f"{name} {mark}" for name, mark in models.items()))]
    if not sidecar.get(MEASURED, True):
        facts.append(
            ("Measured on real scans", "no: this starter was tried on simulated heads alone")
        )
    return facts


def expected_facts(result: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Fact]:
    """Dice to be expected, or why it is not known.

    Nothing is said of masks of before there was one, and where there is no tumour.
    """
    if result.get("expected_dice") is not None:
        low, high = result["expected_dice_low"], result["expected_dice_high"]
        words = f"{result['expected_dice']:.2f} (nine of ten known masks: {low:.2f} to {high:.2f})"
        return [("Expected Dice", words)]
    if result.get("tumour_present") == "no":
        return []
    told = sidecar.get("ExpectedDice") or sidecar.get("ReplantTest") or {}  # as it was before
    if "Skipped" in told:
        return [("Expected Dice", f"not known: {told['Skipped']}")]
    return [("Expected Dice", "not known: too little is marked")] if told else []


def truth_facts(scores: Mapping[str, Any]) -> list[Fact]:
    """How well the mask agrees with the manual one."""
    if not scores:
        return []
    distance = scores["hd95_mm"]
    surface = "HD95 undefined" if distance is None else f"HD95 {distance:.1f} mm"
    error = f"volume error {scores['volume_error_mL']:+.1f} mL"
    return [("Agreement with the truth", f"Dice {scores['dice']:.2f}, {surface}, {error}")]
