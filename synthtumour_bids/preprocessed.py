"""What is known of a scan that is preprocessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synthtumour_bids.settings import Role


@dataclass(frozen=True)
class Preprocessing:
    """The record of a scan's finished preprocessing, as its stamp has it.

    Attributes
    ----------
    fingerprint
        Hash of all that it depends on.
    measurements, flags
        Of extraction and registration; what a person should look at.
    role
        What the scan was taken for.
    resolution
        Voxel size of the template grid, mm.
    template
        Name of the head template; empty where none was needed.
    image
        Hash of the scan's values, by which copies are told; empty in stamps of 0.1.0.
    findings
        What is odd about the scan's file, as sentences by their codes.
    """

    fingerprint: str
    measurements: Mapping[str, float]
    flags: tuple[str, ...]
    role: Role
    resolution: float
    template: str
    image: str = ""
    findings: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_details(cls, fingerprint: str, details: Mapping[str, Any]) -> Preprocessing:
        """Read what `details` gave."""
        return cls(
            fingerprint,
            dict(details.get("qc", {})),
            tuple(details.get("flags", ())),
            Role(details.get("role", Role.TUMOUR)),
            float(details.get("resolution", 0)),
            str(details.get("template") or ""),
            str(details.get("image", "")),
            dict(details.get("findings", {})),
        )

    def details(self) -> dict[str, Any]:
        """Return what the stamp holds besides the fingerprint."""
        return {
            "qc": dict(self.measurements),
            "flags": list(self.flags),
            "role": self.role.value,
            "resolution": self.resolution,
            "template": self.template,
            "image": self.image,
            "findings": dict(self.findings),
        }
