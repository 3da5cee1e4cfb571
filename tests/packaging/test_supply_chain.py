"""What an image carries: locked by hashes, and told of with its licences."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.packaging.test_dependencies import ROOT, normal

LOCK = (ROOT / "requirements.lock").read_text()
STATUS = """Package: zlib1g
Status: install ok installed
Version: 1:1.2.13

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def pinned(text: str) -> dict[str, str]:
    """Versions by normal name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {normal(name): version for name, version in found}


def test_everything_locked_has_the_hash_of_its_file_and_no_address() -> None:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.split("\n", 1)[1].strip())
    assert len(blocks) == len(pinned(LOCK)) > 100
    assert [one for one in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", one)] == []
    assert "://" not in LOCK
    assert "--index" not in LOCK


def test_the_lock_has_all_dependencies_in_the_versions_of_the_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = [
        *project["project"]["dependencies"],
        *(*extras["dask"], *extras["dicom"], *extras["templates"]),
        *project["build-system"]["requires"],
        "bids-validator-deno",
    ]
    locked = pinned(LOCK)
    assert {normal(re.split(r"[<>=;\[ ]", one)[0]) for one in wanted} <= set(locked)
    tested = pinned((ROOT / "constraints.txt").read_text())
    both = locked.keys() & tested.keys()
    assert {name: locked[name] for name in both} == {name: tested[name] for name in both}
    assert len(both) > 0.9 * len(locked)


def test_what_is_inside_is_told_with_licences(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text(STATUS)
    command = [sys.executable, str(ROOT / "scripts" / "container_contents.py"), str(status)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    by_url = {one["purl"]: one for one in told["components"]}
    assert len(by_url) == len(told["components"])
    assert [url for url in by_url if "/debian/" in url] == ["pkg:deb/debian/zlib1g@1:1.2.13"]
    (nibabel,) = (one for url, one in by_url.items() if url.startswith("pkg:pypi/nibabel@"))
    assert "MIT" in json.dumps(nibabel["licenses"])
    unlicensed = [one["name"] for one in by_url.values() if "licenses" not in one]
    assert len(unlicensed) < 0.1 * len(by_url)
