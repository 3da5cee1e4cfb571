"""``--config-file``: the options of an earlier run as defaults of this one.

Every value goes through the same parser as if its flag had been given, so that a file and a
command line mean the same and are refused in the same words.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from synthtumour_bids.errors import UsageError
from synthtumour_bids.settings import Settings

# What a configuration file may not bring back: it belongs to one run alone.
_NOT_REUSED = {"bids_dir", "output_dir", "analysis_level", "dry_run", "config_file"}

_KEYS = {one.name for one in fields(Settings) if not one.name.endswith("_given")} - _NOT_REUSED
_TYPES = get_type_hints(Settings)

# The flags that are not called as their fields are.
_FLAGS = {
    "tumourfree_values": "--tumourfree-value",
    "tumour_values": "--tumour-value",
    "mem_gb": "--mem",
}
_GIVEN_SEVERAL_TIMES = {"tumourfree_dir"}  # each time with one value
_COUNTED = {"verbosity"}


def read_config(parser: argparse.ArgumentParser, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the options of an earlier run.

    Parameters
    ----------
    parser
        That of the command line; raises UsageError for what it refuses.
    given
        What the command line holds. ``config_file`` is the TOML file, as every run leaves one in
        ``logs/``.

    Returns
    -------
    Values by the parser's destinations, the same as if their flags had been given.

    Raises
    ------
    UsageError
        For a syntax error, an unknown key, or a value that the flag itself would refuse.
    """
    path: Path = given["config_file"]
    positional = [str(given[key]) for key in ("bids_dir", "output_dir", "analysis_level")]
    values: dict[str, Any] = {}
    for key, value in _read(path).items():
        try:
            if _TYPES[key] is bool or key in _COUNTED:
                values[key] = _without_value(key, value)
            else:
                parsed = parser.parse_args([*positional, *_arguments(key, value)])
                values[key] = getattr(parsed, key)
        except UsageError as error:
            reason = str(error).splitlines()[0]
            msg = f"--config-file: {key} in {path}: {reason}"
            raise UsageError(msg) from None
    return values


def _read(path: Path) -> dict[str, Any]:
    """Read the values of a file that are for another run, too."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        msg = f"--config-file: {path} cannot be read ({error.strerror})."
        raise UsageError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"--config-file: TOML syntax error in {path}: {error}"
        raise UsageError(msg) from None
    for key in content:
        if key not in _KEYS | _NOT_REUSED:
            msg = (
                f"--config-file: unknown key {key!r} in {path}; known keys: "
                f"{', '.join(sorted(_KEYS))}."
            )
            raise UsageError(msg)
    unused = set(_NOT_REUSED)
    if _is_default_work_dir(content):
        unused.add("work_dir")
    return {key: value for key, value in content.items() if key not in unused}


def _is_default_work_dir(content: Mapping[str, Any]) -> bool:
    """Whether scratch data were in the earlier run's output: another output has its own place."""
    if not {"output_dir", "work_dir"} <= content.keys():
        return False
    return Path(str(content["work_dir"])) == Path(str(content["output_dir"])) / "work"


def _without_value(key: str, value: Any) -> bool | int:
    """Check the key of a flag without a value: given or not, or how often."""
    # Not isinstance: true is an int to Python.
    if type(value) is bool and key not in _COUNTED:
        return value
    if type(value) is int and value >= 0 and key in _COUNTED:
        return value
    expected = "a whole number from 0" if key in _COUNTED else "true or false"
    msg = f"expected {expected}, found {value!r}"
    raise UsageError(msg)


def _arguments(key: str, value: Any) -> list[str]:
    """Write a value as the command line would have it."""
    flag = _FLAGS.get(key, f"--{key.replace('_', '-')}")
    kinds = (_TYPES[key], *get_args(_TYPES[key]))  # a tuple, or a tuple or None
    several = any(get_origin(kind) is tuple for kind in kinds)
    if isinstance(value, list) and not several:
        msg = f"expected one value, found the list {value}"
        raise UsageError(msg)
    texts = [_text(key, item) for item in (value if isinstance(value, list) else [value])]
    if not texts:
        msg = "expected at least one value, found an empty list; leave the key out for its default"
        raise UsageError(msg)
    if several and key not in _GIVEN_SEVERAL_TIMES:
        return [flag, *texts]
    # In one word: a value may start with a dash.
    return [f"{flag}={text}" for text in texts]


def _text(key: str, item: Any) -> str:
    if isinstance(item, bool) or not isinstance(item, str | int | float):
        msg = f"expected a text or a number, found {item!r}"
        raise UsageError(msg)
    if key == "mem_gb" and not isinstance(item, str):
        # The key has the unit in its name, the flag wants it with the number; 1e-05 it refuses.
        return f"{Decimal(str(item)):f}G"
    return str(item)
