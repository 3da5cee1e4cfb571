"""The methods text of fabrication: which annotated scans, which samples, how many were dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthtumour_bids.settings import Method, Settings


def fabrication_text(
    settings: Settings,
    *,
    n_annotated: int,
    quality: Mapping[str, Any] | None,
    classes: tuple[str, ...],
    junior: str,
    senior: str,
    semi_supervised: bool,
    teacher: str | None,
    pseudo_labels: str,
    cited: str,
) -> str:
    """Write the paragraphs on samples and networks.

    Parameters
    ----------
    settings
        Of the run.
    n_annotated
        Annotated scans.
    quality
        Content of ``fabricator/quality.json``; ``None`` where it is not known.
    classes
        Names of the tumour classes.
    junior, senior
        How each network was trained.
    semi_supervised
        Whether the senior learned from pseudo-labelled scans, too.
    teacher
        Method of the given network that made the pseudo-labels; ``None`` where the junior did.
    pseudo_labels
        How many these were, in brackets; empty where unknown.
    cited
        The number of the method's reference.
    """
    profile = settings.profile
    kinds = f" with {len(classes)} classes ({', '.join(classes)})" if len(classes) > 1 else ""
    useless = quality is not None and not quality["RefinementHelps"]
    samples = (
        f"**Fabrication.** Lesions of {n_annotated} annotated scans{kinds} were cut out, changed "
        "in shape, place and brightness, and blended into tumour-free brains: "
        f"{profile.n_train} coarse training samples and, of other annotated persons and in other "
        f"brains, {profile.n_shifted} validation samples.{_in_annotated(quality)} A generative "
        "adversarial network with a dual-head discriminator and class-wise perceptual guidance "
        f"{'was trained to refine' if useless else 'refined'} those in tumour-free brains, after "
        f"Tumor Fabrication {cited}; its design is this software's own.{_told(quality)}"
    )
    learned = "the same" if useless else "these and on the refined samples that were kept"
    networks = (
        f"**Training.** A junior network{junior} on the annotated scans and the coarse samples. "
        f"A senior network{senior} on {learned}. Held-out "
        "annotated scans and validation samples chose each network's checkpoint. Half of the draws "
        "in training were real scans."
    )
    if semi_supervised:
        whose = "the junior's segmentations"
        if teacher is not None:
            unsupervised = ", without any annotation" if teacher == Method.SYNTHTUMOUR else ""
            whose = f"segmentations by a network trained before (method {teacher}{unsupervised})"
        networks += (
            f" The senior's training was semi-supervised: {whose} of unlabelled tumour scans, "
            f"chosen by a quality control{pseudo_labels}, joined it as pseudo-labels."
        )
    return f"{samples}\n\n{networks}"


def _in_annotated(quality: Mapping[str, Any] | None) -> str:
    """How many samples have a host with a tumour of its own, as a sentence."""
    count = 0 if quality is None else quality.get("InAnnotatedScans", 0)
    if not count:
        return ""
    return f" The hosts of {count} of them were other annotated scans instead, with their tumours."


def _told(quality: Mapping[str, Any] | None) -> str:
    """What became of the refined samples, as a sentence."""
    if quality is None:
        return ""
    if not quality["RefinementHelps"]:
        return (
            " Refinement did not bring the samples nearer to held-out real lesions, so no refined "
            "samples were used: the networks learned from the annotated scans and the coarse "
            "samples."
        )
    return (
        f" Of {quality['Judged']} refined samples {quality['Dropped']} "
        f"({100 * quality['Rate']:.0f} %) were dropped because the discriminator or a "
        "segmentation network scored them below real lesions."
    )
