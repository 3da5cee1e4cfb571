"""The version, the source distribution, and what an installation leaves alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement

from synthtumour_bids import __version__

ROOT = Path(__file__).parents[2]
TOP = (
    *(".ci", ".dockerignore", ".github", ".gitignore", ".pre-commit-config.yaml"),
    *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "Dockerfile", "LICENSE", "PKG-INFO"),
    *("README.md", "Singularity.def", "benchmarks", "boutiques.json", "brainlife"),
    *("constraints.txt", "docs", "mkdocs.yml", "pyproject.toml", "scripts", "synthtumour_bids"),
    "tests",
)
SCRATCH = ("__pycache__", ".pyc", ".nii", ".nii.gz", ".pth")


def test_the_version_stands_in_one_place_and_is_told_in_others() -> None:
    """What is no Python cannot ask the package, and is held to it here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert ProjectMetadata(str(ROOT), PluginManager()).version == __version__
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == __version__
    assert json.loads((ROOT / "boutiques.json").read_text("utf-8"))["tool-version"] == __version__
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    texts = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert set(re.findall(r"synthtumour_bids:(\d[\w.]*)", texts)) == {__version__}


def files_of(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(ROOT).as_posix()
        if path.is_file() and not any(word in name for word in SCRATCH):
            yield name


def test_the_source_distribution_holds_what_the_tests_need(tmp_path: Path) -> None:
    (made,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path))
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name.partition("/")[0] for name in names} == set(TOP)
    for top in TOP:
        if (ROOT / top).is_dir():
            missing = set(files_of(ROOT / top)) - names
            assert not missing, sorted(missing)
    assert not [name for name in names if any(word in name for word in SCRATCH)]


def put_distribution(folder: Path, name: str, version: str, *requirements: str) -> None:
    """Make an installed package of metadata alone, which is all that pip decides by."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requirements]
    (info / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (info / "RECORD").touch()


def wanted_of_torch() -> set[str]:
    """What the project and all that is installed ask of torch and torchvision."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = {*project["dependencies"], *(r for d in distributions() for r in d.requires or ())}
    asked = (Requirement(text) for text in texts)
    return {
        f"{each.name}{each.specifier}"
        for each in asked
        if each.name in ("torch", "torchvision") and each.marker is None
    }


def install_plan(before: Path) -> subprocess.CompletedProcess[str]:
    """What pip would install, without any index, where the packages of a folder are found first."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    options = ("--dry-run", "--no-index", "--quiet", "--report", "-", "-c", "constraints.txt")
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, *sorted(wanted_of_torch())],
        cwd=ROOT,
        env={**clean, "PIP_CONFIG_FILE": os.devnull, "PYTHONPATH": str(before)},
        capture_output=True,
        text=True,
    )


def test_an_installation_leaves_a_torch_for_cpus_alone(tmp_path: Path) -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = dict(line.split("==") for line in text.splitlines())
    put_distribution(tmp_path, "torch", f"{pinned['torch']}+cpu")
    put_distribution(
        tmp_path, "torchvision", f"{pinned['torchvision']}+cpu", f"torch=={pinned['torch']}"
    )
    assert len(wanted_of_torch()) > 5
    result = install_plan(tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["install"] == []


def test_a_torch_of_another_version_is_not_left_alone(tmp_path: Path) -> None:
    put_distribution(tmp_path, "torch", "2.3.1+cpu")
    result = install_plan(tmp_path)
    assert result.returncode != 0
    assert "torch" in result.stderr
