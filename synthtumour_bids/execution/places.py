"""Paths of this machine in what may be shared: words stand for the folders that a run names."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.settings import Settings
from synthtumour_bids.texts import visible

# In a container a folder may be called /out, and parts of other paths begin so. What comes before
# a path is no name, but may be an escaped line break.
_BEFORE, _AFTER = r"(?:(?<![\w.-])|(?<=\\[nrt]))", r"(?![\w-]|\.\w)"


@dataclass(frozen=True)
class Places:
    """The folders of a run, and the words that stand for them.

    Attributes
    ----------
    words
        Paths with their words; what lies in another one comes before it.
    """

    words: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, settings: Settings) -> Places:
        """Places that settings name, the home folder and Python's own."""
        found: dict[str, str] = {}
        for path, word in _named(settings):
            for form in (path.absolute(), path.resolve()):
                if len(form.parts) > 1:  # never the root, which begins all paths
                    found.setdefault(str(form), word)
        return cls(tuple(sorted(found.items(), key=lambda one: len(one[0]), reverse=True)))

    def hide(self, text: str) -> str:
        """Replace the paths in a text by their words."""
        words = dict(self.words)
        paths = "|".join(map(re.escape, words))
        whole = rf"{_BEFORE}(?:{paths}){_AFTER}"
        return re.sub(whole, lambda found: words[found[0]], text) if words else text


class HidingFormatter(logging.Formatter):
    """Formats log lines without paths of this machine."""

    def __init__(self, format: str, places: Places) -> None:  # noqa: A002 - as logging calls it
        super().__init__(format)
        self.places = places

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        return visible(self.places.hide(super().format(record)))


def _named(settings: Settings) -> Iterator[tuple[Path, str]]:
    yield settings.bids_dir, "BIDS_DIR"
    yield settings.output_dir, "OUTPUT_DIR"
    yield settings.work_dir, "WORK_DIR"
    if settings.lesion_roi_dir is not None:
        yield settings.lesion_roi_dir, "LESION_ROI_DIR"
    for path in settings.tumourfree_dir:
        yield path, "TUMOURFREE_DIR"
    for path in settings.derivatives:
        yield path, "DERIVATIVES_DIR"
    for name in (
        *("annotated_dir", "corrections", "truth", "teacher", "model", "priors", "lesion_place"),
    ):
        if isinstance(path := getattr(settings, name), Path):
            yield path, name.upper()
    yield Path(__file__).parents[2], "PYTHON_DIR"
    yield Path(sys.prefix), "PYTHON_DIR"
    yield Path(sys.base_prefix), "PYTHON_DIR"
    yield Path.home(), "~"
