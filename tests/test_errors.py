from __future__ import annotations

import pytest

from synthtumour_bids.errors import EXIT_USAGE, PriorsError, advice

FLAG = "Use --priors."


def fail(error: Exception) -> None:
    with advice(FLAG):
        raise error


def test_advice_follows_the_sentence_of_a_failure_and_keeps_its_kind():
    with pytest.raises(PriorsError, match=r"^No such key\. Use --priors\.$") as caught:
        fail(PriorsError("No such key."))
    assert caught.value.exit_code == EXIT_USAGE
    assert isinstance(caught.value.__cause__, PriorsError)


def test_what_nobody_expected_is_left_alone():
    with pytest.raises(ValueError, match="plain"):
        fail(ValueError("plain"))
    with advice(FLAG):
        pass
