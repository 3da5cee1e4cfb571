"""Run synthtumour_bids for Brainlife: ``config.json`` in; datatypes and ``product.json`` out.

Runs inside the container, in the work folder of the task. Arguments are handed to the app.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import FrameType
from typing import Any

from product import copy_mask, copy_report, product, write_product

from synthtumour_bids.errors import EXIT_INTERNAL, DataError, SynthTumourError, UsageError
from synthtumour_bids.reports.group import read_results
from synthtumour_bids.settings import STARTER

CONFIG = Path("config.json")
PRODUCT = Path("product.json")
DATASET = Path("bids_input")
OUTPUT = Path("derivatives")
MASK = Path("mask") / "mask.nii.gz"
REPORT = Path("report") / "html"

INPUTS = ("flair", "bids", "tumourfree", "model")
LAST_WORDS = re.compile(r"FAILED  |synthtumour-bids|Stopped\.")


@dataclass(frozen=True)
class Scan:
    """The scan of a task with one scan.

    Attributes
    ----------
    path
        File that Brainlife has put in place.
    subject, session
        BIDS labels; the session may be missing.
    """

    path: Path
    subject: str
    session: str | None

    @property
    def folder(self) -> Path:
        """Folder of the scan, and of its mask, inside a dataset."""
        session = [f"ses-{self.session}"] if self.session else []
        return Path(f"sub-{self.subject}", *session, "anat")

    def name(self, ending: str) -> str:
        """File name with the scan's entities."""
        session = f"_ses-{self.session}" if self.session else ""
        return f"sub-{self.subject}{session}_{ending}"


def read_config(path: Path) -> dict[str, Any]:
    """Read the task's configuration, without what was left empty.

    One scan without a model is segmented by the starter that the package ships.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path.absolute()} cannot be read: {error}."
        raise UsageError(msg) from error
    config = {
        key: value
        for key, value in config.items()
        if value is not None and value is not False and value not in ("", [])
    }
    if ("flair" in config) == ("bids" in config):
        msg = (
            "config.json must name one of two inputs: flair (one scan) or bids (a dataset); "
            f"found {' and '.join(key for key in INPUTS if key in config) or 'neither'}."
        )
        raise UsageError(msg)
    if "flair" in config:  # nothing can be learned from one scan
        config.setdefault("model", STARTER)
    for key in INPUTS:
        for value in as_list(config.get(key, [])):
            shipped = key == "model" and value == STARTER
            if not shipped and not Path(value).exists():
                msg = f"config.json: the input {key} is {value}, which is not there."
                raise DataError(msg)
    return config


def as_list(value: Any) -> list[Any]:
    """Brainlife gives one value, or a list where an input may be given several times."""
    return value if isinstance(value, list) else [value]


def find_scan(config: Mapping[str, Any]) -> Scan | None:
    """The single scan with the labels it has on the platform; ``None`` for a dataset."""
    if "flair" not in config:
        return None
    meta: dict[str, Any] = {}
    for described in config.get("_inputs", []):
        if "flair" in described.get("keys", []):
            meta = described.get("meta", {})
    subject, session = (
        re.sub("[^0-9A-Za-z]", "", str(meta.get(key) or "")) for key in ("subject", "session")
    )
    return Scan(Path(config["flair"]), subject or "01", session or None)


def write_dataset(scan: Scan, root: Path) -> None:
    """Make a BIDS dataset of one scan."""
    (root / scan.folder).mkdir(parents=True, exist_ok=True)
    description = {"Name": "Brainlife task", "BIDSVersion": "1.10.1", "DatasetType": "raw"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    extension = ".nii.gz" if scan.path.name.endswith(".gz") else ".nii"
    shutil.copyfile(scan.path, root / scan.folder / scan.name(f"FLAIR{extension}"))


def command(config: Mapping[str, Any], arguments: Sequence[str]) -> list[str]:
    """Command line of the app; settings that are no inputs are flags of the same name.

    They come last, so that a user's ``nprocs`` wins over the scheduler's cores.
    """
    line = [str(config.get("bids", DATASET)), str(OUTPUT), "participant", *arguments]
    for folder in as_list(config.get("tumourfree", [])):
        line += ["--tumourfree-dir", str(folder)]
    if "model" in config:
        line += ["--model", str(config["model"])]
    for key, value in config.items():
        if key in INPUTS or key.startswith("_"):
            continue
        line.append(f"--{key.replace('_', '-')}")
        line += [] if value is True else [str(item) for item in as_list(value)]
    return line


def run(line: Sequence[str]) -> tuple[int, str]:
    """Run the app, its log passing through.

    Returns
    -------
    Exit code, and the sentences with which the app ended.
    """
    # -P: names in the work folder must not be taken for Python packages.
    process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
        [sys.executable, "-P", "-m", "synthtumour_bids", *line],
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )

    def stop(number: int, frame: FrameType | None) -> None:
        process.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    lines: deque[str] = deque(maxlen=100)

    def pass_on() -> None:
        for text in process.stderr or ():
            lines.append(text)
            sys.stderr.write(text)
            sys.stderr.flush()

    reader = Thread(target=pass_on, daemon=True)
    reader.start()
    code = process.wait()
    reader.join(timeout=10)  # a worker that outlived the app would keep the pipe open
    if code < 0:
        name = signal.Signals(-code).name
        return 128 - code, f"The app was killed ({name}); it may have needed more memory."
    return code, last_words(list(lines)) or f"The app ended with code {code}."


def last_words(lines: Sequence[str]) -> str:
    """The verdict or the error at the end of a log."""
    starts = [index for index, text in enumerate(lines) if LAST_WORDS.match(text)]
    return "".join(lines[starts[0] :] if starts else lines[-1:]).strip()


def main(arguments: Sequence[str]) -> int:
    """Do one task; its exit code is the app's."""
    results: list[dict[str, Any]] = []
    try:
        config = read_config(CONFIG)
        scan = find_scan(config)
        MASK.unlink(missing_ok=True)
        if scan is not None:
            write_dataset(scan, DATASET)
        code, words = run(command(config, arguments))
        if scan is not None:
            copy_mask(OUTPUT / scan.folder / scan.name("label-L_mask.nii.gz"), MASK)
        copy_report(OUTPUT, REPORT)
        results = read_results(OUTPUT)
    except (SynthTumourError, OSError) as error:
        code, words = getattr(error, "exit_code", EXIT_INTERNAL), str(error)
        print(words, file=sys.stderr)
    write_product(PRODUCT, product(code, words, results, MASK))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
