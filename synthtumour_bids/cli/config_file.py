"""``--config-file``: the options of an earlier run as defaults of this one."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UsageError

# What a configuration file may not bring back: it belongs to one run alone.
_NOT_REUSED = {"bids_dir", "output_dir", "analysis_level", "dry_run", "config_file", "version"}


def read_config(parser: argparse.ArgumentParser, path: Path) -> dict[str, Any]:
    """Read the options of an earlier run.

    Parameters
    ----------
    parser
        Knows the options, their types and choices.
    path
        TOML file as every run leaves it in ``logs/``.

    Returns
    -------
    Values by the parser's destinations, the same as if their flags had been given.

    Raises
    ------
    UsageError
        For a syntax error, an unknown key, or a value that the flag itself would refuse.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"--config-file: TOML syntax error in {path}: {error}"
        raise UsageError(msg) from None
    unused = {*_NOT_REUSED, "help"}
    actions = {action.dest: action for action in parser._actions if action.dest not in unused}
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key in _NOT_REUSED or (key == "work_dir" and _is_default_work_dir(content)):
            continue
        if key not in actions:
            known = ", ".join(sorted(actions))
            msg = f"--config-file: unknown key {key!r} in {path}; known keys: {known}."
            raise UsageError(msg)
        try:
            values[key] = _converted(parser, actions[key], value)
        except argparse.ArgumentError as error:
            msg = f"--config-file: {key} in {path}: {error}"
            raise UsageError(msg) from None
    return values


def _is_default_work_dir(content: Mapping[str, Any]) -> bool:
    """Whether scratch data were in the earlier run's output: another output has its own place."""
    output_dir = content.get("output_dir")
    if output_dir is None:
        return False
    return Path(str(content["work_dir"])) == Path(str(output_dir)) / "work"


def _converted(parser: argparse.ArgumentParser, action: argparse.Action, value: Any) -> Any:
    """Pass a value of the file through the flag's own type, choices and action."""
    if action.nargs == 0:
        return _switch(action, value)
    repeated = isinstance(action, argparse._AppendAction)
    items = value if isinstance(value, list) else [value]
    if isinstance(value, list) and action.nargs is None and not repeated:
        raise argparse.ArgumentError(action, f"expected one value, found the list {value}")
    if isinstance(action.nargs, int) and len(items) != action.nargs:
        raise argparse.ArgumentError(action, f"expected {action.nargs} values, found {value!r}")
    if not items:
        msg = "expected at least one value, found an empty list; leave the key out for its default"
        raise argparse.ArgumentError(action, msg)
    typed = [parser._get_value(action, _as_text(action, item)) for item in items]
    for item in typed:
        parser._check_value(action, item)
    namespace = argparse.Namespace()
    for use in typed if repeated else [typed if action.nargs else typed[0]]:
        action(parser, namespace, use)
    return getattr(namespace, action.dest)


def _switch(action: argparse.Action, value: Any) -> Any:
    """A flag without a value is given or not, or counts how often it is given."""
    # Not isinstance: true is an int to Python.
    if type(value) is not type(action.default) or value < 0:
        expected = "true or false" if isinstance(action.default, bool) else "a whole number from 0"
        raise argparse.ArgumentError(action, f"expected {expected}, found {value!r}")
    return value


def _as_text(action: argparse.Action, item: Any) -> str:
    """What the command line would have read."""
    if isinstance(item, bool) or not isinstance(item, str | int | float):
        raise argparse.ArgumentError(action, f"expected a text or a number, found {item!r}")
    if action.dest == "mem_gb" and not isinstance(item, str):
        # The key has the unit in its name, the flag wants it with the number; 1e-05 it refuses.
        return f"{Decimal(str(item)):f}G"
    return str(item)
