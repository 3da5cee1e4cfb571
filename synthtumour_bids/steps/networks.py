"""What the networks of a segmentation are, as its outputs tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Preprocessing
from synthtumour_bids.methods.base import Method
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.synthesis.borders import Evidence

SEGMENTATION_VERSION = "0.1.0"  # changes when the same networks give other masks


@dataclass(frozen=True)
class Networks:
    """What the networks of a run are, by their names.

    Attributes
    ----------
    fingerprints
        Of their weights; the last network's masks are the result.
    evidence
        How the scan refines the borders that each draws, or ``None``.
    classes
        That the last network tells.
    lesion
        What they look for.
    """

    fingerprints: Mapping[str, str]
    evidence: Mapping[str, Evidence | None]
    classes: tuple[TumourClass, ...]
    lesion: str

    @classmethod
    def of(cls, cards: Mapping[str, ModelCard], method: Method) -> Networks:
        """Of their cards, the one last whose masks are the result."""
        main = list(cards.values())[-1]
        return cls(
            {name: card.fingerprint for name, card in cards.items()},
            {name: method.border_evidence(card) for name, card in cards.items()},
            main.classes,
            main.lesion,
        )

    @property
    def main(self) -> str:
        """The network whose masks are the result."""
        return list(self.fingerprints)[-1]

    @property
    def junior(self) -> str | None:
        """The network that it is compared with; ``None`` where it is alone."""
        return next((name for name in self.fingerprints if name != self.main), None)

    def fingerprint(self, preprocessing: Preprocessing) -> str:
        """Hash of all that the segmentation of a scan depends on."""
        return fingerprint(
            version=SEGMENTATION_VERSION,
            models=dict(self.fingerprints),
            evidence={name: one and asdict(one) for name, one in self.evidence.items()},
            scan=preprocessing.fingerprint,
        )
