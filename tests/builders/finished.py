"""One run of the whole command, which the slow tests share."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.__main__ import main
from synthtumour_bids.demo.phantom import write_cohort
from synthtumour_bids.errors import EXIT_DONE

BROKEN = "broken"


@dataclass(frozen=True)
class Finished:
    """A run that has ended; `preprocessed` is what its output folder was after that step."""

    bids: Path
    truth: Path
    out: Path
    preprocessed: Path
    code: int

    def command(self, *more: str, out: Path | None = None) -> list[str]:
        return [
            *(str(self.bids), str(out or self.out), "participant", "--profile", "sloppy"),
            *("--work-dir", str(self.out.parent / "work"), "--truth", str(self.truth)),
            *("--nprocs", "2", *more),
        ]

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.out / name).open() as stream:
            return list(csv.DictReader(stream, delimiter="\t"))


def run_on_demo_cohort(root: Path) -> Finished:
    """A cohort of 4 + 4 heads, one tumour scan of which cannot be read, segmented once."""
    cohort = write_cohort(root, n_tumourfree=4, n_tumour=4, resolution=4.0, seed=3)
    source = next(cohort.bids_dir.glob("sub-*"))
    anat = cohort.bids_dir / f"sub-{BROKEN}" / "anat"
    anat.mkdir(parents=True)
    whole = next((source / "anat").glob("*_FLAIR.nii.gz"))
    (anat / f"sub-{BROKEN}_FLAIR.nii.gz").write_bytes(whole.read_bytes()[:2000])
    participants = cohort.bids_dir / "participants.tsv"
    header = participants.read_text().splitlines()[0].split("\t")
    row = ["n/a"] * len(header)
    row[header.index("participant_id")] = f"sub-{BROKEN}"
    row[header.index("group")] = "tumour"
    participants.write_text(participants.read_text().rstrip("\n") + "\n" + "\t".join(row) + "\n")
    folders = cohort.bids_dir, cohort.truth_dir, root / "out", root / "preprocessed"
    command = Finished(*folders, EXIT_DONE).command("--keep-work")
    main([*command, "--steps", "preprocess"])
    shutil.copytree(root / "out", root / "preprocessed")
    return Finished(*folders, main(command))
