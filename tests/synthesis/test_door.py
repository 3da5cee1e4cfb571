"""What users of the package's functions get, and what they are spared."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from synthtumour_bids import synthesis
from synthtumour_bids.synthesis import fabrication

HEAVY = ("ants", "matplotlib", "nibabel", "nilearn", "nnunetv2", "bids", "torch")
SOURCES = sorted(Path(synthesis.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("package", [synthesis, fabrication])
def test_all_public_names_are_there_and_listed(package):
    assert dir(package) == package.__all__
    assert len(package.__all__) > 15
    for name in package.__all__:
        value = getattr(package, name)
        assert value is getattr(package, name)
        assert getattr(value, "__doc__", None)
    with pytest.raises(AttributeError, match=r"has no attribute 'tumor'"):
        package.tumor  # noqa: B018
    source = Path(package.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"(\w+) as \1", source)) == set(package.__all__)  # for type checkers


def test_nothing_heavy_is_imported():
    code = (
        "import sys\n"
        "from synthtumour_bids import synthesis\n"
        "for name in synthesis.__all__: getattr(synthesis, name)\n"
        "for name in ('make_scan', 'cut_out', 'sample', 'render', 'FULL'):\n"
        "    getattr(synthesis.fabrication, name)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_synthesis_works_on_arrays_alone(path):
    source = path.read_text(encoding="utf-8")
    above = re.findall(r"^\s*(?:from|import) (?:\.{2,3}|synthtumour_bids\.)(\w+)", source, re.M)
    assert set(above) - {"synthesis"} <= {
        *("errors", "files", "lazy", "safe_files", "tensors"),
        *(path.stem for path in SOURCES),
    }
    assert not re.search(r"(?<![\w-])--[a-z]", source)  # no flag of the command line
