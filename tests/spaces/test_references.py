"""The words of --output-spaces, as fMRIPrep has them."""

from __future__ import annotations

import pytest

from synthtumour_bids.spaces.references import parse_reference, references_of


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("T1w", ["T1w"]),
        ("anat", ["T1w"]),
        ("FLAIR:res-native", ["FLAIR"]),
        ("MNI152NLin6Asym", ["MNI152NLin6Asym"]),
        ("MNI152NLin6Asym:res-2", ["MNI152NLin6Asym:res-2"]),
        ("MNI152NLin2009cAsym:resolution-01:res-native", None),
        (
            "MNI152NLin2009aSym:res-1:res-2:",
            ["MNI152NLin2009aSym:res-1", "MNI152NLin2009aSym:res-2"],
        ),
    ],
)
def test_words_are_read(word: str, expected: list[str] | None) -> None:
    expected = expected or ["MNI152NLin2009cAsym:res-1", "MNI152NLin2009cAsym"]
    assert [str(one) for one in parse_reference(word)] == expected


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("fsaverage5", "no space that masks can be written in; there are MNI152NLin2009aSym"),
        ("func", "no space"),
        ("MNI152NLin6Asym:den-32k", "there is res-N"),
        ("MNI152NLin6Asym:res-3", "res-1 and res-2"),
        ("T1w:res-2", "own grid"),
    ],
)
def test_what_cannot_be_had_is_said(word: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_reference(word)


def test_each_grid_counts_once() -> None:
    assert len(references_of(["T1w", "anat", "MNI152NLin6Asym:res-2:res-2"])) == 2
