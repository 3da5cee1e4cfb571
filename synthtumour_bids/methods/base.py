"""What a method is: how the pairs of image and label come about that two networks learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import Settings
from synthtumour_bids.synthesis.borders import Evidence

STARTED_FROM = "StartedFrom"  # of a junior's card: the network whose weights it started from
Cite = Callable[..., str]  # numbers references by their keys: cite("bids", "ants") -> "[1, 2]"


@dataclass(frozen=True)
class Material:
    """What one network learns from.

    Attributes
    ----------
    cases
        For training and for validation, which chooses the epoch.
    scans
        What they were made from: a change of one of these calls for training anew.
    details
        What later runs need to know of it, JSON-able; kept with the record of the training.
    card
        What the model card tells of it, by CamelCase names.
    bundle
        Folder of a network that is trained already and taken as it is: there are no cases then.
    start
        Folder of a network whose weights the training starts from, where they fit.

    Raises
    ------
    ValueError
        When a case is there twice, or one person stands on both sides of the validation.
    """

    cases: tuple[Case, ...]
    scans: tuple[Scan, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    bundle: Path | None = None
    start: Path | None = None

    def __post_init__(self) -> None:
        """Hold what every method promises."""
        names = [case.name for case in self.cases]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            msg = f"Cases are there twice: {', '.join(twice)}."
            raise ValueError(msg)
        train, validation = (
            {person for case in self.cases if case.validation is side for person in case.persons}
            for side in (False, True)
        )
        if both := sorted(train & validation):
            msg = f"Persons both teach a network and choose its epoch: {', '.join(both)}."
            raise ValueError(msg)


@dataclass(frozen=True)
class RunFacts:
    """What the methods text of a run is made from.

    Attributes
    ----------
    settings
        Of the run.
    versions
        Of the packages that computed the results, by name.
    counts
        Preprocessed scans by role.
    head_templates
        Names of the templates that brains were extracted with; empty where every scan came
        stripped or with a mask.
    models_dir, cards
        Folder of the networks; the cards of those that are there, by name.
    n_pseudo_labels, n_relaxed
        Tumour scans whose pseudo-labels were learned from (``None`` where unknown), and how many
        of these did not pass quality control, but were the best of the rest.
    n_corrected
        Masks that a person has corrected and the senior learned, or is to learn, from.
    n_t1w
        Scans whose masks were carried to a T1w image.
    witness
        The network that tells whether there is a tumour, where networks are there.
    n_compared
        Participants whose sessions were compared.
    untrained
        Whether the run is over and there is no senior: of a training nothing can be told.
    n_norm
        People without a tumour whose brightness masks are compared with; 0 for none.
    """

    settings: Settings
    versions: Mapping[str, str]
    counts: Mapping[str, int]
    models_dir: Path
    head_templates: tuple[str, ...] = ()
    cards: Mapping[str, ModelCard] = field(default_factory=dict)
    n_pseudo_labels: int | None = None
    n_relaxed: int = 0
    n_t1w: int = 0
    witness: Witness | None = None
    n_corrected: int = 0
    n_compared: int = 0
    untrained: bool = False
    n_norm: int = 0

    def version(self, package: str) -> str:
        """Version of a package with a space before it; empty where it is unknown."""
        return f" {self.versions[package]}" if package in self.versions else ""


class Method(Protocol):
    """How the pairs of image and label come about that junior and senior learn from."""

    @property
    def name(self) -> str:
        """The word for it on the command line and in model cards."""

    @property
    def preset(self) -> str:
        """The variant of it, in model cards."""

    def refuse(self, job: Job) -> None:
        """Raise what would stop the training, before anything is computed."""

    def fingerprint(self, job: Job, network: Network) -> str:
        """Hash of all settings that a network's material and training depend on."""

    def make_samples(self, job: Job) -> list[ScanOutcome]:
        """Make the samples that the junior learns from; what is there already is kept."""

    def has_samples(self, job: Job) -> bool:
        """Whether these samples are there and up to date."""

    def check_material(self, job: Job) -> None:
        """Raise what would stop the training, before networks that are there are removed for it."""

    def material(self, job: Job, network: Network) -> Material:
        """Gather what a network learns from; for the senior, pseudo-labels on the way."""

    def calibration_cases(self, job: Job) -> Sequence[Case]:
        """Find cases that taught the senior nothing, and whose tumours are known by construction.

        None where they are not there any more; nothing is made anew for it.
        """

    def classes(self, job: Job) -> tuple[TumourClass, ...]:
        """Tumour classes that its networks tell."""

    def border_evidence(self, card: ModelCard | None = None) -> Evidence | None:
        """How the scan refines the borders that a network draws, if it does.

        By the network's card; ``None``: one that is still to be trained.
        """

    def enclosed(self, card: ModelCard) -> float:
        """What is added to the masks of a network; see :func:`.enclosure.add_enclosed`."""

    def summary(self, facts: RunFacts, cite: Cite) -> str:
        """Say in half a sentence what it is, for the methods text."""

    def paragraphs(self, facts: RunFacts, cite: Cite) -> Sequence[str]:
        """Tell how samples were made and networks trained, for the methods text."""
