"""Write ``boutiques.json``, the Boutiques descriptor, from the parser of the command line.

Usage: ``python scripts/boutiques_descriptor.py``, after any change of flags or of the version.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import yaml
from packaging.version import Version

from synthtumour_bids import __version__, errors
from synthtumour_bids.cli import types
from synthtumour_bids.cli.completion import PrintCompletion
from synthtumour_bids.cli.parser import build_parser
from synthtumour_bids.settings import STARTER

ROOT = Path(__file__).resolve().parents[1]
DESCRIPTOR = ROOT / "boutiques.json"
IMAGE = "synthtumour_bids"

# The BIDS mode of `bosh validate` wants these first, in this order.
LEADING = ("bids_dir", "output_dir", "analysis_level", "participant_label", "session_label")
NO_INPUTS = (argparse._HelpAction, argparse._VersionAction, PrintCompletion)
FILE_TYPES = (types.existing_folder, types.existing_file, types.derivatives)
LEAST = {types.positive: 1, types.seed: 0}  # of the whole numbers
ERRORS = {
    errors.EXIT_SOME_FAILED: "Some scans failed; the others are finished.",
    errors.EXIT_USAGE: "The command line asks for something that makes no sense.",
    errors.EXIT_NO_DATA: "The datasets hold nothing that can be used as asked.",
    errors.EXIT_UNAVAILABLE: "A template, a device or a model that the run needs is not there.",
    errors.EXIT_INTERNAL: "Internal error; please report it with the log.",
    errors.EXIT_STOPPED: "Stopped; run the same command again to continue.",
}


def descriptor() -> dict[str, Any]:
    """Describe the app as Boutiques wants it (schema 0.5, with the rules for BIDS Apps)."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    parser = build_parser()
    described: dict[str, list[dict[str, Any]]] = {
        identifier(action): inputs_of(action)
        for action in parser._actions
        if not isinstance(action, NO_INPUTS)
    }
    order = [*LEADING, *(name for name in described if name not in LEADING)]
    inputs = [item for name in order for item in described[name]]
    keys = list(dict.fromkeys(item["value-key"] for item in inputs))
    version = Version(__version__).base_version
    return {
        "name": "synthtumour_bids",
        "tool-version": version,
        "description": str(parser.description),
        "author": ", ".join(author["name"] for author in citation["authors"]),
        **({"url": citation["repository-code"]} if "repository-code" in citation else {}),
        "schema-version": "0.5",
        "command-line": f"mkdir -p [OUTPUT_DIR]; {parser.prog} {' '.join(keys)}",
        "container-image": {"type": "docker", "image": f"{IMAGE}:{version}"},
        "inputs": inputs,
        "groups": [
            {
                "id": "output_directory",
                "name": "Output folder",
                "description": "A name for a new folder, or the folder of an earlier run.",
                "members": [item["id"] for item in described["output_dir"]],
                "mutually-exclusive": True,
                "one-is-required": True,
            },
            {
                "id": "networks",
                "name": "Networks to segment with",
                "description": "Those of an earlier run, or the one that is shipped.",
                "members": [item["id"] for item in described["model"]],
                "mutually-exclusive": True,
            },
        ],
        "output-files": [
            {
                "id": "output_dir",
                "name": "Output folder",
                "description": "BIDS derivatives: a tumour mask of every scan, and tables.",
                "path-template": "[OUTPUT_DIR]",
                "optional": False,
            }
        ],
        "error-codes": [{"code": code, "description": text} for code, text in ERRORS.items()],
        # For training with the default profile on a machine with a GPU.
        "suggested-resources": {
            "cpu-cores": 8,
            "ram": 32,
            "disk-space": 50,
            "walltime-estimate": 86400,
        },
        "tags": {
            "domain": ["neuroinformatics", "mri"],
            "application-type": "bids",
            "keywords": citation["keywords"],
        },
    }


def identifier(action: argparse.Action) -> str:
    """Name of the input: that of the positional argument, or of its first long flag."""
    return flag(action).lstrip("-").replace("-", "_") if action.option_strings else action.dest


def flag(action: argparse.Action) -> str:
    """The first long spelling of an option."""
    return next(text for text in action.option_strings if text.startswith("--"))


def inputs_of(action: argparse.Action) -> list[dict[str, Any]]:
    """Describe one argument of the parser.

    The output folder becomes two inputs with one key: platforms must tell a folder that is to be
    made (a string) from one that they have to bring along (a file). ``--model``, which takes a word
    or a folder, becomes two as well, each with its own key.

    There is no ``default-value``: Boutiques would write it on every command line, where it would
    override ``--config-file``. The help text names the default instead.
    """
    name = identifier(action)
    item: dict[str, Any] = {
        "id": name,
        "name": name.replace("_", " ").capitalize(),
        "description": str(action.help),
        "value-key": f"[{name.upper()}]",
        "optional": bool(action.option_strings),
        **value(action),
    }
    if action.option_strings:
        item["command-line-flag"] = flag(action)
    if name == "model":
        word = {"id": STARTER, "name": "Starter", "value-key": f"[{STARTER.upper()}]"}
        return [{**item, "type": "File"}, {**item, **word, "value-choices": [STARTER]}]
    if name != "output_dir":
        return [item]
    item["optional"] = True
    return [
        {**item, "id": "output_dir_name", "name": "Name of the output folder"},
        {**item, "id": "previous_output_dir", "name": "Output of an earlier run", "type": "File"},
    ]


def value(action: argparse.Action) -> dict[str, Any]:
    """Type, choices and number of an argument's values."""
    if action.nargs == 0:
        return {"type": "Flag"}
    described: dict[str, Any] = {"type": "String"}
    if action.type in FILE_TYPES:
        described = {"type": "File"}
    elif action.type in LEAST:
        described = {"type": "Number", "integer": True, "minimum": LEAST[action.type]}
    if action.choices is not None:
        described["value-choices"] = [str(choice) for choice in action.choices]
    if action.nargs == "+":
        described |= {"list": True, "min-list-entries": 1}
    elif isinstance(action, argparse._AppendAction):
        # Given several times: `--flag a --flag b`.
        described |= {"list": True, "list-separator": f" {flag(action)} "}
    return described


def text() -> str:
    """Content of ``boutiques.json``."""
    return json.dumps(descriptor(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DESCRIPTOR.write_text(text(), encoding="utf-8")
