"""Hosts made of the healthy halves of tumour scans, on the template's own grid."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.methods.label_free import stage_one
from synthtumour_bids.methods.label_free.healthy_halves import healthy_halves
from synthtumour_bids.methods.label_free.recipes import RECIPES
from synthtumour_bids.methods.pseudo_labels import Labelled
from synthtumour_bids.preprocessing.templates import standard_brain
from tests.builders.jobs import make_job, make_scan, mark_preprocessed, write_network

SIDES = {"left": slice(8, 16), "right": slice(-16, -8), "both": slice(8, -8)}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Preprocessed scans, and what a junior said of them: a tumour on the left, right, or both."""
    scans = tuple(make_scan(tmp_path / "bids", side) for side in SIDES)
    job = make_job(tmp_path, scans=scans)
    write_network(job.layout.network(Network.JUNIOR), Network.JUNIOR)
    predictions = job.layout.scratch(Scratch.PREDICTIONS, Network.JUNIOR)
    settings = job.settings
    brain = standard_brain(settings.profile.resolution)
    image = brain.get_fdata(dtype=np.float32)
    for scan, where in zip(scans, SIDES.values(), strict=True):
        tumour = np.zeros(image.shape, np.float32)
        tumour[where, 20:28, 18:26] = image[where, 20:28, 18:26] > 0
        assert tumour.any()
        probseg = predictions / f"{scan.slug}_probseg.nii.gz"
        for path, data in (
            (job.layout.standard_image(scan), np.where(tumour, 3 * image.max(), image)),
            (job.layout.standard_brain(scan), (image > 0).astype(np.uint8)),
            (probseg, tumour),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(data, brain.affine), path)
        mark_preprocessed(job, scan, fingerprint="p")
        current = fingerprint(weights=job.model(Network.JUNIOR).card.fingerprint, scan="p")
        job.scratch_ledger.mark("predict-junior", scan.key, current, [probseg])
    return job


def found(job: Job) -> list[stage_one.Host]:
    tumours = [Labelled(scan, Path("none")) for scan in job.selection.everything]
    return healthy_halves(job, job.model(Network.JUNIOR), tumours)


def drawn(job: Job, hosts: list[stage_one.Host]) -> list[stage_one.Sample]:
    return stage_one.draw_into(job, hosts, RECIPES["default"], 5)


def test_the_half_without_tumour_becomes_a_host(job: Job) -> None:
    hosts = found(job)
    assert [(host.scan.subject, host.part.split()[0]) for host in hosts] == [
        ("left", "high"),
        ("right", "low"),
    ]
    for host in hosts:
        image = nib.load(host.image).get_fdata()
        scan = nib.load(job.layout.standard_image(host.scan))
        assert image.max() < 0.5 * scan.get_fdata().max()
        np.testing.assert_allclose(nib.load(host.image).affine, scan.affine)


def test_what_a_person_has_drawn_is_in_no_healthy_half(job: Job, tmp_path: Path) -> None:
    junior, scans = job.model(Network.JUNIOR), job.selection.everything
    found_by_junior = [
        healthy_halves(job, junior, [Labelled(scan, Path("none"))]) for scan in scans
    ]
    for scan, hosts in zip(scans, found_by_junior, strict=True):
        image = nib.load(job.layout.standard_image(scan))
        mask = np.zeros(image.shape, np.uint8)
        mask[:, 20:28, 18:26] = 1  # on both sides
        drawn_by_hand = tmp_path / f"{scan.slug}.nii"
        nib.save(nib.Nifti1Image(mask, image.affine), drawn_by_hand)
        corrected = Labelled(scan, drawn_by_hand, corrected=True)
        assert healthy_halves(job, junior, [corrected]) == []
        assert len(hosts) <= 1
    assert any(found_by_junior)


def test_synthetic_tumours_are_drawn_into_hosts(job: Job) -> None:
    hosts = found(job)
    cases = drawn(job, hosts)
    assert len({case.name for case in cases}) == 5
    assert not any(case.case("half-").validation for case in cases)
    for case in cases:
        sidecar = json.loads(case.image.with_suffix(".json").read_text())
        assert sidecar["HostPart"] in {host.part for host in hosts}
        assert nib.load(case.image).shape == nib.load(case.label).shape
    assert sum(nib.load(case.label).get_fdata().any() for case in cases) >= 3
    before = [case.image.read_bytes() for case in cases]
    again = drawn(job, found(job))
    assert [case.image.read_bytes() for case in again] == before
    assert drawn(job, []) == []
