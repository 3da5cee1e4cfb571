"""Ranges, mixtures and core kinds of the priors: drawing from them, and reading them from JSON.

Every reader takes a JSON value and the words that name it, and raises PriorsError with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..errors import PriorsError

Scale = Literal["linear", "log"]
CoreForm = Literal["inner", "mass"]
HUGE = 1e300  # whole numbers of JSON may be larger than any float
Csf = Literal["dark", "bright"]  # beside tissue, in the contrast at hand


@dataclass(frozen=True)
class Range:
    """A uniform (``"linear"``) or log-uniform (``"log"``) range."""

    low: float
    high: float
    scale: Scale = "linear"

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        if self.scale == "log":
            return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class Mixture:
    """Ranges, each with its probability."""

    parts: tuple[Range, ...]
    probabilities: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> float:
        """Pick a part, then draw from it."""
        return self.parts[int(rng.choice(len(self.parts), p=self.probabilities))].draw(rng)


@dataclass(frozen=True)
class CoreKind:
    """One kind of core: how often, how bright, how large, and in which form (see `Lesion`)."""

    probability: float
    gain: Range
    fraction: Range
    form: CoreForm = "inner"


def kind_of(value: object) -> str:
    """Name the kind of a JSON value, for error sentences."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true/false", type(None): "null"}
    return names.get(type(value), "a number")


def read_mapping(value: object, what: str) -> Mapping[str, Any]:
    """Read an object of keys.

    Parameters
    ----------
    value
        From JSON.
    what
        What it is, for sentences.

    Raises
    ------
    PriorsError
        If it cannot be used.
    """
    if not isinstance(value, Mapping):
        raise PriorsError(f"{what} must be an object of keys, not {kind_of(value)}.")
    return value


def _number(value: object, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PriorsError(f"{what} must be a number, not {kind_of(value)}.")
    if not low <= value <= high:  # also refuses NaN
        found = f"{value:.6g}" if abs(value) < HUGE else "a huge number"
        raise PriorsError(f"{what} is {found}; it must lie between {low:g} and {high:g}.")
    return float(value)


def range_reader(low: float, high: float) -> Callable[[object, str], Range]:
    """Return the reader of a range inside [low, high]: a pair, or an object with a scale.

    Parameters
    ----------
    low, high
        What both ends of a range must lie between.

    Returns
    -------
    callable
        Takes a JSON value and the words that name it; raises PriorsError if it cannot be used.
    """

    def read(value: object, what: str) -> Range:
        scale: Scale = "linear"
        if isinstance(value, Mapping):
            _only(value, {"range", "scale", "probability"}, what)
            scale = value.get("scale", "linear")
            if scale not in ("linear", "log"):
                raise PriorsError(f"{what}: scale is {scale!r}, not 'linear' or 'log'.")
            value = value.get("range")
        if not isinstance(value, list) or len(value) != 2:
            raise PriorsError(f"{what} must be a range [low, high], not {kind_of(value)}.")
        a, b = (_number(v, what, low, high) for v in value)
        if a > b:
            raise PriorsError(
                f"{what} is the inverted range [{a:g}, {b:g}]; the smaller number comes first."
            )
        if scale == "log" and a <= 0:
            raise PriorsError(f"{what}: a log range must start above 0, not at {a:g}.")
        return Range(a, b, scale)

    return read


def mixture_reader(low: float, high: float) -> Callable[[object, str], Mixture]:
    """Return the reader of a range, or of a list of ranges with probabilities.

    Parameters
    ----------
    low, high
        What both ends of a range must lie between.

    Returns
    -------
    callable
        Takes a JSON value and the words that name it; raises PriorsError if it cannot be used.
    """
    read_range = range_reader(low, high)

    def read(value: object, what: str) -> Mixture:
        if not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            return Mixture((read_range(value, what),), (1.0,))
        parts = [read_mapping(part, what) for part in value]
        shares = [part.get("probability") for part in parts]
        return Mixture(tuple(read_range(p, what) for p in parts), read_probabilities(shares, what))

    return read


def read_probability(value: object, what: str) -> float:
    """Read a number in [0, 1].

    Parameters
    ----------
    value
        From JSON.
    what
        What it is, for sentences.

    Raises
    ------
    PriorsError
        If it cannot be used.
    """
    return _number(value, what, 0, 1)


def read_probabilities(value: object, what: str) -> tuple[float, ...]:
    """Read probabilities that add up to 1.

    Parameters
    ----------
    value
        From JSON.
    what
        What it is, for sentences.

    Raises
    ------
    PriorsError
        If it cannot be used.
    """
    if not isinstance(value, list) or not value:
        raise PriorsError(f"{what} must be a list of probabilities, not {kind_of(value)}.")
    shares = [_number(v, f"{what}, probability", 0, 1) for v in value]
    if abs(sum(shares) - 1) > 1e-6:
        raise PriorsError(f"{what}: probabilities add up to {sum(shares):g}, not 1.")
    return tuple(s / sum(shares) for s in shares)


def read_cores(value: object, what: str) -> tuple[CoreKind, ...]:
    """Read the kinds of core; what their probabilities leave of 1 is lesions without a core.

    Parameters
    ----------
    value
        From JSON.
    what
        What it is, for sentences.

    Raises
    ------
    PriorsError
        If it cannot be used.
    """
    if not isinstance(value, list):
        raise PriorsError(f"{what} must be a list of core kinds, not {kind_of(value)}.")
    kinds = []
    for entry in value:
        core = read_mapping(entry, what)
        _only(core, {"kind", "probability", "gain", "fraction", "form"}, what)
        form = core.get("form", "inner")
        if form not in get_args(CoreForm):
            raise PriorsError(
                f"{what}, form is {form!r}; it must be one of {', '.join(get_args(CoreForm))}."
            )
        kinds.append(
            CoreKind(
                read_probability(core.get("probability"), f"{what}, probability"),
                range_reader(0, 10)(core.get("gain"), f"{what}, gain"),
                range_reader(0, 0.95)(core.get("fraction"), f"{what}, fraction"),
                form,
            )
        )
    if sum(k.probability for k in kinds) > 1 + 1e-6:
        raise PriorsError(f"{what}: probabilities of core kinds add up to more than 1.")
    return tuple(kinds)


def read_csf(value: object, what: str) -> Csf:
    """Read whether CSF is dark or bright.

    Parameters
    ----------
    value
        From JSON.
    what
        What it is, for sentences.

    Raises
    ------
    PriorsError
        If it cannot be used.
    """
    for word in get_args(Csf):
        if value == word:
            found: Csf = word
            return found
    raise PriorsError(f"{what} is {value!r}; it must be 'dark' or 'bright'.")


def _only(value: Mapping[str, Any], allowed: set[str], what: str) -> None:
    for key in value:
        if key not in allowed:
            raise PriorsError(
                f"{what}: unknown key '{key}'; allowed are {', '.join(sorted(allowed))}."
            )
