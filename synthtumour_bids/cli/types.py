"""Types of the command line's arguments: each turns a text into a value or says what is wrong."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from synthtumour_bids.errors import UsageError
from synthtumour_bids.execution.resources import parse_memory
from synthtumour_bids.settings import STARTER, atlas_files
from synthtumour_bids.spaces.references import parse_reference


def positive(text: str) -> int:
    """Accept whole numbers from 1."""
    try:
        number = int(text)
    except ValueError:
        msg = f"expected a whole number, found {text!r}"
        raise argparse.ArgumentTypeError(msg) from None
    if number < 1:
        msg = f"must be 1 or more, found {number}"
        raise argparse.ArgumentTypeError(msg)
    return number


def seed(text: str) -> int:
    """Accept whole numbers from 0, as long as PyTorch takes them."""
    if not text.isdecimal() or int(text) >= 2**63:
        msg = f"expected a whole number from 0 to {2**63 - 1}, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def volume(text: str) -> float:
    """Accept volumes above 0, in mL."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        msg = f"expected a volume in mL above 0, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return number


def _is(look: Callable[[], bool]) -> bool:
    """Whether it is, of which one may have to look into folders that may not be entered."""
    try:
        return look()
    except OSError as error:
        raise _unseen(error) from error


def _unseen(error: OSError) -> argparse.ArgumentTypeError:
    msg = f"{error.filename} cannot be looked at ({error.strerror}): mend its permissions"
    return argparse.ArgumentTypeError(msg)


def _path(text: str) -> Path:
    """A path; the empty one is refused, as it would mean the current folder."""
    if not text:
        msg = "expected a path, found '' (an empty variable in a script?)"
        raise argparse.ArgumentTypeError(msg)
    return Path(text)


def existing_folder(text: str) -> Path:
    """Accept a folder that is there."""
    path = _path(text)
    if not _is(path.is_dir):
        msg = f"folder does not exist: {path} (in a container, is its volume mounted?)"
        raise argparse.ArgumentTypeError(msg)
    return path.absolute()


def folder(text: str) -> Path:
    """Accept a folder that may have to be made; paths must mean the same in every process."""
    return _path(text).absolute()


def model(text: str) -> Path | Literal["starter"]:
    """Accept the word for the network that is shipped, or a folder that is there."""
    return STARTER if text == STARTER else existing_folder(text)


def existing_file(text: str) -> Path:
    """Accept a file that is there."""
    path = _path(text)
    if not _is(path.is_file):
        msg = f"file does not exist: {path} (in a container, is its volume mounted?)"
        raise argparse.ArgumentTypeError(msg)
    return path.absolute()


def output_space(text: str) -> str:
    """Accept a space that masks can be written in, with its resolutions."""
    try:
        parse_reference(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def atlas(text: str) -> str:
    """Accept an image that is there, alone or with its table of labels behind a colon."""
    try:
        parts = [str(part) for part in atlas_files(text) if part]
    except OSError as error:
        raise _unseen(error) from error
    return ":".join(str(existing_file(part)) for part in parts)


def derivatives(text: str) -> Path:
    """Accept a folder that is there, with or without ``NAME=`` before it."""
    name, _, path = text.partition("=")
    whole = "/" in name or not path or _is(Path(text).is_dir)
    return existing_folder(text if whole else path)


def template(text: str) -> str:
    """Leave names alone; paths must mean the same in every process."""
    path = _path(text)
    return str(path.absolute()) if _is(path.exists) else text


def memory(text: str) -> float:
    """Accept an amount of memory with its unit, in GB then."""
    try:
        return parse_memory(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def device(text: str) -> str:
    """Accept a name of a device."""
    if text in ("auto", "cpu", "cuda", "mps") or (
        text.startswith("cuda:") and text[len("cuda:") :].isdigit()
    ):
        return text
    msg = f"expected auto, cpu, mps, cuda or cuda:N, found {text!r}"
    raise argparse.ArgumentTypeError(msg)
