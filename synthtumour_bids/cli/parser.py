"""The command line: flags as BIDS App users know them, turned into one frozen ``Settings``.

Nothing heavy is imported here: ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.cli.checks import check
from synthtumour_bids.cli.config_file import read_config
from synthtumour_bids.cli.options import (
    add_behaviour_options,
    add_machine_options,
    add_method_options,
    add_scan_options,
)
from synthtumour_bids.cli.types import existing_folder
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import Method, Settings, Step


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds the default to the help of options that have one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of ``synthtumour-bids``; the container descriptors are made from it too."""
    parser = argparse.ArgumentParser(
        prog="synthtumour-bids",
        description=(
            "Segments brain tumours in FLAIR MRI without a single annotation: synthetic tumours "
            "in tumour-free brains train a junior nnU-Net, its pseudo-labels of real tumours "
            "train a senior, whose segmentations are written as BIDS derivatives. With a few "
            "annotated scans, --method fabrication makes the synthetic tumours from those."
        ),
        formatter_class=HelpFormatter,
    )
    parser.add_argument("bids_dir", type=existing_folder, help="BIDS dataset with tumour scans")
    parser.add_argument("output_dir", type=Path, help="folder for the derivatives")
    parser.add_argument(
        "analysis_level",
        choices=("participant", "group"),
        help="participant: all steps for the selected scans, training included when no model is "
        "there; group: train from what is already preprocessed, group tables",
    )
    parser.add_argument("--version", action="version", version=f"synthtumour-bids {__version__}")
    add_scan_options(parser.add_argument_group("Which scans"))
    add_method_options(parser.add_argument_group("Method"))
    add_machine_options(parser.add_argument_group("Machine"))
    add_behaviour_options(parser.add_argument_group("Behaviour"))
    return parser


def parse_settings(argv: Sequence[str] | None = None) -> Settings:
    """Turn a command line into settings.

    Raises
    ------
    UsageError
        For combinations that make no sense, and for what ``--config-file`` cannot bring back.
    SystemExit
        For ``--help``, ``--version`` and what argparse itself refuses (code 2).
    """
    parser = build_parser()
    options = parser.parse_args(argv)
    if options.config_file is not None:
        configured = read_config(parser, options.config_file)
        for action in parser._actions:
            # Not as a default: flags that may be repeated would add to it instead of replacing it.
            if action.dest in configured:
                action.default = argparse.SUPPRESS
        options = argparse.Namespace(**{**configured, **vars(parser.parse_args(argv))})
    values = vars(options)
    known = {item.name for item in fields(Settings)}
    settings: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in values.items()
        if key in known
    }
    settings["steps"] = tuple(step for step in Step if step.value in options.steps)
    settings["profile"] = PROFILES[options.profile]
    settings["method"] = Method(options.method)
    settings["output_dir"] = options.output_dir.absolute()
    # The one place that is sure to be writable, in a container above all.
    settings["work_dir"] = (options.work_dir or options.output_dir / "work").absolute()
    result = Settings(**settings)
    check(result)
    return result
