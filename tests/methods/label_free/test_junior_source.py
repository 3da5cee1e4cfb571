"""Where the junior comes from: what was asked for, and what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.methods.label_free.junior_source import (
    FEWEST_TO_LEARN_FROM,
    Asked,
    There,
    choose,
)

STARTER = "starter-flair-2mm-1.0"
FEW = FEWEST_TO_LEARN_FROM - 1


@pytest.mark.parametrize(
    ("asked", "there", "source", "words"),
    [
        (Asked(), There(STARTER), "starter", f"The junior is {STARTER}"),
        (Asked(), There(), "train", "there is no starter"),
        (Asked("train"), There(STARTER), "train", "--junior train"),
        (Asked("starter"), There(STARTER, begun="train"), "starter", STARTER),
        (Asked(own_tumours="--priors"), There(STARTER), "train", "--priors asks for it"),
        (Asked(), There(STARTER, begun="train"), "train", "--junior starter would take"),
        (Asked(), There(STARTER, begun="starter"), "starter", "the output folder has it"),
        (Asked(), There(STARTER, persons=FEW), "alone", f"of {FEW} persons with a tumour"),
        (Asked("starter"), There(STARTER, persons=1), "alone", "of 1 person with a tumour"),
        (Asked("train"), There(STARTER, persons=1), "train", "--junior train"),
        (Asked(), There(persons=1), "train", "no starter"),
        (Asked(samples_only=True), There(STARTER, persons=1), "starter", STARTER),
        (Asked(), There(STARTER, begun="starter", persons=1), "starter", STARTER),
    ],
)
def test_the_choice_and_its_reason(asked: Asked, there: There, source: str, words: str) -> None:
    choice = choose(asked, there)
    assert choice.source == source
    assert words in choice.why


def test_nobody_is_no_one_to_learn_from() -> None:
    assert "--junior train" not in choose(Asked("starter"), There(STARTER, persons=0)).why


@given(
    asked=st.builds(
        Asked,
        st.sampled_from([None, "starter", "train"]),
        st.sampled_from(["", "--preset reference"]),
        st.booleans(),
    ),
    there=st.builds(
        There,
        st.sampled_from(["", STARTER]),
        st.sampled_from([None, "starter", "train"]),
        st.integers(0, 10),
    ),
)
def test_nothing_asked_for_or_finished_is_overruled(asked: Asked, there: There) -> None:
    choice = choose(asked, there)
    if asked.junior == "train" or not there.starter:
        assert choice.source == "train"
    if asked.junior is None and there.begun == "train":
        assert choice.source == "train", "what was trained is never given up for a default"
    if choice.source == "alone":
        assert there.starter
        assert there.begun is None
    assert choice.why.endswith(".")
