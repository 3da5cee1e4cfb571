from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given, strategies

from synthtumour_bids.estimates import COSTS, estimate
from synthtumour_bids.profiles import PROFILES

profiles = strategies.sampled_from(list(PROFILES.values()))


def test_every_profile_has_its_costs() -> None:
    assert set(COSTS) == set(PROFILES)


def test_the_estimate_of_fast_is_near_what_was_measured() -> None:
    # benchmarks/RESULTS.md, "With the starter as junior": 50 scans, 25 of them segmented, in 49
    # minutes of the slower machine, 3 of them for what a starter's verdict does without
    hours = estimate(PROFILES["fast"], 50, "cpu", 2, trains_junior=False).hours
    assert hours == pytest.approx(46 / 60, rel=0.1)


@given(profiles, strategies.integers(0, 500), strategies.integers(1, 32), strategies.booleans())
def test_more_work_takes_more_and_more_cores_take_less_time(
    profile, n_scans: int, nprocs: int, trains: bool
) -> None:
    one = estimate(profile, n_scans, "cpu", nprocs, trains=trains)
    more = estimate(profile, n_scans + 1, "cpu", nprocs, trains=trains)
    faster = estimate(profile, n_scans, "cpu", nprocs + 1, trains=trains)
    longer = estimate(
        replace(profile, junior=replace(profile.junior, epochs=profile.junior.epochs + 1)),
        *(n_scans, "cpu", nprocs),
        trains=trains,
    )
    further = estimate(profile, n_scans, "cpu", nprocs, trains=trains, rounds=2)
    assert one.hours is not None
    assert (further.hours > one.hours) is trains
    assert further.disk_gb == one.disk_gb
    assert 0 <= one.hours < more.hours
    assert faster.hours <= one.hours <= longer.hours
    assert one.memory_gb <= more.memory_gb
    assert one.disk_gb <= more.disk_gb


def test_sentences_are_for_people() -> None:
    full, sloppy = PROFILES["full"], PROFILES["sloppy"]
    on_cpu = estimate(full, 50, "cpu", 2).sentence()
    assert on_cpu.startswith("Profile full takes up to ")
    assert " days on 2 CPU cores, about 13 GB of memory and " in on_cpu
    on_gpu = estimate(full, 50, "cuda", 8).sentence()
    assert "depends on the GPU" in on_gpu
    assert "days" not in on_gpu
    assert " min on 1 CPU core, " in estimate(sloppy, 13, "cpu", 1).sentence()
    assert "less than 1 GB of scratch space" in estimate(sloppy, 13, "cpu", 1).sentence()
    assert estimate(full, 0, "cpu", 2, trains=False).hours == 0
    trainings = dataclasses.replace(full, n_controls=0)
    senior_alone = estimate(trainings, 0, "cpu", 2, trains_junior=False).hours
    both = estimate(trainings, 0, "cpu", 2).hours
    with_controls = estimate(full, 0, "cpu", 2).hours
    assert senior_alone is not None
    assert both is not None
    assert with_controls is not None
    assert with_controls > both
    junior = full.junior.epochs / (full.junior.epochs + full.senior.epochs)
    assert 1 - senior_alone / both == pytest.approx(junior, rel=0.01)
