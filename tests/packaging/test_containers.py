"""The container recipes against each other and against the package; nothing is built here."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from synthtumour_bids import __version__
from synthtumour_bids.bids.description import DOCKER_TAG_VARIABLE, SINGULARITY_URL_VARIABLE

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

# Variables that only one kind of container may or need set.
DOCKER_ALONE = {
    *("HOME", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", DOCKER_TAG_VARIABLE),
}
SINGULARITY_ALONE = {SINGULARITY_URL_VARIABLE}


def dockerfile() -> list[tuple[str, str]]:
    """Instructions of the final stage: name and the rest."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line.split(" ", 1) for line in text.splitlines() if line and line[0] not in "# "]
    last = max(index for index, (name, *_) in enumerate(lines) if name == "FROM")
    return [(name, rest) for name, rest in lines[last:]]


def instruction(name: str) -> str:
    (found,) = (rest for other, rest in dockerfile() if other == name)
    return found


def docker_environment() -> dict[str, str]:
    pairs = re.findall(r'(\w+)=("[^"]*"|\S+)', instruction("ENV"))
    return {name: value.strip('"') for name, value in pairs}


def sections() -> dict[str, str]:
    """Sections of Singularity.def, its header under the empty name."""
    name, content = "", dict[str, str]()
    for line in (ROOT / "Singularity.def").read_text().splitlines():
        if line.startswith("%"):
            name = line[1:].strip()
        else:
            content[name] = content.get(name, "") + line.strip() + "\n"
    return content


def singularity_environment() -> dict[str, str]:
    pairs = re.findall(r"^export (\w+)=(.*)$", sections()["environment"], re.MULTILINE)
    return {name: value.strip('"') for name, value in pairs}


def run(*command: str) -> str:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_both_recipes_set_the_same_environment() -> None:
    docker, singularity = docker_environment(), singularity_environment()
    assert set(docker) - DOCKER_ALONE == set(singularity) - SINGULARITY_ALONE
    scratch = {name for name, value in singularity.items() if "SYNTHTUMOUR_SCRATCH" in value}
    assert len(scratch) >= 5
    for name in set(docker) - DOCKER_ALONE - scratch:
        assert docker[name] == singularity[name], name
    for name in scratch:
        assert docker[name].startswith("/tmp/"), name


def test_both_recipes_start_from_one_image_and_run_the_same_scripts() -> None:
    images = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(images) == {re.search(r"From: (\S+)", sections()[""])[1]}  # type: ignore[index]
    parts = r"bash (scripts/container_\w+\.sh)"
    of_docker = re.findall(parts, (ROOT / "Dockerfile").read_text())
    assert of_docker == re.findall(parts, sections()["post"])
    assert len(of_docker) == 2


def test_the_entry_point_is_a_program_of_the_package() -> None:
    assert instruction("ENTRYPOINT") == '["synthtumour-bids"]'
    assert sections()["runscript"].strip() == 'exec synthtumour-bids "$@"'
    assert "synthtumour-bids" in PROJECT["scripts"]


def test_the_user_is_none_with_rights() -> None:
    assert int(instruction("USER")) > 0


def test_the_version_is_the_packages_and_reaches_labels_and_outputs() -> None:
    assert set(re.findall(r"ARG VERSION=(\S+)", (ROOT / "Dockerfile").read_text())) == {__version__}
    assert f"VERSION={__version__}\n" in sections()["arguments"]
    assert 'org.opencontainers.image.version="$VERSION"' in instruction("LABEL")
    assert "org.opencontainers.image.version {{ VERSION }}" in sections()["labels"]
    assert docker_environment()[DOCKER_TAG_VARIABLE] == "synthtumour_bids:$VERSION"
    assert "{{ VERSION }}" in singularity_environment()[SINGULARITY_URL_VARIABLE]


def test_singularity_is_given_what_docker_copies() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    }
    files = dict(line.split() for line in sections()["files"].split("\n") if line)
    assert set(files) == copied
    assert all(target == f"/build/{source}" for source, target in files.items())
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("synthtumour_bids/app.py", True),
        ("synthtumour_bids/data/priors/glioma.json", True),
        ("constraints.txt", True),
        ("scripts/container_app.sh", True),
        ("synthtumour_bids/__pycache__/app.cpython-311.pyc", False),
        ("README.md", True),
        ("docs/demo.md", False),
        ("tests/test_app.py", False),
        ("scripts/test.sh", False),
        ("demo-out/bids/sub-01/anat/sub-01_FLAIR.nii.gz", False),
        (".git/HEAD", False),
        (".venv/bin/python", False),
    ],
)
def test_the_build_context_is_what_the_recipe_needs(path: str, wanted: bool) -> None:
    parents = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    kept = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        names = [Path(p).name for p in parents] if "**/" in line else parents
        if line and line[0] != "#" and any(fnmatch.fnmatch(name, pattern) for name in names):
            kept = line.startswith("!")
    assert kept is wanted


def test_hadolint_has_nothing_to_say() -> None:
    assert run(tool("hadolint"), "Dockerfile") == ""


def test_the_definition_file_parses() -> None:
    from spython.main.parse.parsers import SingularityParser

    stages = SingularityParser(str(ROOT / "Singularity.def")).parse()
    (recipe,) = stages.values()
    assert recipe.fromHeader.startswith("python:")
    assert recipe.cmd == 'exec synthtumour-bids "$@"'
    assert any("container_app.sh" in line for line in recipe.install)


def test_shell_scripts_are_clean() -> None:
    scripts = sorted(str(path) for path in (ROOT / "scripts").glob("*.sh"))
    assert run(tool("shellcheck"), *scripts, str(ROOT / ".ci" / "run")) == ""


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_parse_and_call_scripts_that_exist(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    commands = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert commands
    for script in re.findall(r"scripts/\w+\.sh", "\n".join(commands)):
        assert (ROOT / script).is_file()


def test_workflows_test_every_python_that_the_package_names() -> None:
    (tests,) = (yaml.safe_load(path.read_text()) for path in WORKFLOWS if path.stem == "tests")
    named = [c.rsplit(" ", 1)[1] for c in PROJECT["classifiers"] if ":: 3." in c]
    assert tests["jobs"]["tests"]["strategy"]["matrix"]["python"] == named


def test_the_check_refuses_what_is_not_an_engine() -> None:
    command = ["bash", "scripts/container_check.sh", "rocket", "image"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "docker, podman or apptainer" in result.stderr
