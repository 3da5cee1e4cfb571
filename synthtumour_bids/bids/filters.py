"""The BIDS filter file: which images of a dataset are meant, query by query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.index import entity_names
from synthtumour_bids.bids.names import CONTRAST_SUFFIXES
from synthtumour_bids.errors import UsageError
from synthtumour_bids.safe_files import read_any_json
from synthtumour_bids.settings import Role

# Names of queries; the image query holds for all roles.
IMAGE_QUERIES = ("image", "flair")
T1W_QUERY = "t1w"  # the image whose grid masks are carried to; not a scan to segment
ROLE_QUERIES = {
    "tumour": Role.TUMOUR,
    "tumourfree": Role.TUMOURFREE,
    "healthy": Role.TUMOURFREE,
    "annotated": Role.ANNOTATED,
}

# Entities that other settings decide. The suffix may be set for the scans of a role, as some
# cohorts have FLAIR images that are named like T2-weighted ones (acq-FLAIR_T2w).
SUFFIX = "suffix"
_DECIDED = {
    SUFFIX: "--contrast (or by the queries of a role, such as tumour and tumourfree)",
    "extension": "the app (.nii.gz and .nii)",
}

_SCALARS = (str, int, float, bool)


@dataclass(frozen=True)
class Filters:
    """Filters by entity name, e.g. ``{"acquisition": "3D", "run": None}``.

    Attributes
    ----------
    image
        For all scans.
    by_role
        For the scans of a role; an entity here overrides the same one of `image`.
    t1w
        For the T1w images that go with the scans.
    """

    image: Mapping[str, Any] = field(default_factory=dict)
    by_role: Mapping[Role, Mapping[str, Any]] = field(default_factory=dict)
    t1w: Mapping[str, Any] = field(default_factory=dict)

    def of(self, role: Role) -> dict[str, Any]:
        """All filters that hold for the scans of a role."""
        return {**self.image, **self.by_role.get(role, {})}

    def suffixes(self, role: Role, contrast: str) -> tuple[str, ...]:
        """Suffixes of the scans of a role, the preferred one first."""
        return _suffixes(self.by_role.get(role, {}), contrast)

    @property
    def t1w_suffixes(self) -> tuple[str, ...]:
        """Suffixes of the T1w images that go with the scans."""
        return _suffixes(self.t1w, "T1w")


def _suffixes(filters: Mapping[str, Any], contrast: str) -> tuple[str, ...]:
    given = filters.get(SUFFIX)
    if given is None:
        return CONTRAST_SUFFIXES[contrast]
    return tuple(given) if isinstance(given, list) else (given,)


def read_filters(path: Path | None) -> Filters:
    """Read a filter file.

    Parameters
    ----------
    path
        JSON ``{query: {entity: value}}``; a value is a text or number, a list of them, ``null``
        (the entity must be absent) or ``"*"`` (it must be there, whatever its value).

    Raises
    ------
    UsageError
        When the file is missing, is no JSON, contradicts itself, or asks for what does not exist.
    """
    if path is None:
        return Filters()
    try:
        content = read_any_json(path)
    except OSError as error:
        msg = f"The filter file {path} (--bids-filter-file) cannot be read: {error.strerror}."
        raise UsageError(msg) from error
    except ValueError as error:
        msg = f"JSON syntax error in: {path}. (It {error}.)"
        raise UsageError(msg) from error
    if not isinstance(content, dict):
        msg = f"The filter file {path} must hold an object: {{query: {{entity: value}}}}."
        raise UsageError(msg)
    image: dict[str, Any] = {}
    t1w: dict[str, Any] = {}
    by_role: dict[Role, dict[str, Any]] = {}
    for query, filters in content.items():
        if query in IMAGE_QUERIES:
            known = image
        elif query == T1W_QUERY:
            known = t1w
        elif query in ROLE_QUERIES:
            known = by_role.setdefault(ROLE_QUERIES[query], {})
        else:
            msg = (
                f"The filter file {path} has a query that this app does not make: {query!r}. "
                f"Its queries are {', '.join((*IMAGE_QUERIES, *ROLE_QUERIES, T1W_QUERY))}."
            )
            raise UsageError(msg)
        for entity, value in _checked(path, query, filters).items():
            if known.setdefault(entity, value) != value:
                msg = (
                    f"The filter file {path} has two queries for the same scans, of which "
                    f"{query!r} sets {entity!r} to {value!r} and the other to {known[entity]!r}. "
                    "Keep one of them."
                )
                raise UsageError(msg)
    return Filters(image, by_role, t1w)


def _checked(path: Path, query: str, filters: Any) -> dict[str, Any]:
    if not isinstance(filters, dict):
        msg = f"Query {query!r} of the filter file {path} must be an object: {{entity: value}}."
        raise UsageError(msg)
    names = entity_names()
    known = {names.get(str(entity), str(entity)): value for entity, value in filters.items()}
    if len(known) < len(filters):
        twice = ", ".join(map(str, filters))
        msg = f"Query {query!r} of the filter file {path} has an entity by two names: {twice}."
        raise UsageError(msg)
    for entity, value in known.items():
        if entity not in names:
            others = ", ".join(sorted({*names.values()} - _DECIDED.keys()))
            msg = (
                f"Query {query!r} of the filter file {path} has {entity!r}, which is no entity. "
                f"Entities are {others}."
            )
            raise UsageError(msg)
        if entity == SUFFIX and query not in IMAGE_QUERIES:
            _check_suffixes(path, query, value)
        elif entity in _DECIDED:
            msg = (
                f"Query {query!r} of the filter file {path} sets {entity!r}, "
                f"which is decided by {_DECIDED[entity]}."
            )
            raise UsageError(msg)
        values = value if isinstance(value, list) else [value]
        if not values or not all(item is None or isinstance(item, _SCALARS) for item in values):
            msg = (
                f"Query {query!r} of the filter file {path} has a value for {entity!r} that is "
                f'neither a text, a number, null, "*" nor a list of these: {value!r}.'
            )
            raise UsageError(msg)
    return known


def _check_suffixes(path: Path, query: str, value: Any) -> None:
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str) or not one.isalnum():
            msg = (
                f"Query {query!r} of the filter file {path} must name suffixes by letters and "
                f'digits, such as "T2w" or ["FLAIR", "T2w"]; found {value!r}.'
            )
            raise UsageError(msg)
