"""What the networks of a segmentation are, as its outputs tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import fingerprint
from synthtumour_bids.ledger import Ledger, Stamp
from synthtumour_bids.methods import corrections, rounds
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.witness import Witness
from synthtumour_bids.methods.words import unmeasured
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.segmentation.calibration import Calibration
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.norm_file import StoredNorm
from synthtumour_bids.segmentation.presence import (
    USUAL,
    Controls,
    Presence,
    PresenceVerdict,
    judge,
)
from synthtumour_bids.settings import STARTER, Settings, Step
from synthtumour_bids.synthesis.borders import Evidence

CONTROLS = "controls"  # a detail of stamps
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
    comparison
        How their masks are compared with the other side of the brain.
    enclosed
        What is added to their masks; see :func:`.enclosure.add_enclosed`.
    junior_source
        Version of the starter that is the junior; empty where it was trained with its senior.
    n_corrected
        Corrected masks that the last network learned from.
    round
        Of the last network, where that is a senior.
    calibration
        How far the last network's answers can be trusted; ``None`` where nobody measured it.
    witness
        The one that tells whether there is a tumour; the last of them where it is left out.
    given
        Whether they come from elsewhere (``--model``): who has the name of a person that
        calibrated them is somebody else.
    unmeasured
        Names of those that are starters of which nobody knows what they do on real scans.
    norm
        How bright people without a tumour are; ``None`` where that is not known.
    """

    fingerprints: Mapping[str, str]
    evidence: Mapping[str, Evidence | None]
    classes: tuple[TumourClass, ...]
    lesion: str
    comparison: Comparison
    enclosed: float = 1.0
    junior_source: str = ""
    n_corrected: int = 0
    round: int = 1
    calibration: Calibration | None = None
    witness: Witness | None = None
    given: bool = False
    unmeasured: tuple[str, ...] = ()
    norm: StoredNorm | None = None

    @classmethod
    def of(
        cls,
        cards: Mapping[str, ModelCard],
        method: Method,
        settings: Settings,
        witness: Witness | None = None,
        norm: StoredNorm | None = None,
    ) -> Networks:
        """Of their cards, the one last whose masks are the result, and the settings of a run."""
        *others, main = cards.values()
        taken = (str(card.details.get("Version", "")) for card in others if card.name == STARTER)
        return cls(
            {name: card.fingerprint for name, card in cards.items()},
            {name: method.border_evidence(card) for name, card in cards.items()},
            main.classes,
            main.lesion,
            Comparison.of(settings, main.lesion),
            method.enclosed(main),
            next((f"{STARTER} {version}" for version in taken), ""),
            corrections.count(main),
            rounds.of_card(main),
            main.calibration,
            witness,
            settings.model is not None,
            tuple(name for name, card in cards.items() if unmeasured(card)),
            norm,
        )

    @property
    def main(self) -> str:
        """The network whose masks are the result."""
        return list(self.fingerprints)[-1]

    @property
    def junior(self) -> str | None:
        """The network that it is compared with; ``None`` where it is alone."""
        return next((name for name in self.fingerprints if name != self.main), None)

    @property
    def starter(self) -> str | None:
        """The junior where that is a starter; ``None`` for any other or none."""
        return self.junior if self.junior_source else None

    @property
    def judged(self) -> str:
        """The network whose mask tells whether there is a tumour."""
        return self.main if self.witness is None else self.witness.network

    @property
    def controls(self) -> Controls | None:
        """What tumour-free scans look like to that one; ``None`` where that is not known."""
        return None if self.witness is None else self.witness.controls

    @property
    def temperature(self) -> float:
        """What the logits of the maps that are written are divided by."""
        return 1.0 if self.calibration is None else self.calibration.temperature

    def fingerprint(self, preprocessing: Preprocessing) -> str:
        """Hash of all that the segmentation of a scan depends on."""
        compared: dict[str, object] = {"other_side": self.comparison.to_json()}
        if self.enclosed < 1:
            compared["enclosed"] = self.enclosed
        if self.calibration is None:
            return self._fingerprint(preprocessing, **compared)
        told = self.calibration.to_json()
        return self._fingerprint(preprocessing, **compared, calibration=told)

    def is_done(self, ledger: Ledger, scan: Scan, preprocessing: Preprocessing) -> bool:
        """Whether a scan is segmented, and judged by these controls.

        Outputs of before the network was calibrated, or there was a norm, stay as they are, and so
        do masks of 0.1.0, which compared and judged nothing.
        """
        before = replace(self, calibration=None).fingerprint(preprocessing)
        good = self.fingerprint(preprocessing), before, self._fingerprint(preprocessing)
        done = any(ledger.is_done(Step.SEGMENT, scan.key, one) for one in good)
        stamp = ledger.read(Step.SEGMENT, scan.key)
        return done and (stamp is None or is_judged_by(self.witness, stamp))

    def judge(self, volume_ml: float, likeness: float, person: str) -> PresenceVerdict:
        """Judge whether a scan has a tumour; see :func:`.presence.judge`."""
        return judge(volume_ml, likeness, self.controls, None if self.given else person)

    def refutes(self, likeness: float, person: str) -> bool:
        """Whether another network than the main one, by this likeness, sees no tumour in a scan."""
        beside = self.witness is not None and self.witness.beside
        return beside and self.sees_none(likeness, person)

    def sees_none(self, likeness: float, person: str) -> bool:
        """Whether the network that judges sees no tumour in a scan, by this likeness.

        One that was never measured on real scans tells of none.
        """
        if self.witness is None or not self.witness.measured:
            return False
        return self.judge(1.0, likeness, person).present is Presence.NO

    def rules_out(self, likeness: float, person: str) -> bool:
        """Whether most people without a tumour have scans that look at least as much like one.

        So only a network can tell that real scans were tried with.
        """
        if self.witness is None or not self.witness.measured:
            return False
        p = self.judge(1.0, likeness, person).p
        return p is not None and p > USUAL

    def _fingerprint(self, preprocessing: Preprocessing, **more: object) -> str:
        return fingerprint(
            version=SEGMENTATION_VERSION,
            models=dict(self.fingerprints),
            evidence={name: one and asdict(one) for name, one in self.evidence.items()},
            scan=preprocessing.fingerprint,
            **more,
        )


def is_judged_by(witness: Witness | None, stamp: Stamp) -> bool:
    """Whether the segmentation of a stamp was judged so, or before there was a verdict like it.

    What nobody judged, as no senior was calibrated, stays where a starter could do it now.
    """
    current = controls_print(None if witness is None else witness.controls)
    stored = stamp.details.get(CONTROLS, current)
    unjudged = stored == "" and witness is not None and witness.beside
    return bool(stored == current or unjudged)


def controls_print(controls: Controls | None) -> str:
    """Hash of them in stamps; empty for none."""
    return "" if controls is None else controls.fingerprint
