"""Who teaches, who chooses the epoch and who calibrates."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.synthesis.hosts import split_hosts
from synthtumour_bids.synthesis.roles import ENOUGH, assign_roles


@given(
    scans=st.lists(st.integers(1, 3), min_size=2, max_size=90),
    held_out=st.integers(0, 30),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_everyone_has_one_role_and_hosts_go_first(
    scans: list[int], held_out: int, seed: int
) -> None:
    groups = [(f"{who}-{n}", f"{who}") for who, count in enumerate(scans) for n in range(count)]
    roles = assign_roles(groups, 1 / 3, seed=seed, held_out=held_out, fewest=19)
    parts = (roles.hosts, roles.selection, roles.calibration)
    assert sorted(key for part in parts for key in part) == sorted(key for key, _ in groups)
    hosts, selection, aside = ({key.split("-")[0] for key in part} for part in parts)
    assert not hosts & selection
    assert not aside & (hosts | selection)
    if aside:
        assert len(hosts | selection) >= ENOUGH
        assert len(aside) + held_out >= 19, "fewer would tell nothing"
    else:
        assert (list(roles.hosts), list(roles.selection)) == split_hosts(groups, 1 / 3, seed=seed)
    if len(scans) < ENOUGH + 19 - held_out or held_out >= 30:
        assert not aside


def test_a_large_cohort_calibrates() -> None:
    groups = [(f"s{n}", f"p{n}") for n in range(43)]
    assert len(assign_roles(groups, 1 / 3, seed=1, held_out=0, fewest=19).calibration) == 19
    assert not assign_roles(groups[:42], 1 / 3, seed=1, held_out=0, fewest=19).calibration
    assert len(assign_roles(groups[:42], 1 / 3, seed=1, held_out=5, fewest=19).calibration) == 14
