"""Simulated heads as hosts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.methods.label_free import simulated_hosts
from synthtumour_bids.methods.label_free.negatives import negative_cases
from synthtumour_bids.simulation.head import sample
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.volumes import load_volume
from tests.builders.jobs import make_job, mark_trained, method_of, with_settings


def coarse(root: Path, nprocs: int, **more: object) -> Job:
    job = make_job(root, **more)
    profile = dataclasses.replace(job.settings.profile, resolution=8.0, n_train=6)
    return with_settings(job, profile=profile, nprocs=nprocs)


def files(job: Job) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in job.settings.work_dir.rglob("*") if p.is_file()}


def test_heads_are_the_same_bytes_at_any_number_of_processes(tmp_path: Path) -> None:
    one, two = (coarse(tmp_path / f"{n}", n, tumourfree=0) for n in (1, 2))
    for job in (one, two):
        simulated_hosts.render_missing(job)
    assert len(files(one)) == 4 * simulated_hosts.FEWEST
    assert files(one) == files(two)
    train, shifted = simulated_hosts.sides(one)
    assert (len(train), len(shifted)) == (2, 1)
    brain = load_volume(train[0].image)
    assert (brain.mask == load_volume(train[0].mask).mask).all(), "0 means outside"

    case, other = negative_cases(one, train)
    assert case.persons.isdisjoint(other.persons)
    assert not load_volume(case.label).data.any()
    assert load_volume(case.label).data.shape == brain.data.shape


def test_heads_are_no_starter_s_whatever_the_seed() -> None:
    mine = [simulated_hosts.draw_head(527, index) for index in range(3)]
    assert len({one.textures for one in mine}) == 3
    theirs = {
        sample(stream(527, "head", index=index, purpose=purpose)).textures
        for index in range(3)
        for purpose in ("train", "validation", "shifted")
    }
    assert theirs.isdisjoint(one.textures for one in mine)


def test_they_are_used_beside_a_starter_and_where_scans_lack(tmp_path: Path) -> None:
    few, many = (make_job(tmp_path / f"{n}", tumourfree=n) for n in (1, 2))
    assert simulated_hosts.are_used(few, method_of(few))
    assert not simulated_hosts.are_used(many, method_of(many))
    beside = with_settings(many, junior=tmp_path)
    assert simulated_hosts.are_used(beside, method_of(many))
    mark_trained(many, simulated=True)
    assert simulated_hosts.are_used(many, method_of(many)), "it was trained on them"


def test_other_contrasts_need_tumour_free_scans(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumourfree=0, contrast="T2w")
    with pytest.raises(DataError, match=r"none for FLAIR images.*--tumourfree-dir"):
        method_of(job).refuse(job)
    method_of(job).refuse(with_settings(job, contrast="FLAIR"))


def test_a_single_person_without_tumour_trains(tmp_path: Path) -> None:
    from synthtumour_bids.methods.label_free import stage_one
    from synthtumour_bids.settings import Role
    from tests.builders.jobs import mark_preprocessed

    job = make_job(tmp_path, tumourfree=1)
    (scan,) = job.selected(Role.TUMOURFREE)
    mark_preprocessed(job, scan)
    tasks = stage_one._tasks(job, method_of(job), method_of(job).recipe)
    sides = {
        purpose: {task.host.scan.person for task in tasks if task.purpose == purpose}
        for purpose in (stage_one.TRAIN, stage_one.SHIFTED)
    }
    assert scan.person in sides[stage_one.TRAIN]
    assert sides[stage_one.TRAIN].isdisjoint(sides[stage_one.SHIFTED])
    assert np.unique([task.host.image for task in tasks]).size == len(tasks)
