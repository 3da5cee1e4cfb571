"""The samples of stage 1: synthetic tumours, drawn into one host after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.methods.label_free.hosts import Host
from synthtumour_bids.methods.label_free.priors import priors_of
from synthtumour_bids.methods.label_free.recipes import Recipe
from synthtumour_bids.preprocessing.templates import standard_tissues
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.settings import Settings
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.purpose import Purpose
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.stage_one import synthesise
from synthtumour_bids.volumes import load_volume

TRAIN, SHIFTED = Purpose.TRAIN, Purpose.SHIFTED
KINDS = {TRAIN: "synthetic tumours", SHIFTED: "shifted synthetic tumours"}


@dataclass(frozen=True)
class Sample:
    """One synthetic tumour in a host.

    Attributes
    ----------
    name
        Unique among the samples.
    purpose
        For training, or for the shifted validation.
    host, person
        Key of the host's scan; who that is.
    image, label
        NIfTI files on the template grid.
    """

    name: str
    purpose: Purpose
    host: str
    image: Path
    label: Path
    person: str = ""

    def to_json(self) -> dict[str, str]:
        """Return JSON-able values."""
        return {key: str(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> Sample:
        """Rebuild from what :meth:`to_json` gave, possibly through a file."""
        image, label = Path(data["image"]), Path(data["label"])
        person = data.get("person", "")  # 0.1.0 did not record it
        return cls(data["name"], Purpose(data["purpose"]), data["host"], image, label, person)

    def case(self, prefix: str = "", where: str = "") -> Case:
        """Give it to a network, with words before its name and behind its kind.

        Shifted samples validate.
        """
        return Case(
            f"{prefix}{self.name}",
            self.image,
            self.label,
            validation=self.purpose == SHIFTED,
            persons=frozenset((self.person,) if self.person else ()),
            kind=KINDS[self.purpose] + where,
        )


@dataclass(frozen=True)
class DrawTask:
    """All samples to draw into one host."""

    host: Host
    purpose: Purpose
    indices: tuple[int, ...]
    folder: Path
    recipe: Recipe
    settings: Settings


def draw(task: DrawTask) -> list[Sample]:
    """Draw one host's samples and write them with their parameters."""
    settings, scan = task.settings, task.host.scan
    priors = priors_of(settings)
    host = load_volume(task.host.image)
    tissues = standard_tissues(settings.profile.resolution)
    brain = Brain(
        host.data,
        load_volume(task.host.mask).mask,
        host.spacing,
        white_matter=tissues["wm"],
        placement=tissues["gm"] + tissues["wm"],
    )
    samples = []
    for index in task.indices:
        made = synthesise(
            stream(settings.seed, scan.key, scan.session, index=index, purpose=task.purpose),
            brain,
            priors,
            purpose=task.purpose,
            sampler=task.recipe.sampler,
        )
        # Not compressed: these files live for one training, and zipping takes longer than drawing.
        name = f"{task.purpose}-{scan.dataset_name}-{scan.stem}-{index:04d}"
        sample = Sample(
            name,
            task.purpose,
            scan.key,
            task.folder / f"{name}_image.nii",
            task.folder / f"{name}_label.nii",
            scan.person,
        )
        sidecar: dict[str, Any] = {
            "Host": task.host.source,
            "HostPart": task.host.part,
            "Index": index,
            "Parameters": made.to_json(),
        }
        write_image(sample.image, host.with_data(made.image), sidecar)
        write_image(sample.label, host.with_data(made.label.astype(np.uint8)), {})
        samples.append(sample)
    return samples
