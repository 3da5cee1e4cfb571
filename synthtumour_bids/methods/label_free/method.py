"""SynthTumour, step by step: what junior and senior learn from, without a single annotation."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.files import fingerprint, write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.methods import corrections, lineage, rounds
from synthtumour_bids.methods.base import Cite, Material, RunFacts
from synthtumour_bids.methods.label_free import (
    checks,
    senior,
    simulated_hosts,
    stage_one,
    stage_two,
    words,
)
from synthtumour_bids.methods.label_free.known_cases import CASES, forget, known_cases
from synthtumour_bids.methods.label_free.priors import priors_of
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.methods.label_free.stage_one_samples import SHIFTED
from synthtumour_bids.methods.pseudo_labels import unlabelled
from synthtumour_bids.segmentation.card_details import ENCLOSED, EVIDENCE
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.starters import Starter
from synthtumour_bids.settings import STARTER, Role, Step
from synthtumour_bids.synthesis.borders import Evidence


@dataclass(frozen=True)
class LabelFree:
    """SynthTumour.

    Attributes
    ----------
    recipe
        Our synthesis, or the published one.
    starter
        The junior, where it was trained beforehand; ``None``: one is trained.
    """

    recipe: Recipe
    starter: Starter | None = None
    name: str = "synthtumour"

    @property
    def preset(self) -> str:
        """Name of the recipe."""
        return self.recipe.name

    # ------------------------------------------------------------------ what is learned from

    def make_samples(self, job: Job) -> list[ScanOutcome]:
        """Draw synthetic tumours into tumour-free brains, unless that is done.

        The junior learns from them; so does the senior, and with few tumour scans they validate it.
        """
        if lineage.is_trained(job, self) or self.has_samples(job):
            return [ScanOutcome(stage_one.NAME, Step.SYNTHESISE, Status.SKIPPED, of_scan=False)]
        return stage_one.draw_all(job, self, self.recipe)

    def has_samples(self, job: Job) -> bool:
        """Whether the stage-1 samples are there, made from the hosts as they are."""
        return stage_one.is_drawn(job, self, self.recipe)

    def material(self, job: Job, network: Network) -> Material:
        """Gather what a network learns from.

        The junior: synthetic tumours, unless it is a starter. The senior: mixes of real tumours,
        the pseudo-labelled scans, and synthetic tumours; a corrected mask takes the place of its
        scan's pseudo-label. Pseudo-labels are the junior's, in further rounds the senior's before.
        """
        if network is Network.JUNIOR and self.starter is not None:
            return Material((), (), details={lineage.TAKEN: True}, bundle=self.starter.folder)
        stage_one.check_drawn(job, self)
        samples = stage_one.read_samples(job)
        train, shifted = stage_one.sides(job, samples)
        if network is Network.JUNIOR:
            return Material(
                tuple(sample.case() for sample in samples),
                (*train, *shifted),
                details={
                    SHIFTED: [scan.key for scan in shifted],
                    **({simulated_hosts.NAME: True} if self._simulates(job) else {}),
                },
                card=self._card(job),
            )
        tumours = unlabelled(job)
        scans, corrected = (*train, *shifted, *tumours), corrections.carried(job)
        teacher, validating = rounds.teacher(job), rounds.validating(job, tumours)
        path = job.layout.scratch(Scratch.STAGE_TWO) / CASES
        current = fingerprint(
            settings=self.fingerprint(job, Network.SENIOR),
            junior=teacher.card.fingerprint,
            **({"keep_mask": True} if job.settings.keep_mask else {}),
            **({"heads": simulated_hosts.told(job)} if self._simulates(job) else {}),
            **({"corrections": corrected} if corrected else {}),
        )
        there = lineage.is_made_from(job, stage_two.NAME, current, scans)
        if not (there and _are_of(path, scans)):
            lineage.begin_samples(job, stage_two.NAME, path)
            forget(job)
            simulates = self._simulates(job)
            cases = senior.make_cases(
                job,
                self.recipe,
                teacher,
                tumours,
                (train, shifted),
                validating=validating,
                simulates=simulates,
                negatives=simulates or self.starter is not None,
            )
            write_json(path, [case.to_json() for case in cases])
            used = job.preprocessing_fingerprints(scans)
            lineage.mark_samples(job, stage_two.NAME, current, [path], members=used)
        stored = json.loads(path.read_text(encoding="utf-8"))
        learned = tuple(Case.from_json(case) for case in stored)
        details = corrections.details_of(learned, tumours, corrected, validating)
        drawn = details[corrections.TAUGHT].keys() - corrections.emptied(job)
        taught = corrections.card_of(tumours, drawn)
        card = {**self._card(job), **taught, **rounds.told(job)}
        return Material(learned, scans, details={**details, **rounds.details(job)}, card=card)

    def _card(self, job: Job) -> Mapping[str, Any]:
        """What the model cards tell besides."""
        evidence = dataclasses.asdict(self._evidence) if self._evidence else None
        told: dict[str, Any] = {EVIDENCE: evidence}
        if (enclosing := self._enclosing(job)) < 1:
            told[ENCLOSED] = enclosing
        if self.starter is not None:
            told["Junior"] = {
                "Source": STARTER,
                "Version": self.starter.about.version,
                "Fingerprint": self.starter.card.fingerprint,
                "Data": self.starter.about.data,
            }
        if self._simulates(job):
            told["SimulatedHosts"] = simulated_hosts.told(job)
        return told

    def _enclosing(self, job: Job) -> float:
        return self.recipe.enclosing(job.settings.lesion, job.settings.contrast)

    def _simulates(self, job: Job) -> bool:
        return simulated_hosts.are_used(job, self)

    def calibration_cases(self, job: Job) -> Sequence[Case]:
        """Mixes that were made for it, or validated the senior; see `known_cases`."""
        return known_cases(job)

    # ------------------------------------------------------------------ what it depends on

    def fingerprint(self, job: Job, network: Network) -> str:
        """Hash of all settings that a network depends on."""
        settings = job.settings
        samples = stage_one.settings_fingerprint(settings)
        if self.starter is not None:
            junior = fingerprint(starter=self.starter.card.fingerprint)
        else:
            junior = fingerprint(
                stage_one=samples, training=dataclasses.asdict(settings.profile.junior)
            )
        if network is Network.JUNIOR:
            return junior
        senior = fingerprint(
            junior=junior,
            **({"stage_one": samples} if self.starter is not None else {}),
            training=dataclasses.asdict(settings.profile.senior),
            n_mixed=settings.profile.n_mixed,
            hold_out=_held_out_tumours(job),
            evidence=dataclasses.asdict(self._evidence) if self._evidence else None,
        )
        return senior if job.round == 1 else fingerprint(senior=senior, round=job.round)

    def refuse(self, job: Job) -> None:
        """Refuse priors that cannot be used, and cohorts too small to learn from.

        Raises
        ------
        PriorsError
            When the priors cannot be used.
        DataError
            With too few participants to make samples from and to learn from.
        """
        settings = job.settings
        priors_of(settings)
        if not lineage.is_trained(job, self):
            checks.check_numbers(job)

    def check_material(self, job: Job) -> None:
        """Raise what would stop the training, before networks that are there are removed for it."""
        stage_one.check_drawn(job, self)
        unlabelled(job)

    # ------------------------------------------------------------------ what its networks do

    @property
    def _evidence(self) -> Evidence | None:
        return self.recipe.evidence

    def classes(self, job: Job) -> tuple[TumourClass, ...]:
        """Return the whole tumour: there are no parts without annotations."""
        return WHOLE_TUMOUR

    def border_evidence(self, card: ModelCard | None = None) -> Evidence | None:
        """Refine the borders of our own synthesis; networks of the published one are left so."""
        stored = card.details.get(EVIDENCE) if card else None
        return Evidence(**stored) if stored else self._evidence

    def enclosed(self, card: ModelCard) -> float:
        """Add what masks enclose, unless the network was calibrated before that was done."""
        if card.name == STARTER:
            return self.recipe.enclosing(card.lesion, card.contrast)
        return float(card.details.get(ENCLOSED, 1.0))

    # ------------------------------------------------------------------ what is told of it

    def summary(self, facts: RunFacts, cite: Cite) -> str:
        """Say what it is."""
        return words.summary(facts, cite)

    def paragraphs(self, facts: RunFacts, cite: Cite) -> Sequence[str]:
        """Tell of both stages."""
        return words.paragraphs(facts, self.recipe, cite, self.starter)


def _held_out_tumours(job: Job) -> list[str]:
    """Labels of ``--hold-out``, but for tumour-free participants: `lineage` looks after these."""
    free = {scan.subject for scan in job.selection.everything if scan.role is Role.HELD_OUT}
    return sorted(set(job.settings.hold_out) - free)


def _are_of(path: Path, scans: Iterable[Scan]) -> bool:
    """Whether stored cases are of the persons of these scans and of simulated heads alone.

    Those of another work folder, of another run, may be of somebody else.
    """
    if not path.is_file():
        return False
    persons = {scan.person for scan in scans}
    stored = json.loads(path.read_text(encoding="utf-8"))
    others = {person for case in stored for person in Case.from_json(case).persons} - persons
    return all(simulated_hosts.is_head(person) for person in others)
