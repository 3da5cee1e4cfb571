"""Paths of the machine: which words stand for them, and where none stand at all."""

from __future__ import annotations

import json
import logging
import tomllib
from pathlib import Path

import pytest

from synthtumour_bids.bids.description import write_dataset_description
from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.execution.logs import open_run_log
from synthtumour_bids.execution.places import Places
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.settings import Settings
from tests.builders.jobs import make_job


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "bids", tmp_path / "bids" / "out", work_dir=tmp_path / "scratch")


def test_the_innermost_folder_gives_the_word(settings: Settings) -> None:
    hide = Places.of(settings).hide
    bids = settings.bids_dir
    assert hide(f"{bids}/sub-01 and {bids}/out/x") == "BIDS_DIR/sub-01 and OUTPUT_DIR/x"
    assert hide(f"{settings.work_dir}/a, {Path.home()}/b") == "WORK_DIR/a, ~/b"
    assert hide("/ and text") == "/ and text"


def test_parts_of_other_paths_stay() -> None:
    hide = Places.of(Settings(Path("/data"), Path("/out"), work_dir=Path("/out/work"))).hide
    for text in ("/srv/execution/outcome.py", "/srv/out/x", "/data2/a", "/data-b", "/out.old/x"):
        assert hide(text) == text
    for before, after in (
        ("", ""),
        ("'", "'"),
        ("(", ")"),
        ("x ", "."),
        ("a\\n", "\\n"),
        ("=", ":1"),
    ):
        assert hide(f"{before}/out{after}") == f"{before}OUTPUT_DIR{after}"
    assert (
        hide("/data/sub-1, /out/work/a and /out/b.")
        == "BIDS_DIR/sub-1, WORK_DIR/a and OUTPUT_DIR/b."
    )


def test_logs_and_failures_have_no_paths(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    scan, where = job.selected()[0], str(tmp_path)
    folder = open_run_log(job.settings)
    logger = logging.getLogger("synthtumour_bids")
    handler = logger.handlers[-1]
    try:
        logger.error("%s cannot be read", scan.path)
    finally:
        logger.removeHandler(handler)
        handler.close()
    error = UnusableScanError(f"{scan.path} cannot be used.")
    told = job.record(
        "preprocess", [Result(scan, error=str(error), trace=repr(error))], lambda s: s
    )
    assert where in told[0].message, "the terminal says where to look"
    (failure,) = job.ledger.failures()
    assert failure.message == f"BIDS_DIR/{scan.path.relative_to(scan.dataset)} cannot be used."
    assert where not in (folder / "synthtumour.log").read_text()
    assert where not in next(job.log_dir.glob("crash-*")).read_text()


@pytest.mark.parametrize("anonymous", [False, True])
def test_two_places_have_paths_unless_they_shall_not(anonymous: bool, tmp_path: Path) -> None:
    for name in ("bids", "free"):
        (tmp_path / name).mkdir()
    (tmp_path / "free" / "dataset_description.json").write_text('{"DatasetDOI": "doi:10.1/x"}')
    command = [str(tmp_path / "bids"), str(tmp_path / "out"), "participant", "--seed", "7"]
    command += ["--tumourfree-dir", str(tmp_path / "free")]
    settings = parse_settings([*command, *(["--anonymous-paths"] if anonymous else [])])
    folder = open_run_log(settings)
    logger = logging.getLogger("synthtumour_bids")
    logger.handlers[-1].close()
    logger.removeHandler(logger.handlers[-1])
    text = (folder / "synthtumour.toml").read_text()
    assert tomllib.loads(text)["seed"] == 7
    links = {"raw": settings.bids_dir, "tumourfree": settings.tumourfree_dir[0]}
    write_dataset_description(tmp_path / "out", links=links, anonymous=anonymous)
    description = (tmp_path / "out" / "dataset_description.json").read_text()
    assert (str(tmp_path) in text) is not anonymous
    assert (str(tmp_path) in description) is not anonymous
    if anonymous:
        assert "--config-file needs all folders again" in text
        told = json.loads(description)["DatasetLinks"]
        assert told == {"raw": "file:///", "tumourfree": "https://doi.org/10.1/x"}


def test_what_is_relative_stays(tmp_path: Path) -> None:
    out = tmp_path / "derivatives" / "masks"
    write_dataset_description(out, links={"raw": tmp_path}, anonymous=True)
    told = json.loads((out / "dataset_description.json").read_text())
    assert told["DatasetLinks"] == {"raw": "../.."}
