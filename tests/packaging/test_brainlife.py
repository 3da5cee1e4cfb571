"""The Brainlife App, started as the platform starts it, in an empty environment."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.errors import (
    EXIT_DONE,
    EXIT_NO_DATA,
    EXIT_STOPPED,
    EXIT_UNAVAILABLE,
    EXIT_USAGE,
)

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "brainlife"
Config = Mapping[str, Any]


def environment(**more: str) -> dict[str, str]:
    """What is left of the environment: no home folder, no engine, our checkout."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "SYNTHTUMOUR_RUN": "", **more}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A work folder as the platform makes it: a clone of the app, beside its inputs."""
    folder = tmp_path / "instance" / "task"
    (folder.parent / "data").mkdir(parents=True)
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(task: Path, config: Config, *arguments: str, **variables: str) -> tuple[int, str]:
    (task / "config.json").write_text(json.dumps(config))
    result = subprocess.run(
        ["./main", *arguments],
        cwd=task,
        env=environment(**variables),
        capture_output=True,
        text=True,
    )
    return result.returncode, result.stdout + result.stderr


def messages(task: Path, kind: str) -> list[str]:
    shown = json.loads((task / "product.json").read_text())["brainlife"]
    return [message["msg"] for message in shown if message["type"] == kind]


def write_scan(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    x, y, z = np.indices((48, 56, 44))
    inside = ((x - 24) / 20) ** 2 + ((y - 28) / 24) ** 2 + ((z - 22) / 18) ** 2 < 1
    noise = np.random.default_rng(3).normal(100, 5, inside.shape)
    nib.save(nib.Nifti1Image((inside * noise).astype(np.float32), np.diag((4, 4, 4, 1))), path)
    return path


def write_cohort(folder: Path, *labels: str) -> Path:
    for label in labels:
        write_scan(folder / f"sub-{label}" / "anat" / f"sub-{label}_FLAIR.nii.gz")
    (folder / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.1"}')
    return folder


@pytest.mark.parametrize(
    ("config", "code", "sentence"),
    [
        ({}, EXIT_USAGE, "flair (one scan) or bids (a dataset); found neither"),
        ({"flair": "", "bids": None}, EXIT_USAGE, "found neither"),
        ({"flair": "../x", "bids": "../y"}, EXIT_USAGE, "found flair and bids"),
        ({"flair": "../x.nii.gz"}, EXIT_NO_DATA, "the input flair is ../x.nii.gz"),
        ({"bids": "starter"}, EXIT_NO_DATA, "the input bids is starter, which is not there"),
        ({"bids": "../data", "model": "other"}, EXIT_NO_DATA, "the input model is other, which is"),
        ({"flair": "../x.nii.gz", "model": "."}, EXIT_NO_DATA, "the input flair is ../x.nii.gz"),
        (
            {"bids": "../data", "tumourfree": ["../no"]},
            EXIT_NO_DATA,
            "the input tumourfree is ../no",
        ),
        ({"bids": "../data", "model": "."}, EXIT_UNAVAILABLE, "looked for senior/model.json"),
        ({"bids": "../data", "profile": "best"}, EXIT_USAGE, "argument --profile: invalid choice"),
    ],
)
def test_what_is_wrong_stands_in_the_product(
    task: Path, config: Config, code: int, sentence: str
) -> None:
    found, log = run(task, config)
    assert found == code, log
    assert sentence in " ".join(messages(task, "error"))
    assert sentence in log
    assert not (task / "mask" / "mask.nii.gz").exists()


def test_a_configuration_that_cannot_be_read_is_named(task: Path) -> None:
    (task / "config.json").write_text('{"flair": ')
    result = subprocess.run(["./main"], cwd=task, env=environment(), capture_output=True)
    assert result.returncode == EXIT_USAGE
    assert "config.json cannot be read" in messages(task, "error")[0]


def test_an_engine_that_fails_leaves_a_product_as_well(task: Path) -> None:
    code, _ = run(task, {}, SYNTHTUMOUR_RUN='/no/such/engine exec "image"')
    assert code == 127
    assert "/no/such/engine exec image" in messages(task, "error")[0]


def test_the_container_is_what_things_are_run_with(task: Path, tmp_path: Path) -> None:
    engine = tmp_path / "bin" / "singularity"
    engine.parent.mkdir()
    engine.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    engine.chmod(0o755)
    variables = environment(PATH=f"{engine.parent}:/usr/bin:/bin", SLURM_CPUS_PER_TASK="6")
    del variables["SYNTHTUMOUR_RUN"]
    result = subprocess.run(["./main"], cwd=task, env=variables, capture_output=True, text=True)
    image = json.loads((ROOT / "boutiques.json").read_text())["container-image"]["image"]
    line = ["exec", "-e", "--nv", "-B", str(task.parent), f"docker://{image}"]
    assert result.stdout.split() == [*line, "python3", "./app.py", "--nprocs", "6"]
    assert messages(task, "error")  # this engine ran nothing


def test_a_cohort_is_planned_with_the_settings(task: Path, tmp_path: Path) -> None:
    write_cohort(task.parent / "a" / "tumours", "01", "02")
    healthy = [write_cohort(task.parent / name, "01") for name in ("healthy 1", "healthy2")]
    config = {
        "bids": "../a/tumours",
        "tumourfree": [os.path.relpath(folder, task) for folder in healthy],
        "profile": "fast",
        "random_seed": 11,
        "participant_label": ["01"],
        "preset": None,
        "retrain": False,
        "keep_work": True,
        "_inputs": [],
        "_tid": 3,
    }
    spool = tmp_path / "spool" / "job_script"  # schedulers run a copy
    spool.parent.mkdir()
    shutil.copy(task / "main", spool)
    (task / "config.json").write_text(json.dumps(config))
    result = subprocess.run(
        ["bash", str(spool), "--dry-run"],
        cwd=task,
        env=environment(PBS_NP="3"),
        capture_output=True,
        text=True,
    )
    assert result.returncode == EXIT_DONE, result.stderr
    assert (
        "1 tumour and 2 tumour-free scans; method synthtumour, profile fast, preset default."
        in result.stdout
    )


def test_a_starter_is_a_model(task: Path) -> None:
    write_cohort(task.parent / "tumours", "01")
    code, log = run(task, {"bids": "../tumours", "model": "starter"}, "--dry-run")
    assert code == EXIT_DONE, log
    assert "starter: given" in log


@pytest.mark.parametrize("given", [{}, {"model": ""}, {"model": "starter"}])
def test_one_scan_needs_no_model_of_its_own(
    app: ModuleType, tmp_path: Path, given: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(tmp_path / "flair.nii.gz")
    (tmp_path / "config.json").write_text(json.dumps({"flair": "flair.nii.gz", **given}))
    monkeypatch.chdir(tmp_path)
    line = app.command(app.read_config(Path("config.json")), [])
    assert line == ["bids_input", "derivatives", "participant", "--model", "starter"]


def test_a_stop_by_the_platform_reaches_the_app(task: Path) -> None:
    write_cohort(task.parent / "tumours", "01")
    write_cohort(task.parent / "healthy", "01", "02")
    config = {"bids": "../tumours", "tumourfree": "../healthy", "profile": "sloppy", "nprocs": 1}
    (task / "config.json").write_text(json.dumps(config))
    process = subprocess.Popen(["./main"], cwd=task, env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (task / "derivatives" / "logs").is_dir() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=240) == EXIT_STOPPED
    assert "run the same command again to continue" in messages(task, "error")[0]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(APP))
    return importlib.import_module("app")


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(APP))
    return importlib.import_module("product")


def test_settings_become_flags(app: ModuleType, tmp_path: Path) -> None:
    settings = {"random_seed": 0, "retrain": False, "keep_work": True, "lesion": "", "nprocs": 2}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"bids": str(tmp_path), "_tid": 1, **settings}))
    line = app.command(app.read_config(path), ["--nprocs", "8"])
    assert line == [
        *(str(tmp_path), "derivatives", "participant", "--nprocs", "8"),
        *("--random-seed", "0", "--keep-work", "--nprocs", "2"),
    ]


@pytest.mark.parametrize(
    ("meta", "folder", "name"),
    [
        ({"subject": "A-7", "session": "post_op"}, "sub-A7/ses-postop/anat", "sub-A7_ses-postop_x"),
        ({"subject": 12}, "sub-12/anat", "sub-12_x"),
        ({"subject": "?", "session": None}, "sub-01/anat", "sub-01_x"),
    ],
)
def test_labels_come_from_the_platform(
    app: ModuleType, meta: Config, folder: str, name: str
) -> None:
    scan = app.find_scan({"flair": "x", "_inputs": [{"keys": ["flair"], "meta": meta}]})
    assert scan.folder == Path(folder)
    assert scan.name("x") == name


def test_the_graph_shows_the_area_of_each_slice(product: ModuleType, tmp_path: Path) -> None:
    mask = np.zeros((20, 10, 30), np.uint8)
    mask[2:12, 3:7, 5] = 1
    mask[2:7, 3:7, 7] = 1
    affine = np.diag((-2.0, 5.0, 3.0, 1.0))
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / "mask.nii.gz")
    [graph] = product.area_graph(tmp_path / "mask.nii.gz")
    assert graph["type"] == "plotly"
    assert graph["data"][0]["x"] == [15.0, 18.0, 21.0]
    assert graph["data"][0]["y"] == [4.0, 0.0, 2.0]  # 40 voxels of 10 mm² are 4 cm²
    nib.save(nib.Nifti1Image(mask * 0, affine), tmp_path / "mask.nii.gz")
    assert product.area_graph(tmp_path / "mask.nii.gz") == []


def test_a_product_of_a_large_cohort_stays_small(product: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    results = [
        {
            "scan": f"sub-{number:03d}_FLAIR",
            "volume_mL": round(float(rng.lognormal(3, 1)), 3),
            "n_components": 1,
            "qc_flags": ["low_agreement"] if number % 2 else [],
        }
        for number in range(400)
    ]
    made = product.product(1, "FAILED  raw/sub-x", results, tmp_path / "none")
    assert len(json.dumps(made)) < 10_000
    kinds = [message["type"] for message in made["brainlife"]]
    assert kinds == ["error", *["warning"] * 11, "plotly"]
    assert "190 more scans" in made["brainlife"][11]["msg"]
    assert made["figures"]["n_flagged"] == 200


def test_the_gathered_report_has_all_pages_that_it_links_to(
    product: ModuleType, tmp_path: Path
) -> None:
    names = (
        *("group.html", "sub-01.html", "sub-01/figures/a.svg", "figures/niivue.umd.js"),
        *("models/report.html", "models/figures/b.svg", "models/pseudo_labels.tsv"),
        *("derivatives/tumourfree/sub-h.html", "derivatives/tumourfree/sub-h/figures/c.svg"),
    )
    for name in names:
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "report").mkdir()
    product.copy_report(tmp_path / "out", tmp_path / "report")
    assert all((tmp_path / "report" / name).read_text() == name for name in names)
    index = (tmp_path / "report" / "index.html").read_text()
    assert all(f'href="{name}"' in index for name in names if name.endswith(".html"))


def test_names_are_escaped_in_the_page(product: ModuleType) -> None:
    page = product.page(['a"b.html'], ["<x>.png"])
    assert "a&quot;b.html" in page
    assert "<x>" not in page
