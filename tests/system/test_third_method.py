"""A method that this package does not have runs through the app as the others do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from synthtumour_bids.app import run
from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.demo.phantom import write_cohort
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.methods.base import Cite, Material, RunFacts
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import Role, Settings
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.volumes import load_volume
from tests.builders.short import SHORTEST


@dataclass(frozen=True)
class Cubes:
    """Learns that a tumour is a bright cube in the middle of the brain."""

    name: str = "cubes"
    preset: str = "default"

    def refuse(self, job: Job) -> None: ...

    def fingerprint(self, job: Job, network: Network) -> str:
        return f"{network}-{job.settings.seed}"

    def make_samples(self, job: Job) -> list[ScanOutcome]:
        return []

    def has_samples(self, job: Job) -> bool:
        return True

    def check_material(self, job: Job) -> None: ...

    def material(self, job: Job, network: Network) -> Material:
        hosts = job.preprocessed(Role.TUMOURFREE)
        cases = [self._case(job, host, validation=host is hosts[0]) for host in hosts]
        return Material(tuple(cases), tuple(hosts))

    def _case(self, job: Job, host: Scan, *, validation: bool) -> Case:
        volume = load_volume(job.layout.standard_image(host))
        middle = tuple(slice(n // 2 - 3, n // 2 + 3) for n in volume.data.shape)
        label = np.zeros(volume.data.shape, np.uint8)
        label[middle] = 1
        folder = job.layout.scratch(Scratch.STAGE_ONE)
        paths = [folder / f"{host.slug}_{kind}.nii" for kind in ("image", "label")]
        image = np.where(label, 3 * volume.data.max(), volume.data).astype(np.float32)
        for path, data in zip(paths, (image, label), strict=True):
            write_image(path, volume.with_data(data), {})
        return Case(host.slug, *paths, validation, persons=frozenset((host.person,)))

    def calibration_cases(self, job: Job) -> Sequence[Case]:
        return ()

    def classes(self, job: Job) -> tuple[TumourClass, ...]:
        return WHOLE_TUMOUR

    def border_evidence(self, card: ModelCard | None = None) -> Evidence | None:
        return None

    def enclosed(self, card: ModelCard) -> float:
        return 1.0

    def summary(self, facts: RunFacts, cite: Cite) -> str:
        return "learned from cubes"

    def paragraphs(self, facts: RunFacts, cite: Cite) -> Sequence[str]:
        return ["**Cubes.** Cubes were drawn."]


@pytest.mark.slow
def test_a_third_method_runs_through_the_app(tmp_path: Path) -> None:
    cohort = write_cohort(tmp_path / "demo", n_tumourfree=2, n_tumour=1, resolution=4.0, seed=5)
    settings = Settings(
        cohort.bids_dir,
        tmp_path / "out",
        work_dir=tmp_path / "work",
        profile=SHORTEST,
        nprocs=1,
        skip_bids_validation=True,
    )
    outcome = run(settings, Cubes())
    assert outcome is not None
    assert outcome.exit_code == 0, outcome.verdict()
    assert len(list((tmp_path / "out").glob("sub-tumour*/anat/*_label-L_mask.nii.gz"))) == 2
    for network in Network:
        assert ModelCard.read(tmp_path / "out" / "models" / network).method == "cubes"
    assert "learned from cubes" in (tmp_path / "out" / "logs" / "CITATION.md").read_text()
    again = run(settings, Cubes())
    assert again is not None
    assert not any(record.step == "train" and record.status == "done" for record in again.records)
