"""Tumor Fabrication, step by step: what junior and senior learn from, given a few annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import UsageError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.files import fingerprint, hash_file
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import corrections, lineage
from synthtumour_bids.methods.base import Cite, Material, RunFacts
from synthtumour_bids.methods.fabrication import pairs, words
from synthtumour_bids.methods.fabrication.checks import check_cohort
from synthtumour_bids.methods.fabrication.coarse_samples import ANNOTATED_SHARE
from synthtumour_bids.methods.fabrication.refined_samples import gan_settings
from synthtumour_bids.methods.learners import learnable
from synthtumour_bids.methods.pseudo_labels import (
    as_cases,
    forget_pseudo_labels,
    pseudo_labelled,
    unlabelled,
)
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import Model, ModelCard
from synthtumour_bids.settings import Role, Settings, Step
from synthtumour_bids.synthesis.borders import Evidence

SYNTHESIS_VERSION = "0.1.0"  # changes when the same seed gives other samples
TEACHER = "teacher"


@dataclass(frozen=True)
class Fabrication:
    """Tumor Fabrication.

    Attributes
    ----------
    evidence_of
        How a network refines borders, by its card: a teacher may be of another method.
    """

    evidence_of: Callable[[ModelCard], Evidence | None]
    name: str = "fabrication"
    preset: str = "default"

    # ------------------------------------------------------------------ what is learned from

    def make_samples(self, job: Job) -> list[ScanOutcome]:
        """Make samples from the annotated scans, unless they are there.

        Annotated persons and hosts are divided into training and validation; each side gets
        samples of its own lesions in its own hosts, first coarse, then refined.
        """
        if lineage.is_trained(job, self) or self.has_samples(job):
            return [ScanOutcome(pairs.NAME, Step.SYNTHESISE, Status.SKIPPED, of_scan=False)]
        return pairs.make_pairs(
            job, self._sources(job), self.classes(job), self._samples_fingerprint(job)
        )

    def has_samples(self, job: Job) -> bool:
        """Whether the samples are there, made from the scans as they are."""
        made = lineage.is_made_from(
            job, pairs.NAME, self._samples_fingerprint(job), self._sources(job)
        )
        return made and pairs.list_file(job).is_file()

    def material(self, job: Job, network: Network) -> Material:
        """Gather what a network learns from.

        The junior: annotated scans and coarse samples, from the weights of a starter where there is
        one. The senior: the refined samples, too, and, semi-supervised, pseudo-labelled scans.
        """
        made, sources = pairs.read_pairs(job), self._made_from(job)
        if network is Network.JUNIOR:
            cases = pairs.cases(made, refined=False)
            junior = job.settings.junior  # a starter's weights, or none
            start = junior if isinstance(junior, Path) else None
            told = {"SemiSupervised": False}
            return Material(tuple(cases), tuple(sources), card=told, start=start)
        tumours = self._pseudo_labelled_scans(job, made)
        labelling = self._labelling_model(job)
        labelled = []
        if tumours:
            evidence = self.evidence_of(labelling.card)
            found = pseudo_labelled(job, labelling, evidence, tumours)
            labelled = as_cases(job, found, prefix="pseudo")
        else:
            forget_pseudo_labels(job)
        cases = pairs.cases(made, refined=True, pseudo_labelled=labelled)
        return Material(tuple(cases), (*sources, *tumours), card=self._card(job))

    def calibration_cases(self, job: Job) -> Sequence[Case]:
        """Give the samples that validated the senior; what persons annotated is left out."""
        return pairs.known_cases(job)

    def _sources(self, job: Job) -> list[Scan]:
        """Scans that the samples are made from: all, or those that a finished junior has seen."""
        scans = [*learnable(job, Role.TUMOURFREE), *learnable(job, Role.ANNOTATED)]
        return lineage.known_before(job, self, scans)

    def _made_from(self, job: Job) -> list[Scan]:
        """Those of them that the samples which are there were made from."""
        current = self._samples_fingerprint(job)
        return lineage.made_from(job, pairs.NAME, current, self._sources(job))

    def _pseudo_labelled_scans(self, job: Job, made: Sequence[pairs.Pair]) -> list[Scan]:
        if not job.settings.semi_supervised:
            return []
        validating = pairs.validating_persons(job, made)
        annotated = pairs.annotated_images(job, made)
        return [
            scan
            for scan in unlabelled(job)
            if scan.person not in validating and job.image(scan) not in annotated
        ]

    def _labelling_model(self, job: Job) -> Model:
        """Which network makes the pseudo-labels: the given teacher's senior, or the junior."""
        teacher = _teacher(job.settings)
        return teacher if teacher is not None else job.model(Network.JUNIOR)

    def _card(self, job: Job) -> Mapping[str, Any]:
        told: dict[str, Any] = {"SemiSupervised": job.settings.semi_supervised}
        teacher = _teacher(job.settings)
        if teacher is not None:
            card = teacher.card
            told["Teacher"] = {
                "Method": card.method,
                "Preset": card.preset,
                "Profile": card.profile,
                "Fingerprint": card.fingerprint,
                **corrections.told_of(card),
            }
        return told

    # ------------------------------------------------------------------ what it depends on

    def fingerprint(self, job: Job, network: Network) -> str:
        """Hash of all settings that a network depends on."""
        settings = job.settings
        junior = fingerprint(
            fabrication=self._samples_fingerprint(job),
            training=dataclasses.asdict(settings.profile.junior),
        )
        if network is Network.JUNIOR:
            return junior
        teaching: dict[str, Any] = {}
        teacher = _teacher(settings)
        if teacher is not None:
            card = teacher.card
            evidence = self.evidence_of(card)
            teaching = {
                "teacher": card.fingerprint,
                "evidence": dataclasses.asdict(evidence) if evidence else None,
            }
        return fingerprint(
            junior=junior,
            training=dataclasses.asdict(settings.profile.senior),
            semi_supervised=settings.semi_supervised,
            hold_out=sorted(settings.hold_out) if settings.semi_supervised else [],
            **teaching,
        )

    def _samples_fingerprint(self, job: Job) -> str:
        settings = job.settings
        return fingerprint(
            version=SYNTHESIS_VERSION,
            method=self.name,
            contrast=settings.contrast,
            seed=settings.seed,
            resolution=settings.profile.resolution,
            n_train=settings.profile.n_train,
            n_validation=settings.profile.n_shifted,
            gan=gan_settings(settings).to_json(),
            annotated_share=ANNOTATED_SHARE,
            classes=[one.to_json() for one in self.classes(job)],
            **({"more_contrasts": settings.more_contrasts} if settings.more_contrasts else {}),
            **({"hold_out": sorted(settings.hold_out)} if settings.hold_out else {}),
            **({"volume": settings.lesion_volume} if settings.lesion_volume else {}),
            **({"place": hash_file(settings.lesion_place)} if settings.lesion_place else {}),
        )

    def refuse(self, job: Job) -> None:
        """Refuse a teacher that cannot label the scans, and cohorts too small to learn from.

        Raises
        ------
        UnavailableError
            When its folder holds no senior.
        UsageError
            When its senior was trained on other contrasts, another kind of lesion, another voxel
            size, or other classes than the annotations have.
        DataError
            With too few participants, or a mask of places that cannot be used.
        """
        teacher = _teacher(job.settings)
        if teacher is not None:
            _check_teacher(job.settings, teacher.card, self.classes(job))
        if not lineage.is_trained(job, self):
            check_cohort(job)

    def check_material(self, job: Job) -> None:
        """Raise what would stop the training, before networks that are there are removed for it."""
        pairs.read_pairs(job)
        self._made_from(job)

    # ------------------------------------------------------------------ what its networks do

    def classes(self, job: Job) -> tuple[TumourClass, ...]:
        """Tumour classes of the annotations, the same in all of them."""
        annotations = list(job.selection.annotations.values())
        return annotations[0].classes if annotations else WHOLE_TUMOUR

    def border_evidence(self, card: ModelCard | None = None) -> Evidence | None:
        """Leave borders alone: these networks have learned them from annotations."""
        return None

    def enclosed(self, card: ModelCard) -> float:
        """Add nothing: what annotators count as tumour these networks have learned, too."""
        return 1.0

    # ------------------------------------------------------------------ what is told of it

    def summary(self, facts: RunFacts, cite: Cite) -> str:
        """Say what it is."""
        return words.summary(cite)

    def paragraphs(self, facts: RunFacts, cite: Cite) -> Sequence[str]:
        """Tell of samples and networks."""
        return words.paragraphs(facts, cite)


def _teacher(settings: Settings) -> Model | None:
    """The senior of the run given with ``--teacher``."""
    return None if settings.teacher is None else Model(TEACHER, settings.teacher / Network.SENIOR)


def _check_teacher(settings: Settings, card: ModelCard, classes: Sequence[TumourClass]) -> None:
    given = f"--teacher {settings.teacher}"
    if card.contrast != settings.contrast:
        msg = f"{given} was trained on {card.contrast} images; --contrast is {settings.contrast}."
        raise UsageError(msg)
    if card.lesion != settings.lesion:
        msg = (
            f"{given} was trained for {card.lesion}; --lesion is {settings.lesion}. Choose "
            f"--lesion {card.lesion}, or another teacher."
        )
        raise UsageError(msg)
    others = card.more_contrasts
    if others and others != settings.more_contrasts:
        msg = (
            f"{given} was trained with --more-contrasts {' '.join(others)}; "
            f"this run has {' '.join(settings.more_contrasts) or 'none'}."
        )
        raise UsageError(msg)
    if card.resolution != settings.profile.resolution:
        msg = (
            f"{given} was trained at {card.resolution:g} mm (profile {card.profile}); profile "
            f"{settings.profile.name} works at {settings.profile.resolution:g} mm. Choose "
            f"--profile {card.profile}."
        )
        raise UsageError(msg)
    told, wanted = ([one.name for one in some] for some in (card.classes, classes))
    if told != wanted:
        msg = (
            f"{given} tells {', '.join(told)}, the annotations tell {', '.join(wanted)}. Leave "
            "--teacher out, or annotate with label-L_mask alone."
        )
        raise UsageError(msg)
