"""Being asked to stop reaches the program wherever it is."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from synthtumour_bids.errors import StoppedError
from synthtumour_bids.execution.stopping import stop_by_exception, stop_signal


class Cleared:
    """Is asked to stop while it is cleared away, where Python drops what is raised."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


def clear_and_wait(number: int) -> None:
    cleared = Cleared(number)
    del cleared
    time.sleep(30)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_that_comes_while_objects_are_cleared_away_is_not_lost(number: int) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_by_exception(), pytest.raises(StoppedError):
        clear_and_wait(number)
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_else_is_lost_there_goes_where_it_went() -> None:
    class Breaks:
        def __del__(self) -> None:
            raise ValueError("while it was cleared away")

    seen: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.unraisablehook", lambda lost: seen.append(lost.exc_value))
        with stop_by_exception():
            breaks = Breaks()
            del breaks
    assert [str(one) for one in seen] == ["while it was cleared away"]


@pytest.fixture
def in_front() -> Iterator[None]:
    """Ctrl-C as in a terminal: background jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_front")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_what_saves_first_is_told_and_only_a_further_ctrl_c_interrupts(number: int) -> None:
    with stop_by_exception(), stop_signal() as stop:
        signal.raise_signal(number)
        assert stop.is_set()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("in_front")
def test_ctrl_c_stays_ignored_in_the_background() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stop_signal() as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop.is_set()
