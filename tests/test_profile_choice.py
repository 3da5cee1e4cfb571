from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from synthtumour_bids.errors import UsageError
from synthtumour_bids.profile_choice import begin_with, choose
from synthtumour_bids.profiles import PROFILES

FULL, FAST, SLOPPY = (PROFILES[name] for name in ("full", "fast", "sloppy"))


def never() -> bool:
    pytest.fail("looked for a device although the folder decides")


def stamp(output: Path, name: str, resolution: float) -> None:
    path = output / "logs" / "stamps" / "preprocess" / f"raw__sub-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"fingerprint": "f", "resolution": resolution}))


def network(models: Path, name: str, profile: str) -> None:
    (models / name).mkdir(parents=True)
    (models / name / "model.json").write_text(json.dumps({"Name": name, "Profile": profile}))


def test_a_new_folder_follows_the_machine(tmp_path: Path) -> None:
    assert choose(tmp_path / "out", lambda: True) == (
        FULL,
        "profile full: a CUDA device was found.",
    )
    profile, reason = choose(tmp_path / "out", lambda: False, nprocs=2)
    assert profile == FAST
    assert reason.startswith("profile fast: no CUDA device was found; --profile full takes up to ")
    assert reason.endswith(" days on a CPU with 2 cores.")
    assert not (tmp_path / "out").exists()


def test_a_folder_keeps_the_profile_it_was_begun_with(tmp_path: Path) -> None:
    assert begin_with(tmp_path / "out", SLOPPY) == SLOPPY
    assert (tmp_path / "out" / "logs" / "profile").read_text() == "sloppy\n"
    assert begin_with(tmp_path / "out", FULL) == SLOPPY
    stamp(tmp_path / "out", "01", 1.0)
    profile, reason = choose(tmp_path / "out", never)
    assert profile == SLOPPY
    assert reason == "profile sloppy: the output folder was begun with it."
    assert [path.name for path in (tmp_path / "out" / "logs").glob("[!s]*")] == ["profile"]


def test_of_jobs_that_start_together_the_first_decides(tmp_path: Path) -> None:
    barrier, found = threading.Barrier(8), []

    def begin(number: int) -> None:
        barrier.wait()
        found.append(begin_with(tmp_path, (FULL, FAST)[number % 2]))

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {choose(tmp_path, never)[0]}


def test_an_older_folder_has_the_profile_of_its_scans(tmp_path: Path) -> None:
    for number in range(3):
        stamp(tmp_path, f"{number:02d}", 2.0)
    (tmp_path / "logs" / "stamps" / "preprocess" / "raw__sub-09.json").write_text('{"resol')
    profile, reason = choose(tmp_path, never)
    assert profile == FAST
    assert "results in the output folder" in reason


def test_scans_of_several_profiles_leave_it_to_the_networks(tmp_path: Path) -> None:
    stamp(tmp_path, "01", 1.0)
    stamp(tmp_path, "02", 4.0)
    with pytest.raises(UsageError, match=r"several profiles \(full, sloppy\); say with --profile"):
        choose(tmp_path, never)
    network(tmp_path / "models", "junior", "sloppy")
    assert choose(tmp_path, never)[0] == SLOPPY
    network(tmp_path / "models", "senior", "full")
    with pytest.raises(UsageError, match="--profile"):
        choose(tmp_path, never)


def test_an_unknown_profile_is_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "profile").write_text("best")
    with pytest.raises(UsageError, match=r"'best', which is none of full, fast, sloppy"):
        choose(tmp_path, never)
    with pytest.raises(UsageError, match="best"):
        begin_with(tmp_path, FAST)
