"""Work on several things at a time by threads, where a network on a GPU serves them all."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


def side_by_side(
    function: Callable[[Item], Value], items: Iterable[Item], threads: int
) -> Generator[Value]:
    """Give what a function makes of each item, in order; to be closed, lest the rest be worked on.

    Parameters
    ----------
    function
        May be called by several threads.
    items
        What it is called with.
    threads
        How many of them may be worked on at a time; with one, the calling thread does it all.

    Raises
    ------
    BaseException
        What the function raised; what has not been begun by then is not begun any more.
    """
    if threads == 1:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
