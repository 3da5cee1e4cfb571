"""Failures a user can meet: one class each, with its exit code and the sentence to print.

Exit codes: 0 all done, 1 something failed, 2 usage, 65 no usable data, 69 something needed is
unavailable, 70 internal error, 75 stopped (run the same command again to continue).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

EXIT_DONE = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_NO_DATA = 65
EXIT_UNAVAILABLE = 69
EXIT_INTERNAL = 70
EXIT_STOPPED = 75


class SynthTumourError(Exception):
    """Base of every expected failure; its message is written for the user."""

    exit_code = EXIT_INTERNAL


class UsageError(SynthTumourError):
    """The command line asks for something that makes no sense."""

    exit_code = EXIT_USAGE


class DataError(SynthTumourError):
    """The datasets hold nothing that can be used as asked."""

    exit_code = EXIT_NO_DATA


class UnusableScanError(DataError):
    """One scan cannot be used; the others go on."""


class UnknownRoleError(DataError):
    """A participant's group is neither of the tumour nor of the tumour-free values."""


class NoRolesError(DataError):
    """Nothing says which participants have a tumour; given networks would segment all of them."""


class PriorsError(UsageError):
    """A priors file has a key or a value that cannot be used."""


class UnavailableError(SynthTumourError):
    """A template, a device or a model that the run needs is not there."""

    exit_code = EXIT_UNAVAILABLE


class StoppedError(BaseException):
    """The run was asked to stop; what is done is kept.

    Raised by a signal at any place, as ``KeyboardInterrupt`` is: a library that goes on after an
    ``Exception``, as logging does when a line cannot be written, must not swallow it.
    """

    exit_code = EXIT_STOPPED


@contextmanager
def advice(text: str) -> Iterator[None]:
    """Add to the sentence of a failure inside the block what its reader can do about it.

    Functions on arrays tell what is wrong in terms of their arguments; which flag changes that is
    known where they are called.

    Parameters
    ----------
    text
        One or more sentences.

    Raises
    ------
    SynthTumourError
        The same error, with the text behind its sentence.
    """
    try:
        yield
    except SynthTumourError as error:
        raise type(error)(f"{error} {text}") from error
