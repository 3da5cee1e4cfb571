"""``--config-file``: the options of an earlier run as defaults of this one."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
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
    Values by the parser's destinations, to be set as its defaults.

    Raises
    ------
    UsageError
        For a syntax error, an unknown key, or a value that the flag itself would refuse.
    """
    try:
        content = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        msg = f"--config-file: TOML syntax error in {path}: {error}"
        raise UsageError(msg) from None
    actions = {action.dest: action for action in parser._actions}
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key in _NOT_REUSED or (key == "work_dir" and _is_default_work_dir(content)):
            continue
        if key not in actions:
            known = ", ".join(sorted(set(actions) - _NOT_REUSED - {"help"}))
            msg = f"--config-file: unknown key {key!r} in {path}; known keys: {known}."
            raise UsageError(msg)
        values[key] = _converted(actions[key], value)
    return values


def _is_default_work_dir(content: Mapping[str, Any]) -> bool:
    """Whether scratch data were in the earlier run's output: another output has its own place."""
    output_dir = content.get("output_dir")
    return output_dir is not None and Path(content["work_dir"]) == Path(output_dir) / "work"


def _converted(action: argparse.Action, value: Any) -> Any:
    """Pass a value of the file through the flag's own type and choices."""
    listed = value if isinstance(value, list) else [value]
    if callable(action.type) and not isinstance(action.type, argparse.FileType):
        try:
            listed = [action.type(str(item)) if isinstance(item, str) else item for item in listed]
        except argparse.ArgumentTypeError as error:
            msg = f"--config-file: {action.dest}: {error}"
            raise UsageError(msg) from None
    if action.choices is not None and any(item not in action.choices for item in listed):
        msg = f"--config-file: {action.dest}: expected one of {', '.join(action.choices)}."
        raise UsageError(msg)
    return listed if isinstance(value, list) else listed[0]
