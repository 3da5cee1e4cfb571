"""File names: what is made of a scan is named after all of it, in the order BIDS asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from synthtumour_bids.bids.names import (
    ENTITY_ORDER,
    derivative_name,
    derivative_path,
    parse_name,
    transform_name,
)
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.settings import TEMPLATE, Role
from tests.builders.strategies import entities, labels, scans, suffixes

OUTPUT = Path("/out")

products = st.fixed_dictionaries(
    {
        "space": st.sampled_from((None, TEMPLATE)),
        "res": st.sampled_from((None, "1", "2", "4")),
        "label": st.sampled_from((None, "L")),
        "desc": st.sampled_from((None, "preproc", "junior")),
        "suffix": st.sampled_from(("FLAIR", "mask", "probseg")),
        "extension": st.sampled_from((".nii.gz", ".json")),
    }
)


def make_scan(*parts: tuple[str, str], suffix: str = "FLAIR", dataset_name: str = "raw") -> Scan:
    root = Path("/data")
    return Scan(root / "x.nii.gz", parts, suffix, Role.TUMOUR, root, dataset_name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"desc": "preproc", "suffix": "FLAIR"}, "desc-preproc_FLAIR.nii.gz"),
        ({"desc": "brain", "suffix": "mask"}, "desc-brain_mask.nii.gz"),
        ({"label": "L", "suffix": "mask"}, "label-L_mask.nii.gz"),
        ({"label": "L", "suffix": "probseg"}, "label-L_probseg.nii.gz"),
        (
            {"desc": "junior", "label": "L", "suffix": "mask"},
            "label-L_desc-junior_mask.nii.gz",
        ),
        (
            {"suffix": "mask", "label": "L", "res": "1", "space": TEMPLATE},
            f"space-{TEMPLATE}_res-1_label-L_mask.nii.gz",
        ),
        (
            {"desc": "preproc", "suffix": "FLAIR", "extension": ".json"},
            "desc-preproc_FLAIR.json",
        ),
    ],
)
def test_names_of_the_outputs(names, expected):
    scan = make_scan(("sub", "01"), ("ses", "2"), ("acq", "x"), ("run", "01"))
    name = derivative_name(scan, **names)
    assert name == f"sub-01_ses-2_acq-x_run-01_{expected}"
    assert derivative_path(scan, OUTPUT, **names) == OUTPUT / "sub-01" / "ses-2" / "anat" / name


def test_other_datasets_have_a_dataset_of_their_own():
    scan = make_scan(("sub", "01"), dataset_name="tumourfree2")
    path = derivative_path(scan, OUTPUT, label="L", suffix="mask")
    assert path == OUTPUT / "derivatives/tumourfree2/sub-01/anat/sub-01_label-L_mask.nii.gz"


@pytest.mark.parametrize("suffix", ["trace", "dwi"])
def test_diffusion_results_lie_where_bids_looks_for_them(suffix):
    scan = make_scan(("sub", "01"), suffix=suffix)
    path = derivative_path(scan, OUTPUT, desc="brain", suffix="mask")
    assert path == OUTPUT / "sub-01/dwi/sub-01_desc-brain_mask.nii.gz"


def test_entities_that_stand_behind_the_space_stay_there():
    scan = make_scan(("sub", "01"), ("chunk", "2"))
    assert derivative_name(scan, space=TEMPLATE, res="1", suffix="mask") == (
        f"sub-01_space-{TEMPLATE}_chunk-2_res-1_mask.nii.gz"
    )


def test_transform_names():
    scan = make_scan(("sub", "01"), ("run", "2"), suffix="T1w")
    assert transform_name(scan, to=TEMPLATE) == (
        f"sub-01_run-2_from-T1w_to-{TEMPLATE}_mode-image_xfm.mat"
    )


@pytest.mark.parametrize("value", ["0.5", "a_b", "a-b", "ä"])
def test_values_that_would_break_a_name_are_refused(value):
    with pytest.raises(ValueError, match="cannot be part of a BIDS name"):
        derivative_name(make_scan(("sub", "01")), res=value, suffix="mask")


@pytest.mark.parametrize(
    "name",
    [
        "FLAIR.nii.gz",
        "ses-1_FLAIR.nii.gz",
        "sub-01.nii.gz",
        "sub-01_x_FLAIR.nii.gz",
        "sub-01_contrast-x_FLAIR.nii.gz",
        "sub-01_run-1_acq-x_FLAIR.nii.gz",
        "sub-01_run-1_run-1_FLAIR.nii.gz",
        "sub-_FLAIR.nii.gz",
        "sub-01_acq-a-b_FLAIR.nii.gz",
        "sub-01__FLAIR.nii.gz",
        ".sub-01_FLAIR.nii.gz",
        "",
    ],
)
def test_other_names_are_not_taken_for_bids_names(name):
    assert parse_name(name) is None


def test_derivatives_are_told_from_scans():
    assert parse_name("sub-01_desc-preproc_FLAIR.nii.gz").is_derivative
    assert parse_name("sub-01_space-T1w_FLAIR.nii.gz").is_derivative
    assert not parse_name("sub-01_acq-desc_FLAIR.nii.gz").is_derivative


def test_the_order_of_entities_is_that_of_the_schema():
    from bidsschematools.schema import load_schema

    schema = load_schema()
    official = [schema.objects.entities[entity].name for entity in schema.rules.entities]
    common = [entity for entity in official if entity in ENTITY_ORDER]
    assert [entity for entity in ENTITY_ORDER if entity in official] == common
    assert set(official) <= set(ENTITY_ORDER)


@given(entities(), suffixes, st.sampled_from((".nii", ".nii.gz", ".json")))
def test_names_survive_the_round_trip(parts, suffix, extension):
    name = "_".join([*(f"{key}-{value}" for key, value in parts), suffix]) + extension
    parsed = parse_name(name)
    assert (parsed.entities, parsed.suffix, parsed.extension) == (parts, suffix, extension)


@given(scans(), products)
def test_derivative_names_hold_what_they_were_made_of(scan, product):
    parsed = parse_name(derivative_name(scan, **product))
    added = {key: product[key] for key in ("space", "res", "label", "desc") if product[key]}
    assert dict(parsed.entities) == dict(scan.entities) | added
    assert (parsed.suffix, parsed.extension) == (product["suffix"], product["extension"])
    ranks = [ENTITY_ORDER.index(key) for key, _ in parsed.entities]
    assert ranks == sorted(ranks)
    assert parsed.is_derivative == bool(added)


@given(scans(st.just("FLAIR")), scans(st.just("FLAIR")), products)
def test_two_scans_never_share_a_file(one, other, product):
    assume(one.key != other.key)
    assert derivative_path(one, OUTPUT, **product) != derivative_path(other, OUTPUT, **product)
    folders = [scan.output_root(OUTPUT) for scan in (one, other)]
    names = [transform_name(scan, to=TEMPLATE) for scan in (one, other)]
    assert (folders[0], names[0]) != (folders[1], names[1])


@given(scans(st.just("FLAIR")), products, products)
def test_two_products_of_a_scan_never_share_a_file(scan, one, other):
    assume(one != other)
    assert derivative_path(scan, OUTPUT, **one) != derivative_path(scan, OUTPUT, **other)


@given(labels)
def test_labels_are_not_changed(label):
    """``run-01`` and ``run-1`` are two runs."""
    assert derivative_name(make_scan(("sub", label)), suffix="mask") == f"sub-{label}_mask.nii.gz"
