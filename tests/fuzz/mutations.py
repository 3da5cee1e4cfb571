"""Files like real ones, but for some bytes or values."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

ODD_NUMBERS = (0, -1, 2**31, -(2**63), 10**400, 1e308, -0.0, 5e-324)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(ODD_NUMBERS),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(("*", "n/a", "../..", "\x1b[2J", "\ud800", "x" * 5000)),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes, within: int | None = None) -> bytes:
    """Draw a file with some of its first bytes overwritten, and perhaps its end cut off."""
    data = bytearray(content)
    places = st.integers(0, (within or len(content)) - 1)
    for place, new in draw(st.lists(st.tuples(places, st.binary(min_size=1, max_size=8)))):
        data[place : place + len(new)] = new
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


@st.composite
def changed_document(draw: st.DrawFn, document: Any) -> bytes:
    """Draw JSON in which some values, at any depth, are others, missing, or new."""
    copy = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        copy = _changed(draw, copy)
    return json.dumps(copy).encode(errors="surrogatepass")


def _changed(draw: st.DrawFn, value: Any) -> Any:
    if not isinstance(value, (dict, list)) or not value or draw(st.integers(0, 4)) == 0:
        return draw(values)
    place = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
    action = draw(st.sampled_from(("change", "change", "remove", "add")))
    if action == "change":
        value[place] = _changed(draw, value[place])
    elif action == "remove":
        value.pop(place)
    elif isinstance(value, dict):
        value[draw(st.text(max_size=12))] = draw(values)
    else:
        value.append(draw(values))
    return value
