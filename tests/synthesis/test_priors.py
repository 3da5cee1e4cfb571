from __future__ import annotations

import json
import re
from dataclasses import fields
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from synthtumour_bids.errors import PriorsError
from synthtumour_bids.synthesis.priors import Priors, load_priors, packaged_lesions
from synthtumour_bids.synthesis.ranges import Mixture, Range

CONTRASTS = ("FLAIR", "T2w", "T1w", "DWI")


def user_file(tmp_path, data):
    path = tmp_path / "priors.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


@pytest.mark.parametrize("lesion", ["glioma", "metastasis", "stroke"])
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_packaged_priors_load_and_name_their_source(lesion, contrast):
    priors = load_priors(lesion, contrast)
    assert (priors.lesion, priors.contrast) == (lesion, contrast)
    text = resources.files("synthtumour_bids").joinpath(f"data/priors/{lesion}.json").read_text()
    data = json.loads(text)
    assert data["source"]
    assert data["contrasts"][contrast]["source"]


def test_gliomas_are_bright_on_flair_and_dark_on_t1():
    assert load_priors("glioma", "FLAIR").hyper_probability > 0.9
    assert load_priors("glioma", "T1w").hyper_probability < 0.2
    assert load_priors("glioma", "T2w").csf == "bright"
    volumes = load_priors("glioma", "FLAIR").volume_ml
    assert min(p.low for p in volumes.parts) == 5
    assert max(p.high for p in volumes.parts) == 300


def test_every_key_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "priors.md").read_text("utf-8")
    documented = set(re.findall(r"^\| `(\w+)`", text, flags=re.MULTILINE))
    keys = {f.name for f in fields(Priors)} - {"lesion", "contrast"}
    assert keys <= documented


def test_a_users_file_overrides_key_by_key(tmp_path):
    path = user_file(
        tmp_path,
        {
            "units": {"volume": "mL"},
            "common": {"volume_ml": {"range": [1, 5], "scale": "log"}, "hyper_probability": 0.5},
            "contrasts": {"FLAIR": {"hyper_gain": [2, 3]}},
        },
    )
    priors = load_priors("glioma", "FLAIR", path)
    assert priors.volume_ml == Mixture((Range(1, 5, "log"),), (1.0,))
    assert priors.hyper_gain.parts == (Range(2, 3),)
    assert priors.hyper_probability == 0.5
    assert priors.edge_mm == load_priors("glioma", "FLAIR").edge_mm
    assert load_priors("glioma", "T1w", path).hyper_probability == 0.5


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"common": {"volume": [1, 2]}}, "unknown key 'volume' in 'common'"),
        ({"extra": 1}, "unknown key 'extra' at the top level"),
        ({"contrasts": {"FLAIR": {"gain": [1, 2]}}}, "unknown key 'gain' in 'contrasts.FLAIR'"),
        ({"common": {"volume_ml": [50, 2]}}, r"inverted range \[50, 2\]"),
        ({"common": {"volume_ml": "big"}}, "must be a range .low, high., not text"),
        ({"common": {"edge_mm": [0, "x"]}}, "must be a number, not text"),
        ({"common": {"edge_mm": [0, True]}}, "must be a number, not true/false"),
        ({"common": {"volume_ml": {"range": [0.1, 5], "scale": "cubic"}}}, "not 'linear' or 'log'"),
        ({"common": {"volume_ml": {"range": [1, 5], "unit": "mL"}}}, "unknown key 'unit'"),
        ({"common": {"volume_ml": [2000, 80000]}}, "must lie between 0.01 and 1000"),
        ({"common": {"tumour_free_fraction": 1.5}}, "must lie between 0 and 1"),
        ({"common": {"count_probabilities": [0.5, 0.2]}}, "add up to 0.7, not 1"),
        ({"common": {"csf": "grey"}}, "must be 'dark' or 'bright'"),
        ({"common": {"cores": [{"kind": "x"}]}}, "must be a number, not null"),
        ({"units": {"volume": "mm3"}}, "unit of 'volume' is 'mm3'; only 'mL' is understood"),
        ({"units": {"time": "s"}}, "has no unit here"),
        ({"common": [1]}, "must be an object of keys, not a list"),
        ("{", "is not valid JSON"),
        ("[]", "must hold a JSON object, not a list"),
    ],
)
def test_faults_in_a_file_are_sentences(tmp_path, data, sentence):
    path = user_file(tmp_path, data)
    with pytest.raises(PriorsError, match=sentence) as caught:
        load_priors("glioma", "FLAIR", path)
    assert "priors.json" in str(caught.value)
    assert "--" not in str(caught.value)  # flags are the command line's


def test_unknown_names_list_the_known_ones(tmp_path):
    with pytest.raises(PriorsError, match="glioma, metastasis, stroke"):
        load_priors("wart", "FLAIR")
    with pytest.raises(PriorsError, match="DWI, FLAIR, T1w, T2w"):
        load_priors("glioma", "PDw")
    with pytest.raises(PriorsError, match="cannot be read"):
        load_priors("glioma", "FLAIR", tmp_path / "absent.json")


def test_a_new_lesion_needs_every_key(tmp_path):
    path = user_file(tmp_path, {"common": {"volume_ml": [1, 2]}, "contrasts": {"FLAIR": {}}})
    with pytest.raises(PriorsError, match=r"anatomy.* missing for lesion 'abscess'"):
        load_priors("abscess", "FLAIR", path)


@pytest.mark.parametrize("content", [{"common": {}}, {"contrasts": {"FLAIR": {}}}])
def test_a_new_lesion_s_missing_sections_are_named(tmp_path, content):
    with pytest.raises(PriorsError, match=r"contrast 'FLAIR'|missing for lesion 'abscess'"):
        load_priors("abscess", "FLAIR", user_file(tmp_path, content))


def test_draws_stay_in_their_ranges():
    rng = np.random.default_rng(0)
    mixture = Mixture((Range(1, 2), Range(10, 1000, "log")), (0.25, 0.75))
    draws = np.array([mixture.draw(rng) for _ in range(2000)])
    first = draws <= 2
    assert 0.2 < first.mean() < 0.3
    assert ((draws >= 1) & (draws <= 1000)).all()
    assert abs(np.median(draws[~first]) / 100 - 1) < 0.2  # log-uniform: geometric middle
    assert packaged_lesions() == ("glioma", "metastasis", "stroke")
