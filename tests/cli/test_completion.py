"""What a shell offers once it has the script of ``--print-completion``."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from synthtumour_bids.cli.fetch import build_parser as fetch_parser
from synthtumour_bids.cli.parser import build_parser
from synthtumour_bids.demo.__main__ import build_parser as demo_parser
from synthtumour_bids.dicom.__main__ import build_parser as dicomseg_parser
from synthtumour_bids.starter.__main__ import build_parser as starter_parser

PARSERS = {
    parser.prog: parser
    for parser in (
        build_parser(),
        fetch_parser(),
        demo_parser(),
        dicomseg_parser(),
        starter_parser(),
    )
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("scans", "scans2"):
        (tmp_path / name).mkdir()
    (tmp_path / "scans.json").touch()
    return tmp_path


def offered(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> set[str]:
    """What bash completes the last of a command line's words to."""
    with pytest.raises(SystemExit) as ended:
        PARSERS[words[0]].parse_args(["--print-completion", "bash"])
    assert ended.value.code == 0
    script = folder / "completion.bash"
    script.write_text(capsys.readouterr().out)
    asked = (
        "shopt -s progcomp; source completion.bash; "
        f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; "
        f"$(complete -p {words[0]} | sed 's/.*-F \\([^ ]*\\) .*/\\1/') "
        f"{words[0]} {shlex.quote(words[-1])}; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    result = subprocess.run(["bash", "-c", asked], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {line.strip().rstrip("/") for line in result.stdout.split("\n") if line.strip()}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("synthtumour-bids sc", {"scans", "scans2"}),
        ("synthtumour-bids scans out par", {"participant"}),
        ("synthtumour-bids scans out participant --profile f", {"full", "fast"}),
        ("synthtumour-bids scans out participant --tumourfree-dir sc", {"scans", "scans2"}),
        ("synthtumour-bids --config-file sc", {"scans", "scans2", "scans.json"}),
        ("synthtumour-bids --no-vi", {"--no-viewer"}),
        ("synthtumour-demo sc", {"scans", "scans2", "scans.json"}),
        ("synthtumour-starter train scans --lesion st", {"stroke"}),
        ("synthtumour-fetch --sou", {"--source"}),
        ("synthtumour-dicomseg sc", {"scans", "scans2", "scans.json"}),
    ],
)
def test_bash_offers_what_fits(
    capsys: pytest.CaptureFixture[str], folder: Path, line: str, expected: set[str]
) -> None:
    assert offered(capsys, folder, *line.split()) == expected
