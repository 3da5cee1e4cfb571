"""Who hosts synthetic tumours: persons kept on one side, samples shared out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.synthesis.hosts import samples_plan, split_hosts


@given(
    sizes=st.lists(st.integers(1, 3), min_size=2, max_size=30),
    seed=st.integers(0, 99),
    order=st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_split_keeps_people_together_whatever_the_order(sizes, seed, order):
    groups = [(f"s{p:02}v{v}", f"s{p:02}") for p, n in enumerate(sizes) for v in range(n)]
    train, shifted = split_hosts(groups, 1 / 3, seed)
    assert train
    assert shifted
    assert sorted(train + shifted) == sorted(key for key, _ in groups)
    assert not {k[:3] for k in train} & {k[:3] for k in shifted}
    if len(sizes) >= 4:
        assert abs(len(shifted) - len(groups) / 3) <= 2
    order.shuffle(groups)
    assert split_hosts(groups, 1 / 3, seed) == (train, shifted)


def test_split_depends_on_the_seed_and_needs_two_people():
    groups = [(f"s{i}", f"s{i}") for i in range(12)]
    assert len({tuple(split_hosts(groups, 1 / 3, seed)[1]) for seed in range(8)}) > 4
    with pytest.raises(ValueError, match=r"at least 2 persons.*found 1 person.s. with 2 scan"):
        split_hosts([("a1", "a"), ("a2", "a")], 1 / 3, 0)
    with pytest.raises(ValueError, match="given twice"):
        split_hosts([("a", "a"), ("a", "b"), ("c", "c")], 1 / 3, 0)


def test_samples_are_shared_out_evenly():
    plan = samples_plan(["b", "a", "c"], 8)
    assert len(set(plan)) == 8
    counts = [sum(key == k for key, _ in plan) for k in "abc"]
    assert max(counts) - min(counts) <= 1
    assert plan == samples_plan(["c", "b", "a"], 8)
    assert samples_plan([], 0) == []
    with pytest.raises(ValueError, match="no tumour-free scan"):
        samples_plan([], 3)
