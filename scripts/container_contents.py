#!/usr/bin/env python3
"""Tell what an image carries, with licences, as a software bill of materials (CycloneDX JSON).

Usage: container_contents.py [DPKG_STATUS], by the Python whose packages are meant; the file is
/var/lib/dpkg/status where it is left out. Prints to standard output, the same whenever it is run.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

DPKG_STATUS = Path("/var/lib/dpkg/status")
LONGEST_LICENCE = 60  # characters: longer fields hold the text itself, not its name


def licences(distribution: Distribution) -> list[dict[str, Any]]:
    """Licences of a Python package: an SPDX expression, or what else its metadata call them."""
    told = distribution.metadata
    if expression := told.get("License-Expression"):
        return [{"expression": expression}]
    kind = "License :: "
    names = [
        classifier.split(" :: ")[-1]
        for classifier in told.get_all("Classifier") or ()
        if classifier.startswith(kind) and classifier != "License :: OSI Approved"
    ]
    field = (told.get("License") or "").strip()
    if not names and 0 < len(field) <= LONGEST_LICENCE:
        names = [field]
    return [{"license": {"name": name}} for name in sorted(set(names))]


def python_components() -> Iterator[dict[str, Any]]:
    """Describe the packages that this Python can import."""
    for one in distributions():
        name, version = one.metadata["Name"], one.version
        url = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
        found = licences(one)
        yield _component(name, version, url) | ({"licenses": found} if found else {})


def debian_components(status: Path) -> Iterator[dict[str, Any]]:
    """Describe the packages of the base image; their licences lie in /usr/share/doc."""
    for block in status.read_text(encoding="utf-8").split("\n\n"):
        told: Mapping[str, str] = dict(re.findall(r"^([\w-]+): (.*)$", block, re.MULTILINE))
        if told.get("Status", "").endswith(" installed"):
            name, version = told["Package"], told["Version"]
            yield _component(name, version, f"pkg:deb/debian/{name}@{version}")


def _component(name: str, version: str, url: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url}


def main() -> None:
    """Print everything."""
    status = Path(sys.argv[1]) if len(sys.argv) > 1 else DPKG_STATUS
    found = [*python_components(), *(debian_components(status) if status.is_file() else ())]
    components = {one["bom-ref"]: one for one in found}
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": [components[name] for name in sorted(components)],
    }
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
