"""The command line: flags as BIDS App users know them, turned into one frozen ``Settings``.

Nothing heavy is imported here: ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NoReturn

from synthtumour_bids import __version__
from synthtumour_bids.cli.checks import check
from synthtumour_bids.cli.completion import add_completion
from synthtumour_bids.cli.config_file import read_config
from synthtumour_bids.cli.options import add_options
from synthtumour_bids.cli.types import existing_folder, folder
from synthtumour_bids.errors import UsageError
from synthtumour_bids.execution.resources import available_cores
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import ANALYSIS_LEVELS, LABEL_PREFIXES, Method, Settings, Step


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in two lines, not after all its usage."""

    def error(self, message: str) -> NoReturn:
        """Refuse a command line."""
        raise UsageError(f"{message}\nSee {self.prog} --help.")


def build_parser() -> Parser:
    """Make the parser of ``synthtumour-bids``; the container descriptors are made from it too."""
    parser = Parser(
        prog="synthtumour-bids",
        description=(
            "Segments brain tumours in FLAIR MRI without a single annotation: synthetic tumours "
            "in tumour-free brains train a junior nnU-Net, its pseudo-labels of real tumours "
            "train a senior, whose segmentations are written as BIDS derivatives. With a few "
            "annotated scans, --method fabrication makes the synthetic tumours from those."
        ),
    )
    parser.add_argument("bids_dir", type=existing_folder, help="BIDS dataset with tumour scans")
    parser.add_argument("output_dir", type=folder, help="folder for the derivatives")
    parser.add_argument(
        "analysis_level",
        choices=ANALYSIS_LEVELS,
        help="participant: all steps for the selected scans, training included when no model is "
        "there; group: train from what is already preprocessed, group tables",
    )
    parser.add_argument("--version", action="version", version=f"synthtumour-bids {__version__}")
    add_completion(parser)
    add_options(parser)
    return parser


def parse_settings(argv: Sequence[str] | None = None) -> Settings:
    """Turn a command line into settings.

    Raises
    ------
    UsageError
        For what the parser refuses, for what ``--config-file`` cannot bring back, and for
        combinations that make no sense; also for relative paths where the current folder is gone.
    SystemExit
        For ``--help`` and ``--version`` (code 0).
    """
    parser = build_parser()
    try:
        given = vars(parser.parse_args(argv))
        if "config_file" in given:
            given = {**read_config(parser, given), **given}
    except FileNotFoundError as error:  # of Path.absolute
        msg = "The current folder is gone: cd to another one, or give absolute paths."
        raise UsageError(msg) from error
    settings = to_settings(given)
    check(settings)
    return settings


def to_settings(given: Mapping[str, Any]) -> Settings:
    """Make settings of what was given; all else has its default.

    Parameters
    ----------
    given
        Values by the parser's destinations.

    Raises
    ------
    UsageError
        For a flag of labels that names none.
    """
    known = {field.name for field in fields(Settings)}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in given.items()
        if key in known
    }
    values = {
        # The one place that is sure to be writable, in a container above all.
        "work_dir": values["output_dir"] / "work",
        **values,
        "profile_given": "profile" in values,
        "nprocs_given": "nprocs" in values,
        "nprocs": values.get("nprocs") or available_cores(),
    }
    if "profile" in values:
        values["profile"] = PROFILES[values["profile"]]
    if "method" in values:
        values["method"] = Method(values["method"])
    if "steps" in values:
        values["steps"] = tuple(step for step in Step if step.value in values["steps"])
    settings = Settings(**values)
    for name, prefix in LABEL_PREFIXES.items():
        if values.get(name) and not getattr(settings, name):
            flag = "--" + name.replace("_", "-")
            msg = (
                f"{flag} names nobody: {' '.join(map(repr, values[name]))}. Give labels, with or "
                f"without {prefix}, or leave it out (an empty variable in a script?)."
            )
            raise UsageError(msg)
    return settings
