"""Tumor Fabrication in the methods text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from synthtumour_bids.layout import Network
from synthtumour_bids.methods.base import STARTED_FROM, Cite, RunFacts
from synthtumour_bids.methods.corrections import with_annotation
from synthtumour_bids.methods.fabrication.pairs import ANNOTATED, COARSE, KINDS, REFINED
from synthtumour_bids.methods.fabrication.refined_samples import TRAINED, read_quality
from synthtumour_bids.methods.words import best_epoch, pseudo_label_count, trained
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import Role


def summary(cite: Cite) -> str:
    """Say what it is, in half a sentence."""
    return (
        "was trained with a few annotated scans and samples made from them, following Tumor "
        f"Fabrication {cite('fabrication')}"
    )


def paragraphs(facts: RunFacts, cite: Cite) -> tuple[str, str]:
    """Tell of samples and networks."""
    senior = facts.cards.get(Network.SENIOR)
    quality = read_quality(facts.models_dir)
    classes = tuple(one.name for one in senior.classes) if senior else ()
    return _samples(facts, quality, classes, cite), _networks(facts, quality, cite)


def _samples(
    facts: RunFacts, quality: Mapping[str, Any] | None, classes: tuple[str, ...], cite: Cite
) -> str:
    annotated, training, validating = _numbers(facts)
    kinds = f" with {len(classes)} classes ({', '.join(classes)})" if len(classes) > 1 else ""
    return (
        f"**Fabrication.** Lesions of {annotated} annotated scans{kinds} were cut out, changed "
        "in shape, place and brightness, and blended into tumour-free brains: "
        f"{training} coarse training samples and, of other annotated persons and in other "
        f"brains, {validating} validation samples.{_in_annotated(quality)} "
        f"{_refinement(quality, cite('fabrication'))}"
    )


def _numbers(facts: RunFacts) -> tuple[int, int, int]:
    """Annotated scans, and coarse samples of both sides: those that the senior has learned from.

    Until it has, and where its card does not count them, those that are planned.
    """
    senior, profile = facts.cards.get(Network.SENIOR), facts.settings.profile
    cases = senior.details.get("Cases", {}) if senior else {}
    sides = [cases.get(side, {}) for side in ("Training", "Validation")]
    annotated = sum(side.get(KINDS[ANNOTATED], 0) for side in sides)
    if not annotated:
        return facts.counts.get(Role.ANNOTATED, 0), profile.n_train, profile.n_shifted
    training, validating = (side.get(KINDS[COARSE], 0) for side in sides)
    return annotated, training, validating


def _refinement(quality: Mapping[str, Any] | None, cited: str) -> str:
    """What the GAN did, as sentences."""
    if quality is not None and not quality.get(TRAINED, True):
        return (
            f"The refinement of Tumor Fabrication {cited} by a generative adversarial network was "
            "left out, as too few annotated persons could be held out to tell whether it helps."
        )
    return (
        "A generative adversarial network with a dual-head discriminator and class-wise perceptual "
        f"guidance {'was trained to refine' if _useless(quality) else 'refined'} those in "
        f"tumour-free brains, after Tumor Fabrication {cited}; its design is this software's "
        f"own.{_judged(quality)}"
    )


def _networks(facts: RunFacts, quality: Mapping[str, Any] | None, cite: Cite) -> str:
    profile = facts.settings.profile
    start = ", started from the junior's weights, " if profile.senior.from_junior else " "
    junior, schedule = facts.cards.get(Network.JUNIOR), profile.junior
    senior = facts.cards.get(Network.SENIOR)
    first = ""
    if junior is not None and STARTED_FROM in junior.details:
        first = "started from the weights of a network that simulated heads had taught, "
        schedule = replace(schedule, learning_rate=profile.senior.learning_rate)
    text = (
        f"**Training.** A junior network, nnU-Net{facts.version('nnunetv2')} {cite('nnunet')}, "
        f"{first}{trained(schedule)}{best_epoch(facts, Network.JUNIOR)} on the "
        f"annotated scans and the coarse samples. A senior network{start}{trained(profile.senior)}"
        f"{best_epoch(facts, Network.SENIOR)} on {_learned(senior, quality)}. Held-out "
        "annotated scans and validation samples chose each network's checkpoint. Half of the draws "
        "in training were real scans."
    )
    told = senior.details if senior else {}
    if not told.get("SemiSupervised", facts.settings.semi_supervised):
        return text
    whose = "the junior's segmentations"
    if teacher := told.get("Teacher"):
        unsupervised = ""
        if teacher["Method"] == "synthtumour":
            n = teacher.get("CorrectedMasks", 0)
            unsupervised = f", {with_annotation(n)}" if n else ", without any annotation"
        whose = (
            f"segmentations by a network trained before (method {teacher['Method']}{unsupervised})"
        )
    return (
        f"{text} The senior's training was semi-supervised: {whose} of unlabelled tumour scans, "
        f"chosen by a quality control{pseudo_label_count(facts)}, joined it as pseudo-labels."
    )


def _learned(senior: ModelCard | None, quality: Mapping[str, Any] | None) -> str:
    """What the senior learned from beyond the junior; older cards do not count their cases."""
    if _useless(quality):
        return "the same"
    counts = senior.details.get("Cases", {}).get("Training") if senior else None
    if counts and KINDS[REFINED] not in counts:
        return "the same, as no refined sample for training was kept"
    return "these and on the refined samples that were kept"


def _useless(quality: Mapping[str, Any] | None) -> bool:
    return quality is not None and not quality["RefinementHelps"]


def _in_annotated(quality: Mapping[str, Any] | None) -> str:
    """How many samples have a host with a tumour of its own, as a sentence."""
    count = 0 if quality is None else quality.get("InAnnotatedScans", 0)
    if not count:
        return ""
    return f" The hosts of {count} of them were other annotated scans instead, with their tumours."


def _judged(quality: Mapping[str, Any] | None) -> str:
    """What became of the refined samples, as a sentence."""
    if quality is None:
        return ""
    if _useless(quality):
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
