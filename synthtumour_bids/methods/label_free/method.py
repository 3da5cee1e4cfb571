"""SynthTumour, step by step: what junior and senior learn from, without a single annotation."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.files import fingerprint, write_json
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import Cite, Material, RunFacts
from synthtumour_bids.methods.label_free import (
    checks,
    simulated_hosts,
    stage_one,
    stage_two,
    words,
)
from synthtumour_bids.methods.label_free.healthy_halves import healthy_halves
from synthtumour_bids.methods.label_free.hosts import whole_brains
from synthtumour_bids.methods.label_free.known_cases import known_cases
from synthtumour_bids.methods.label_free.negatives import negative_cases
from synthtumour_bids.methods.label_free.priors import priors_of
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.methods.label_free.stage_one_samples import SHIFTED, Sample
from synthtumour_bids.methods.pseudo_labels import KIND, Labelled, pseudo_labelled, unlabelled
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
        the pseudo-labelled scans, and synthetic tumours.
        """
        if network is Network.JUNIOR and self.starter is not None:
            return Material((), (), details={lineage.TAKEN: True}, bundle=self.starter.folder)
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
        scans = (*train, *shifted, *tumours)
        path = job.layout.scratch(Scratch.STAGE_TWO) / "cases.json"
        current = fingerprint(
            settings=self.fingerprint(job, Network.SENIOR),
            junior=job.model(Network.JUNIOR).card.fingerprint,
            **({"keep_mask": True} if job.settings.keep_mask else {}),
            **({"heads": simulated_hosts.told(job)} if self._simulates(job) else {}),
        )
        if not (lineage.is_made_from(job, stage_two.NAME, current, scans) and path.is_file()):
            cases = self._senior_cases(job, tumours, train, shifted)
            write_json(path, [case.to_json() for case in cases])
            used = job.preprocessing_fingerprints(scans)
            job.ledger.mark(COHORT, stage_two.NAME, current, [path], members=used)
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Material(tuple(Case.from_json(case) for case in stored), scans, card=self._card(job))

    def _card(self, job: Job) -> Mapping[str, Any]:
        """What the model cards tell besides."""
        evidence = dataclasses.asdict(self._evidence) if self._evidence else None
        told: dict[str, Any] = {"BorderRefinement": evidence}
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

    def _simulates(self, job: Job) -> bool:
        return simulated_hosts.are_used(job, self)

    def _senior_cases(
        self,
        job: Job,
        tumours: Sequence[Scan],
        train_hosts: Sequence[Scan],
        validation_hosts: Sequence[Scan],
    ) -> list[Case]:
        """Pseudo-label the real tumours, mix them into tumour-free brains, and list all cases."""
        junior, count = job.model(Network.JUNIOR), job.settings.profile.n_mixed
        labelled = pseudo_labelled(job, junior, self._evidence, tumours)
        if not labelled:
            raise DataError(NO_PSEUDO_LABEL.format(len(tumours)))
        train, validation = stage_two.split_tumours(labelled, job.settings.seed)
        hosts, others = (whole_brains(job, scans) for scans in (train_hosts, validation_hosts))
        negatives: list[Case] = []
        if self._simulates(job):
            simulated_hosts.render_missing(job)
            heads = simulated_hosts.sides(job)
            hosts, others = hosts + heads[0], others + heads[1]
        if self.starter is not None or self._simulates(job):
            negatives = negative_cases(job, hosts)
        synthetic = stage_one.read_samples(job)
        in_halves: list[Sample] = []
        if self.recipe.healthy_halves:
            halves = healthy_halves(job, junior, [item.scan for item in train])
            hosts += halves
            in_halves = stage_one.draw_into(job, halves, self.recipe, count)
        tasks = stage_two.mix_tasks(job, self.recipe, stage_two.TRAIN, train, hosts, count)
        if validation:
            tasks += stage_two.mix_tasks(
                job, self.recipe, stage_two.VALIDATION, validation, others, max(4, count // 8)
            )
        mixes = stage_two.mix_all(job, tasks)
        real = [real_case(job, item, stage_two.TRAIN) for item in train]
        real += [real_case(job, item, stage_two.VALIDATION) for item in validation]
        drawn = [s.case() for s in synthetic] if self.recipe.healthy_halves else []
        return senior_cases(
            mixes,
            [*real, *negatives],
            drawn,
            [s.case("half-", " in healthy halves") for s in in_halves],
            [s.case() for s in synthetic],
        )

    def calibration_cases(self, job: Job) -> Sequence[Case]:
        """Mixes that validated the senior, and shifted synthetic tumours."""
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
        return fingerprint(
            junior=junior,
            **({"stage_one": samples} if self.starter is not None else {}),
            training=dataclasses.asdict(settings.profile.senior),
            n_mixed=settings.profile.n_mixed,
            hold_out=_held_out_tumours(job),
            evidence=dataclasses.asdict(self._evidence) if self._evidence else None,
        )

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
        stage_one.read_samples(job)
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
        stored = card.details.get("BorderRefinement") if card else None
        return Evidence(**stored) if stored else self._evidence

    # ------------------------------------------------------------------ what is told of it

    def summary(self, cite: Cite) -> str:
        """Say what it is."""
        return words.summary(cite)

    def paragraphs(self, facts: RunFacts, cite: Cite) -> Sequence[str]:
        """Tell of both stages."""
        return words.paragraphs(facts, self.recipe, cite, self.starter)


def _held_out_tumours(job: Job) -> list[str]:
    """Labels of ``--hold-out``, but for tumour-free participants: `lineage` looks after these."""
    free = {scan.subject for scan in job.selection.everything if scan.role is Role.HELD_OUT}
    return sorted(set(job.settings.hold_out) - free)


NO_PSEUDO_LABEL = (
    "The junior found no usable tumour in any tumour scan ({} looked at), so there is nothing for "
    "the senior to learn from. Look at models/report.html, which has the junior's curve and all "
    "pseudo-labels; train longer (--profile), or check --contrast and --lesion."
)


def senior_cases(
    mixes: Sequence[Case],
    real: Sequence[Case],
    synthetic: Sequence[Case],
    in_halves: Sequence[Case],
    junior_cases: Sequence[Case],
) -> list[Case]:
    """List the senior's cases; a pure function of what was made.

    Real scans with their pseudo-labels come once each: were they a third of all, as published,
    the senior would stay where the junior is. No person stands on both sides of the validation,
    which for hosts are those of stage 1.

    Parameters
    ----------
    mixes, real
        Of both sides; tumour-free brains as they are count as real.
    synthetic
        The junior's samples, of which those for training are used again.
    in_halves
        Synthetic tumours in healthy halves of the training tumours' brains.
    junior_cases
        Their shifted-validation samples validate the senior, too, where there are too few tumour
        scans to divide.
    """
    cases = [*mixes, *real, *(case for case in synthetic if not case.validation), *in_halves]
    if any(case.validation for case in real):
        return cases
    return cases + [case for case in junior_cases if case.validation]


def real_case(job: Job, item: Labelled, side: str) -> Case:
    """Give a pseudo-labelled scan to a network."""
    return Case(
        f"{side}-{item.scan.stem}",
        job.layout.standard_image(item.scan),
        item.label,
        validation=side == stage_two.VALIDATION,
        persons=frozenset((item.scan.person,)),
        kind=KIND,
    )
