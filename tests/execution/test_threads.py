"""Several things at a time, by threads."""

from __future__ import annotations

import threading
import time

import pytest

from synthtumour_bids.execution.threads import side_by_side


@pytest.mark.parametrize("threads", [1, 3])
def test_results_keep_the_order_of_their_items(threads: int) -> None:
    def slow_at_first(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number**2

    assert list(side_by_side(slow_at_first, range(6), threads)) == [0, 1, 4, 9, 16, 25]


def test_several_are_worked_on_at_a_time() -> None:
    meeting = threading.Barrier(3, timeout=10)
    assert list(side_by_side(lambda _: meeting.wait() < 3, range(3), 3)) == [True] * 3


def test_one_is_worked_on_where_it_was_asked_for() -> None:
    (worker,) = side_by_side(lambda _: threading.current_thread(), [0], 1)
    assert worker is threading.current_thread()


@pytest.mark.parametrize("threads", [1, 2])
def test_after_an_error_nothing_is_begun(threads: int) -> None:
    begun = []

    def fails_at_two(number: int) -> None:
        begun.append(number)
        time.sleep(0.02)
        if number == 2:
            raise ValueError("two")

    with pytest.raises(ValueError, match="two"):
        list(side_by_side(fails_at_two, range(100), threads))
    assert len(begun) < 10
