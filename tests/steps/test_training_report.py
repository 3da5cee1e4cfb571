"""The training report, made of what lies with the networks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from synthtumour_bids.files import write_text
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import Stop
from synthtumour_bids.segmentation.curve import CURVE_JSON, SelectionCurve, write_curve
from synthtumour_bids.steps.training_report import write_training_page
from tests.builders.jobs import make_job, write_network
from tests.builders.training import NASTY, REASON, draw_pseudo_labels, write_training


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path, tumours=3, tumourfree=0)


def page_of(job: Job) -> str:
    write_training_page(job)
    return job.layout.training_page.read_text(encoding="utf-8")


def test_it_tells_of_networks_samples_and_pseudo_labels(job: Job) -> None:
    write_training(job)
    job.ledger.mark_stop(Stop("train", NASTY))
    page = page_of(job)
    for words in (
        "The run stopped",
        "3 cases: shifted synthetic tumours (3)",
        "2 of 3 (5 planned), with a Dice of 0.800",
        "not finished: the same command goes on with it",  # the senior
        "Dice on 3 validation cases",
        "Reliability on mixes",
        "1.50, fitted on 12 cases with known tumours (mixes); mean error of the probability",
        "volume: 0.6 mL",
        "Shifted",
        "lesions 1, volume ml",
        "2 of 3 were learned from",
        "rejected: nothing was labelled",
        f"did not pass: {REASON}. Too few others passed",
    ):
        assert words in page
    assert page.count("&lt;b&gt;bold") == 3  # the stop, and the host of two samples
    assert NASTY not in page
    sources = {path.name for path in job.layout.training_figure("x").parent.glob("*.svg")}
    assert len(sources) == 5
    assert all(f'src="figures/{name}"' in page for name in sources)


def test_every_round_has_its_curve(job: Job) -> None:
    junior, last = map(job.layout.network, Network)
    first, begun = map(job.layout.round, (1, 3))
    write_curve(SelectionCurve().extended(0.5, 0.4, 0.3), junior)
    curve = (junior / CURVE_JSON).read_text(encoding="utf-8")
    for folder in (first, last, begun):
        write_text(folder / CURVE_JSON, curve)
    write_network(first)
    write_network(last, details={"Round": 2, "Teacher": {"Round": 1, "Fingerprint": "f"}})
    page = page_of(job)
    titles = re.findall("<h3>(.*)</h3>", page)
    assert titles == ["Junior", *(f"Senior of round {number}" for number in (1, 2, 3))]
    assert "of the senior of round 1, f" in page
    assert page.count("Dice on ") == 4 * 2, "a caption and a description each"
    assert page.count("not finished: the same command goes on with it") == 2  # junior, third


def test_pictures_of_an_earlier_training_go(job: Job) -> None:
    for name in ("pseudo_labels_raw__sub-gone_FLAIR", "stage_one_07"):
        old = job.layout.training_figure(name)
        old.parent.mkdir(parents=True, exist_ok=True)
        old.touch()
    draw_pseudo_labels(job)
    assert [path.stem for path in old.parent.glob("*.svg") if not path.stat().st_size] == [
        "stage_one_07"  # of a sheet that was not drawn anew
    ]


def test_what_an_earlier_version_left_is_shown(job: Job) -> None:
    draw_pseudo_labels(job)
    job.layout.training_record("pseudo_labels").unlink()
    (job.layout.models / "stage_two.png").touch()
    page = page_of(job)
    assert 'src="stage_two.png"' in page
    assert "rejected: nothing was labelled" in page


def test_there_is_no_page_where_nothing_was_trained(job: Job) -> None:
    write_training_page(job)
    assert not job.layout.training_page.is_file()


def test_a_fabricator_tells_why_samples_were_dropped(job: Job) -> None:
    quality = {"RefinementHelps": True, "BestStep": 20, "Judged": 9, "Dropped": 4}
    folder = job.layout.fabricator
    folder.mkdir(parents=True)
    (folder / "quality.json").write_text(json.dumps({**quality, "Reasons": {"realness": 4}}))
    job.layout.training_record("fabrication").parent.mkdir(parents=True)
    sheet = {"Title": "Fabricated samples", "Count": 0, "Samples": []}
    job.layout.training_record("fabrication").write_text(json.dumps(sheet))
    page = page_of(job)
    for words in ("9 judged, 4 of them dropped", "realness too low (4)", "Fabricated samples"):
        assert words in page
    (folder / "quality.json").write_text('{"RefinementHelps": false, "GanTrained": false}')
    assert "left out: too few annotated persons" in page_of(job)
