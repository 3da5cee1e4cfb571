"""The training report: networks with their curves, samples, pseudo-labels with their verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.ledger import Stop
from synthtumour_bids.reports.facts import Fact
from synthtumour_bids.reports.line_chart import Chart
from synthtumour_bids.reports.templates import write_page


@dataclass(frozen=True)
class NetworkPart:
    """What the page says of one network.

    Attributes
    ----------
    name
        ``junior``, ``senior`` or the fabricator.
    facts
        Labels and words.
    charts
        Of the training.
    pictures
        Source and description of each.
    """

    name: str
    facts: Sequence[Fact]
    charts: Sequence[Chart] = ()
    pictures: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class ShownSample:
    """A sample with its picture, what is known of it, and how it was made."""

    name: str
    source: str
    description: str
    facts: Sequence[Fact]
    parameters: Sequence[Fact]


@dataclass(frozen=True)
class Sheet:
    """Some samples of one stage, by what they are for."""

    name: str
    title: str
    count: int
    groups: Mapping[str, Sequence[ShownSample]]
    old_picture: str = ""  # of a training that an earlier version finished

    @property
    def shown(self) -> int:
        """How many samples are shown."""
        return sum(map(len, self.groups.values()))


@dataclass(frozen=True)
class ShownPseudoLabel:
    """A pseudo-label with the verdict of its quality control; without a source, unpictured."""

    scan: str
    grade: str  # good, look or failed, as verdicts of participants' pages
    verdict: str
    figures: Sequence[Fact]
    source: str = ""
    description: str = ""


@dataclass(frozen=True)
class TrainingPage:
    """All parts of the page."""

    networks: Sequence[NetworkPart]
    sheets: Sequence[Sheet]
    pseudo_labels: Sequence[ShownPseudoLabel]
    stops: Sequence[Stop] = ()

    def write(self, path: Path) -> None:
        """Write ``report.html`` into the folder of the networks."""
        write_page(
            path,
            "training.html",
            version=__version__,
            page=self,
            stops=self.stops,
            n_used=sum(one.grade != "failed" for one in self.pseudo_labels),
        )


def flat(values: Any, name: str = "") -> Iterator[Fact]:
    """Name and words of every value in nested mappings and lists."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            words = str(key).replace("_", " ")
            yield from flat(value, f"{name}, {words}" if name else words)
    elif isinstance(values, (list, tuple)) and any(isinstance(v, (Mapping, list)) for v in values):
        for number, value in enumerate(values, 1):
            yield from flat(value, f"{name} {number}")
    elif isinstance(values, (list, tuple)):
        yield name, ", ".join(_words(value) for value in values)
    elif values is not None:
        yield name, _words(values)


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
