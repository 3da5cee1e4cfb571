"""Time to plan a run on a large dataset: `python benchmarks/indexing.py [--subjects 500]`.

Builds a dataset of empty files in a temporary folder and prints seconds for the scans of all
participants, of one participant, and from a pybids database.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from synthtumour_bids.bids.inputs import collect_scans
from synthtumour_bids.settings import Settings, Step

SESSIONS = ("1", "2")
FILES = ("anat/{}_T1w", "anat/{}_FLAIR")


def build(root: Path, subjects: int) -> int:
    """Make the dataset; return its number of files."""
    lines = ["participant_id\tgroup"]
    count = 0
    for number in range(subjects):
        lines.append(f"sub-{number:04d}\t{'control' if number % 2 else 'tumour'}")
        for session in SESSIONS:
            stem = f"sub-{number:04d}_ses-{session}"
            for file in FILES:
                for extension in (".nii.gz", ".json"):
                    path = root / stem.replace("_", "/") / (file.format(stem) + extension)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
                    count += 1
    (root / "participants.tsv").write_text("\n".join(lines) + "\n")
    return count


def report(title: str, settings: Settings) -> None:
    start = time.perf_counter()
    selection = collect_scans(settings)
    seconds = time.perf_counter() - start
    print(f"{title:<44}{len(selection.selected):>6} scans{seconds:>8.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "bids"
        count = build(root, arguments.subjects)
        print(f"{arguments.subjects} participants, {count} files")
        settings = Settings(root, Path(folder) / "out")
        report("all participants (with import of pybids)", settings)
        report("all participants", settings)
        one = Settings(
            root,
            Path(folder) / "out",
            participant_label=("0007",),
            steps=(Step.PREPROCESS,),
        )
        report("one participant, --steps preprocess", one)
        database = Settings(root, Path(folder) / "out", bids_database_dir=Path(folder) / "db")
        report("all participants, making a database", database)
        report("all participants, from the database", database)


if __name__ == "__main__":
    main()
