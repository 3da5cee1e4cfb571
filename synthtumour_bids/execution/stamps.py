"""What is done already: a stamp a step and scan, made of hashes of everything it depends on.

Stamps lie beside the outputs (``logs/stamps``), not in the work folder, so that jobs on several
nodes, each with a work folder of its own, see what the others have done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.files import write_text

_CHUNK = 1 << 20


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(**parts: Any) -> str:
    """Hash of named values (anything JSON can hold; paths and the like by their text)."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Stamps:
    """The stamps of one output folder.

    Attributes
    ----------
    output_dir
        Output folder of the run; outputs under it are recorded relative to it, so that the
        stamps hold under any mount point.
    """

    output_dir: Path

    @property
    def folder(self) -> Path:
        """Where the stamps lie: one JSON file a step and key."""
        return self.output_dir / "logs" / "stamps"

    def path(self, step: str, key: str) -> Path:
        """File of the stamp of ``key`` (a scan's key or a name such as ``junior``)."""
        return self.folder / step / f"{key.replace('/', '__')}.json"

    def read(self, step: str, key: str) -> dict[str, Any] | None:
        """Content of a stamp, or ``None`` where the step was not finished."""
        try:
            content: dict[str, Any] = json.loads(self.path(step, key).read_text())
        except (OSError, ValueError):
            return None
        return content

    def is_done(self, step: str, key: str, print_: str) -> bool:
        """Whether the step was finished with this fingerprint and all its outputs still exist."""
        stamp = self.read(step, key)
        if stamp is None or stamp.get("fingerprint") != print_:
            return False
        return self.outputs_exist(stamp)

    def outputs_exist(self, stamp: Mapping[str, Any]) -> bool:
        """Whether every file a stamp names is there."""
        return all((self.output_dir / output).exists() for output in stamp.get("outputs", ()))

    def mark(
        self,
        step: str,
        key: str,
        print_: str,
        outputs: Iterable[Path] = (),
        **details: Any,
    ) -> None:
        """Record that the step is finished."""
        path = self.path(step, key)
        content: Mapping[str, Any] = {
            "fingerprint": print_,
            "outputs": [
                str(output.relative_to(self.output_dir))
                if output.is_relative_to(self.output_dir)
                else str(output)
                for output in outputs
            ],
            **details,
        }
        write_text(path, json.dumps(content, indent=1, sort_keys=True))

    def clear(self, step: str, key: str) -> None:
        """Forget that the step was finished (before its outputs are written anew)."""
        self.path(step, key).unlink(missing_ok=True)
