"""What is done already, as stamps beside the outputs: hashes of everything a result depends on.

Stamps lie in the output folder (``logs/stamps``), not in the work folder, so that jobs on several
nodes, each with a work folder of its own, see what the others have done. What failed last is
recorded in the same way (``logs/failures``), for tables that another job writes. Of scratch data
a ledger of the work folder tells: those of another job's may be of other settings or scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.names import parse_name
from synthtumour_bids.bids.scan import Scan, record_name
from synthtumour_bids.files import read_json, write_json

COHORT = "cohort"  # the step of results that are made once from many scans
_OWN_KEYS = frozenset(("fingerprint", "outputs", "scan"))


@dataclass(frozen=True)
class Identity:
    """Which scan a stamp is about; see the attributes of the same names of ``Scan``."""

    dataset: str
    subject: str
    session: str | None
    suffix: str
    name: str

    @classmethod
    def of(cls, scan: Scan) -> Identity:
        """Of a scan."""
        return cls(scan.dataset_name, scan.subject, scan.session, scan.suffix, scan.name)

    @property
    def key(self) -> str:
        """Key of the scan."""
        return f"{self.dataset}/{self.name}"

    @property
    def record(self) -> str:
        """What records of the scan's masks are called."""
        return record_name(self.dataset, self.name)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {
            "dataset": self.dataset,
            "subject": self.subject,
            "session": self.session,
            "suffix": self.suffix,
            "name": self.name,
        }


@dataclass(frozen=True)
class Stamp:
    """The record of one finished result.

    Attributes
    ----------
    fingerprint
        Hash of all that the result depends on.
    outputs
        Its files in the output folder, relative to it, so that stamps hold under any mount point.
    scan
        Which scan it is about; ``None`` for results of the cohort.
    details
        What the step tells those after it, JSON-able.
    """

    fingerprint: str
    outputs: tuple[str, ...] = ()
    scan: Identity | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """Why a step failed for a scan."""

    step: str
    scan: Identity
    role: str
    message: str


@dataclass(frozen=True)
class Stop:
    """Why a step that is done once for all scans failed, which ended the run."""

    step: str
    message: str


class Ledger:
    """The stamps of one output or work folder. Each is read once; `forget` looks anew."""

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir
        self._stamps: dict[tuple[str, str], Stamp | None] = {}
        self._whole: dict[tuple[str, str], bool] = {}

    # ------------------------------------------------------------------ reading

    def read(self, step: str, key: str) -> Stamp | None:
        """Stamp of a scan's key or of a name such as ``junior``; ``None`` where there is none."""
        place = (step, key)
        if place not in self._stamps:
            self._stamps[place] = _read_stamp(self._path(step, key))
        return self._stamps[place]

    def finished(self, step: str, key: str) -> Stamp | None:
        """Stamp of a result whose outputs are all there; an emptied one is none."""
        stamp, place = self.read(step, key), (step, key)
        if stamp is None:
            return None
        if place not in self._whole:
            self._whole[place] = all(_has_content(self.output_dir / one) for one in stamp.outputs)
        return stamp if self._whole[place] else None

    def is_done(self, step: str, key: str, fingerprint: str) -> bool:
        """Whether the step was finished with this fingerprint and all its outputs still exist."""
        stamp = self.finished(step, key)
        return stamp is not None and stamp.fingerprint == fingerprint

    def of_scans(self, step: str) -> Iterator[tuple[Identity, Stamp]]:
        """All scans that a step was finished for, whichever job did it, by their keys."""
        for path in sorted(self.folder(step).glob("[!.]*.json")):
            stamp = _read_stamp(path)
            if stamp is None:
                continue
            scan = stamp.scan or _identity_of_older(path.stem)
            if scan is not None:
                yield scan, stamp

    def steps_of(self, key: str) -> list[str]:
        """Steps that have a stamp for a scan's key."""
        name = self._path("*", key).name
        return sorted(
            path.parent.name for path in self.folder("*").parent.glob(f"*/{escape(name)}")
        )

    def failures(self) -> list[Failure]:
        """What failed when it was last tried, whichever job tried it."""
        found = []
        for path in sorted(self._failures.glob("*/[!.]*.json")):
            content = read_json(path)
            if content is not None:
                identity = Identity(**content["scan"])
                found.append(
                    Failure(path.parent.name, identity, content["role"], content["message"])
                )
        return found

    def stops(self) -> list[Stop]:
        """Steps that ended a run when they were last tried, whichever job tried them."""
        found = []
        for path in sorted(self._failures.glob("[!.]*.json")):
            content = read_json(path)
            if content is not None:
                found.append(Stop(path.stem, content["message"]))
        return found

    # ------------------------------------------------------------------ writing

    def mark(
        self,
        step: str,
        key: str,
        fingerprint: str,
        outputs: Iterable[Path] = (),
        *,
        scan: Scan | None = None,
        **details: Any,
    ) -> None:
        """Record that a result is finished.

        Of its files those in the output folder are told: where scratch data lie is nobody's
        business later, and whoever needs them looks whether they are there.
        """
        content: dict[str, Any] = {
            "fingerprint": fingerprint,
            "outputs": [
                str(output.relative_to(self.output_dir))
                for output in outputs
                if output.is_relative_to(self.output_dir)
            ],
            **details,
        }
        if scan is not None:
            content["scan"] = Identity.of(scan).to_json()
        write_json(self._path(step, key), content)
        self._drop(step, key)

    def clear(self, step: str, key: str) -> None:
        """Forget that a result was finished (before its outputs are written anew)."""
        self._path(step, key).unlink(missing_ok=True)
        self._drop(step, key)

    def mark_failure(self, failure: Failure) -> None:
        """Record why a step failed for a scan."""
        content = {
            "scan": failure.scan.to_json(),
            "role": failure.role,
            "message": failure.message,
        }
        write_json(self._failure_path(failure.step, failure.scan.key), content)

    def clear_failure(self, step: str, key: str) -> None:
        """Forget a failure: the step ended well since."""
        self._failure_path(step, key).unlink(missing_ok=True)

    def mark_stop(self, stop: Stop) -> None:
        """Record why a step ended the run."""
        write_json(self._failures / f"{stop.step}.json", {"message": stop.message})

    def clear_stop(self, step: str) -> None:
        """Forget it: the step ended well since."""
        (self._failures / f"{step}.json").unlink(missing_ok=True)

    def forget(self) -> None:
        """Read all stamps anew: other processes have written some."""
        self._stamps.clear()
        self._whole.clear()

    # ------------------------------------------------------------------ places

    def folder(self, step: str) -> Path:
        """Where the stamps of a step lie: one JSON file each."""
        return self.output_dir / "logs" / "stamps" / step

    @property
    def _failures(self) -> Path:
        return self.output_dir / "logs" / "failures"

    def _path(self, step: str, key: str) -> Path:
        return self.folder(step) / f"{key.replace('/', '__')}.json"

    def _failure_path(self, step: str, key: str) -> Path:
        return self._failures / step / f"{key.replace('/', '__')}.json"

    def _drop(self, step: str, key: str) -> None:
        self._stamps.pop((step, key), None)
        self._whole.pop((step, key), None)


def _has_content(path: Path) -> bool:
    with suppress(FileNotFoundError):  # another job may remove it between the two
        return path.exists() and path.stat().st_size > 0
    return False


def _read_stamp(path: Path) -> Stamp | None:
    content = read_json(path)
    if content is None or "fingerprint" not in content:
        return None
    scan = content.get("scan")
    return Stamp(
        content["fingerprint"],
        tuple(content.get("outputs", ())),
        Identity(**scan) if scan else None,
        {key: value for key, value in content.items() if key not in _OWN_KEYS},
    )


def _identity_of_older(stem: str) -> Identity | None:
    """Identity of a stamp of 0.1.0, which has none but its file name."""
    dataset, separator, name = stem.partition("__")
    parsed = parse_name(f"{name}.nii") if separator else None
    if parsed is None:
        return None
    return Identity(dataset, parsed.subject, dict(parsed.entities).get("ses"), parsed.suffix, name)
