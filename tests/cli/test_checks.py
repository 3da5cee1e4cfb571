from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synthtumour_bids.cli.checks import NEEDS, USELESS, check
from synthtumour_bids.errors import UsageError
from synthtumour_bids.settings import Method, Settings, Step

PATH = Path("/somewhere")
FABRICATION = {"method": Method.FABRICATION, "annotated_dir": PATH}


def settings(**given: Any) -> Settings:
    return Settings(Path("/bids"), Path("/out"), work_dir=Path("/work"), **given)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"annotated_dir": PATH}, "--annotated-dir is of use with --method fabrication only"),
        ({"semi_supervised": True, "teacher": PATH}, "--semi-supervised and --teacher are of use"),
        ({"more_contrasts": ("T1w",)}, "--more-contrasts is of use"),
        ({"lesion_volume": (1.0, 2.0)}, "--lesion-volume is of use"),
        ({"lesion_place": PATH}, "--lesion-place is of use"),
        ({**FABRICATION, "preset": "reference"}, "--preset reference has no effect"),
        ({**FABRICATION, "priors": PATH}, "--priors has no effect"),
        (
            {**FABRICATION, "preset": "reference", "priors": PATH},
            "--method fabrication .* --preset reference and --priors have no effect with it",
        ),
        ({"preset": "reference", "lesion": "stroke"}, "cannot follow --lesion stroke;"),
        ({"preset": "reference", "contrast": "T1w"}, "cannot follow --contrast T1w;"),
        (
            {"preset": "reference", "contrast": "T1w", "lesion": "stroke", "priors": PATH},
            "cannot follow --lesion stroke, --contrast T1w and --priors;",
        ),
        (
            {"model": PATH, **FABRICATION, "semi_supervised": True, "teacher": PATH},
            "--model trains nothing, so --semi-supervised and --teacher have no effect",
        ),
        ({"model": PATH, "retrain": True}, "--model trains nothing, so --retrain has no effect"),
        ({"model": PATH, "retrain": True, "priors": PATH}, "--retrain and --priors have"),
        ({"method": Method.FABRICATION}, "name their dataset with --annotated-dir"),
        ({**FABRICATION, "teacher": PATH}, "--teacher .* add --semi-supervised"),
        ({**FABRICATION, "lesion_volume": (5.0, 2.0)}, "--lesion-volume 5 2: the smallest"),
        ({**FABRICATION, "more_contrasts": ("FLAIR",)}, "names a contrast twice"),
        ({"model": PATH, "steps": (Step.TRAIN,)}, "leaves nothing to do"),
        (
            {"analysis_level": "group", "steps": (Step.PREPROCESS, Step.SEGMENT)},
            "preprocess segment: level group does synthesise, train, report, .* or choose level",
        ),
        (
            {"analysis_level": "group", "steps": (Step.TRAIN, Step.SEGMENT)},
            "Leave out segment, or choose level participant",
        ),
        ({"analysis_level": "group", "steps": (Step.SEGMENT, Step.REPORT), "model": PATH}, "group"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        check(settings(**given))


@pytest.mark.parametrize(
    "given",
    [
        {},
        FABRICATION,
        {"method": Method.FABRICATION, "model": PATH},
        {**FABRICATION, "semi_supervised": True, "teacher": PATH, "lesion_volume": (2.0, 2.0)},
        {**FABRICATION, "more_contrasts": ("T1w", "ceT1w"), "lesion": "metastasis"},
        {"preset": "reference"},
        {"preset": "reference", "lesion": "stroke", "model": PATH},
        {"analysis_level": "group"},
        {"analysis_level": "group", "steps": (Step.SYNTHESISE, Step.TRAIN, Step.REPORT)},
        {"analysis_level": "group", "steps": (Step.SEGMENT,), "reports_only": True},
        {"priors": PATH, "lesion": "stroke", "contrast": "DWI"},
    ],
)
def test_flags_that_go_together_are_taken(given: dict[str, Any]) -> None:
    check(settings(**given))


def test_the_tables_name_fields_of_the_settings() -> None:
    names = {name for rule in USELESS for name in rule.flags}
    names |= {name for need in NEEDS for name in (need.flag, *need.others)}
    assert names <= set(vars(settings()))
