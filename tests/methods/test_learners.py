"""Whose scans may be learned from."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.bids.hold_out import with_held_out
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.learners import held_out_among, learnable
from synthtumour_bids.settings import Role
from tests.builders.jobs import (
    make_job,
    make_scan,
    mark_preprocessed,
    mark_trained,
    method_of,
    with_scans,
)

PEOPLE = ("a", "b", "c", "d")


@given(
    roles=st.fixed_dictionaries(
        {name: st.sampled_from([Role.TUMOUR, Role.TUMOURFREE]) for name in PEOPLE}
    ),
    sessions=st.fixed_dictionaries({name: st.integers(1, 2) for name in PEOPLE}),
    images=st.lists(st.sampled_from("123456"), min_size=8, max_size=8),
    held_out=st.sets(st.sampled_from(PEOPLE)),
)
@settings(max_examples=25, deadline=None)
def test_nobody_who_is_held_out_is_learned_from_by_any_name(
    roles: dict[str, Role], sessions: dict[str, int], images: list[str], held_out: set[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        found = [
            make_scan(root / "bids", name, roles[name], str(session))
            for name in PEOPLE
            for session in range(sessions[name])
        ]
        scans = with_held_out(found, held_out)
        job = make_job(root, scans=tuple(scans), hold_out=tuple(held_out))
        for scan, image in zip(scans, images, strict=False):
            mark_preprocessed(job, scan, fingerprint="p", image=image)
        learned = {s.key for role in Role for s in learnable(job, role)}
        image_of = {scan.key: image for scan, image in zip(scans, images, strict=False)}
        kept_out = {image_of[scan.key] for scan in scans if scan.subject in held_out}
        assert not {key for key in learned if image_of[key] in kept_out}
        assert not held_out & {key.split("sub-")[1].split("_")[0] for key in learned}


def test_another_session_of_a_held_out_person_teaches_by_no_name(tmp_path: Path) -> None:
    named = (("01", "1"), ("02", "1"), ("02", "2"), ("03", "1"))
    scans = tuple(make_scan(tmp_path / "bids", name, session=session) for name, session in named)
    job = make_job(tmp_path, scans=scans, hold_out=("01",))
    for scan, image in zip(scans, "aabc", strict=True):
        mark_preprocessed(job, scan, fingerprint="p", image=image)
    assert [scan.subject for scan in learnable(job, Role.TUMOUR)] == ["03"]


def test_a_network_that_a_held_out_person_taught_by_another_name_is_trained_anew(
    tmp_path: Path,
) -> None:
    named = (("host", "1"), ("copy", "1"), ("copy", "2"))
    scans = [make_scan(tmp_path / "bids", n, Role.TUMOURFREE, session=s) for n, s in named]
    job = make_job(tmp_path, scans=tuple(with_held_out(scans, ("host",))), hold_out=("host",))
    for scan, image in zip(scans, "aab", strict=True):
        mark_preprocessed(job, scan, fingerprint="p", image=image)
    taught = held_out_among(job, job.selection.everything[2:])
    assert [scan.session for scan in taught] == ["2"]


def test_a_label_that_tumour_and_host_share_means_the_tumour(tmp_path: Path) -> None:
    tumour = make_scan(tmp_path, "01")
    host = make_scan(tmp_path, "01", Role.TUMOURFREE, dataset="tumourfree")
    other = make_scan(tmp_path, "02", Role.TUMOURFREE, dataset="tumourfree")
    roles = [scan.role for scan in with_held_out([tumour, host, other], ("01", "02"))]
    assert roles == [Role.TUMOUR, Role.TUMOURFREE, Role.HELD_OUT]


def test_holding_a_host_out_calls_for_training_anew_and_a_new_person_does_not(
    tmp_path: Path,
) -> None:
    root = tmp_path / "bids"
    host, new = (make_scan(root, name, Role.TUMOURFREE) for name in ("host", "new"))
    job = make_job(tmp_path, scans=(host,))
    mark_preprocessed(job, host, fingerprint="p")
    for network in Network:
        mark_trained(job, network, members={host.key: "p"})

    def holding_out(*labels: str) -> bool:
        held = make_job(tmp_path, scans=tuple(with_held_out((host, new), labels)), hold_out=labels)
        mark_preprocessed(held, *held.selection.everything, fingerprint="p")
        return lineage.is_trained(held, method_of(held))

    assert holding_out("new")
    assert not holding_out("host")
    assert lineage.is_trained(with_scans(job, host, new), method_of(job))
