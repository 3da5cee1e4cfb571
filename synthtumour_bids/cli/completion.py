"""Completion of the command line by shells."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthtumour_bids.cli.types import (
    atlas,
    derivatives,
    existing_file,
    existing_folder,
    folder,
    model,
    template,
)
from synthtumour_bids.execution.streams import say

SHELLS = ("bash", "zsh", "tcsh")
FOLDERS = (existing_folder, folder, derivatives, model)
FILES = (existing_file, atlas, template, Path)  # folders are completed where files are, too


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Add ``--print-completion``."""
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        default=argparse.SUPPRESS,
        help="print a script that lets a shell complete this command line, and do nothing else",
    )


class PrintCompletion(argparse.Action):
    """Prints the script that completes a parser's command line, and ends the program."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print the script for the shell that was named."""
        # Here, because --help has no use for it and must answer at once.
        import shtab

        _complete_paths(parser)
        say(shtab.complete(parser, shell=str(values)))
        parser.exit()


def _complete_paths(parser: argparse.ArgumentParser) -> None:
    """Say which arguments, those of subcommands too, are files and folders."""
    import shtab

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_paths(command)
        elif action.type in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.type in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
