from __future__ import annotations

import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.synthesis.seeds import stream


def numbers(seed, *names, index=0, purpose="train"):
    return stream(seed, *names, index=index, purpose=purpose).integers(0, 2**62, 4).tolist()


@given(
    seed=st.integers(0, 2**31),
    subject=st.text(max_size=8),
    session=st.none() | st.text(min_size=1, max_size=4),
    index=st.integers(0, 5000),
)
def test_same_key_same_numbers_and_other_keys_other_numbers(seed, subject, session, index):
    first = numbers(seed, subject, session, index=index)
    assert first == numbers(seed, subject, session, index=index)
    assert first != numbers(seed, subject, session, index=index, purpose="shifted")
    assert first != numbers(seed, subject, session, index=index + 1)
    assert first != numbers(seed + 1, subject, session, index=index)
    assert first != numbers(seed, subject + "x", session, index=index)


def test_another_process_with_another_hash_seed_draws_the_same():
    code = (
        "from synthtumour_bids.synthesis.seeds import stream;"
        "print(stream(527, '01', 'pre', index=3, purpose='train').integers(0, 2**62, 4).tolist())"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == str(numbers(527, "01", "pre", index=3))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        elsewhere = pool.submit(numbers, 527, "01", "pre", index=3).result()
    assert elsewhere == numbers(527, "01", "pre", index=3)


def test_global_generators_are_neither_read_nor_moved():
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    numbers(1, "a", None)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(seed, index):
    with pytest.raises(ValueError, match="must not be negative"):
        stream(seed, "a", None, index=index)


def test_streams_are_those_that_recorded_samples_were_drawn_from():
    assert numbers(527, "01", "pre", index=3)[:2] == [4306683101922515948, 150249996315383540]
    assert numbers(1, "a", None, purpose="mix")[0] == 1368084889084065248
