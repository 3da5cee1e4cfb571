"""What every process of a run loads before it knows what it will do."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("ants", "bids", "matplotlib", "nilearn", "nnunetv2", "pandas", "sklearn", "torch")


def test_the_app_imports_nothing_heavy() -> None:
    code = f"import sys, synthtumour_bids.app\nprint(*set({HEAVY}) & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
