"""What a network learns from: one scan with its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One scan with its label: 0 outside the tumour, 1 ... for its classes.

    Attributes
    ----------
    name
        Unique name in the dataset.
    image, label
        NIfTI files of one shape and affine; the image is 0 outside the brain.
    validation
        Whether the case belongs to the validation set, which selects the epoch.
    more
        Images of further contrasts on the same grid, in an order that all cases share.
    times
        How often the case is drawn in training, where another is drawn once.
    persons
        Whose brains and tumours are in it; see ``Scan.person``.
    kind
        What such cases are called, in the plural.
    """

    name: str
    image: Path
    label: Path
    validation: bool
    more: tuple[Path, ...] = ()
    times: int = 1
    persons: frozenset[str] = frozenset()
    kind: str = "cases"

    @property
    def images(self) -> tuple[Path, ...]:
        """One image a contrast."""
        return (self.image, *self.more)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        paths = [str(path) for path in (*self.images, self.label)]
        return {
            "name": self.name,
            "files": paths,
            "validation": self.validation,
            "times": self.times,
            "persons": sorted(self.persons),
            "kind": self.kind,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Case:
        """Rebuild from what :meth:`to_json` gave, possibly through a file."""
        image, *more, label = map(Path, data["files"])
        persons = frozenset(data.get("persons", ()))  # 0.1.0 recorded neither these nor kinds
        return cls(
            data["name"],
            image,
            label,
            data["validation"],
            tuple(more),
            data["times"],
            persons,
            data.get("kind", cls.kind),
        )


def count_kinds(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """How many cases of each kind train a network, and how many choose its epoch."""
    kinds: dict[str, Counter[str]] = {"Training": Counter(), "Validation": Counter()}
    for case in cases:
        kinds["Validation" if case.validation else "Training"][case.kind] += 1
    return {side: dict(sorted(counts.items())) for side, counts in kinds.items()}


def times_for_share(real: int, made: int, share: float) -> int:
    """How often each of `real` cases is drawn, so that in all they are `share` times the `made`.

    nnU-Net draws all its cases alike, so a few real scans would be lost among hundreds of
    synthetic ones.
    """
    return max(1, round(share * made / real)) if real else 1
