"""Lists of names in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from synthtumour_bids.texts import visible


def listed(names: Iterable[str], most: int = 10) -> str:
    """Names with commas between, what cannot be seen as escapes, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    every = [visible(name) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return f"{', '.join(every[:most])}{more}"
