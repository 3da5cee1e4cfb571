"""Values of files that may come from anywhere: of their type and within their bounds, or refused.

Every function raises `ValueError` with one clause that names the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Triple = tuple[int, int, int]


def object_of(parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the object under a key."""
    found = parent.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{key} is missing or no object")
    return found


def items(value: object, name: str, length: int) -> list[Any]:
    """Return a list of a given length."""
    if not isinstance(value, list) or len(value) != length:
        raise ValueError(f"{name} is {short(value)}, not a list of {length}")
    return value


def whole(value: object, name: str, low: int, high: int) -> int:
    """Return a whole number between bounds, both of them allowed."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is {short(value)}, not a whole number from {low} to {high}")
    return value


def wholes(parent: Mapping[str, Any], name: str, length: int, high: int) -> tuple[int, ...]:
    """Return the list under a name: whole numbers from 1 to `high`."""
    values = items(parent.get(name), name, length)
    return tuple(whole(value, name, 1, high) for value in values)


def triple(value: object, name: str, low: int, high: int) -> Triple:
    """Return a list of three whole numbers."""
    a, b, c = (whole(one, name, low, high) for one in items(value, name, 3))
    return a, b, c


def triples(
    parent: Mapping[str, Any], name: str, length: int, allowed: Sequence[int]
) -> tuple[Triple, ...]:
    """Return the list under a name: triples of allowed numbers."""
    low, high = min(allowed), max(allowed)
    found = tuple(triple(one, name, low, high) for one in items(parent.get(name), name, length))
    if any(value not in allowed for one in found for value in one):
        raise ValueError(f"{name} has other values than {' and '.join(map(str, allowed))}")
    return found


def number(value: object, name: str, low: float, high: float) -> float:
    """Return a number between bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {short(value)}, not a number from {low:g} to {high:g}")
    return float(value)


def truth(value: object, name: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {short(value)}, neither true nor false")
    return value


def text(value: object, name: str, longest: int) -> str:
    """Return a text of at most so many characters."""
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"{name} is {short(value)}, not a text of at most {longest} characters")
    return value


def texts(value: object, name: str, longest: int) -> tuple[str, ...]:
    """Return a list of such texts."""
    if not isinstance(value, list):
        raise ValueError(f"{name} is {short(value)}, not a list")
    return tuple(text(one, name, longest) for one in value)


def short(value: object) -> str:
    """Write a value as it stands in a sentence."""
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."
