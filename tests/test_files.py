"""Files are written whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.errors import StoppedError
from synthtumour_bids.files import (
    copy_file,
    read_records,
    replacing,
    write_json,
    write_text,
    write_tsv,
)
from synthtumour_bids.settings import Role


def image(shape=(4, 5, 6)) -> nib.Nifti1Image:
    return nib.Nifti1Image(np.zeros(shape, np.float32), np.eye(4))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("exception", [OSError, KeyboardInterrupt, StoppedError, SystemExit])
def test_an_interrupted_write_leaves_nothing_behind(tmp_path, exception):
    path = tmp_path / "new" / "a.json"

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise exception

    with pytest.raises(exception):
        write()
    assert names(path.parent) == []


def test_an_interrupted_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(TypeError):
        write_json(path, {"x": object()})
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_image_that_cannot_be_written_leaves_no_sidecar_either(tmp_path):
    path = tmp_path / "a_mask.nii.gz"
    write_image(path, image(), {"Type": "Brain"})

    class Broken(nib.Nifti1Image):
        def to_file_map(self, *args, **kwargs):
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        write_image(path, Broken(np.zeros((2, 2, 2)), np.eye(4)), {"Type": "Lesion"})
    assert names(tmp_path) == ["a_mask.nii.gz"], "the old image is whole, its sidecar is gone"


def test_files_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "a")
        write_image(tmp_path / "a.nii.gz", image(), {})
        copy_file(tmp_path / "a.txt", tmp_path / "b.txt")
    finally:
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


def test_a_copy_of_a_read_only_file_can_be_replaced(tmp_path):
    source = tmp_path / "source"
    source.write_text("x")
    source.chmod(0o400)
    for _ in range(2):
        copy_file(source, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_mode & 0o200


def test_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "shared.json"
    errors = []

    def write(number):
        try:
            for _ in range(30):
                write_json(path, {"numbers": [number] * 500})
                assert len(set(json.loads(path.read_text())["numbers"])) == 1
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert names(tmp_path) == ["shared.json"]


def test_a_name_of_the_longest_kind_can_be_written(tmp_path):
    path = tmp_path / ("a" * 248 + ".nii.gz")
    with replacing(path) as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("x")
    assert path.exists()


# ---------------------------------------------------------------------- content


def test_json_holds_no_value_that_json_does_not_know(tmp_path):
    path = tmp_path / "a.json"
    write_json(
        path,
        {
            "nan": float("nan"),
            "inf": np.float32("inf"),
            "array": np.arange(3),
            "flag": np.bool_(True),
            "path": Path("a/b"),
            "tuple": (1, 2.5),
            "role": Role.TUMOUR,
            "word": "é",
        },
    )
    assert json.loads(path.read_text()) == {
        "nan": None,
        "inf": None,
        "array": [0, 1, 2],
        "flag": True,
        "path": "a/b",
        "tuple": [1, 2.5],
        "role": "tumour",
        "word": "é",
    }


def test_table_cells(tmp_path):
    path = tmp_path / "a.tsv"
    rows = [
        {"id": "sub-01", "v": np.float64(12.3456789), "ok": True, "flags": ("a", "b"), "x": 1},
        {"id": "tab\tand\nline", "v": float("nan"), "ok": np.bool_(False), "flags": ()},
    ]
    write_tsv(path, rows, ["id", "v", "ok", "flags"])
    assert path.read_bytes().decode().split("\n") == [
        "id\tv\tok\tflags",
        "sub-01\t12.3457\ttrue\ta;b",
        "tab and line\tn/a\tfalse\tn/a",
        "",
    ]


def test_an_image_name_needs_an_image_extension(tmp_path):
    with pytest.raises(ValueError, match="not named like an image"):
        write_image(tmp_path / "a.mgz", image(), {})


def test_what_a_killed_process_left_of_a_file_goes_when_it_is_written(tmp_path: Path) -> None:
    path, other = tmp_path / "sub-1_probseg.nii.gz", tmp_path / "other.nii.gz"
    script = (
        "import os, sys, time; from pathlib import Path\n"
        "from synthtumour_bids.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    print(flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script]
    with (
        subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE) as killed,
        subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE) as busy,
        subprocess.Popen([*command, str(other)], stdout=subprocess.PIPE) as more,
    ):
        for process in (killed, busy, more):
            assert process.stdout is not None
            process.stdout.readline()
        for process in (killed, more):
            process.kill()
            process.wait()
        write_text(path, "whole")
        left = sorted(one.name.split("-")[2] for one in tmp_path.glob(".tmp-*"))
        assert left == sorted(str(process.pid) for process in (busy, more))
        assert path.read_text() == "whole"
        old = next(tmp_path.glob(f".tmp-*-{busy.pid}-*"))
        os.utime(old, (0, 0))  # as one of another host would be
        write_text(path, "again")
        assert not old.exists()
        busy.kill()


def test_records_that_are_gone_or_broken_are_left_out(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_json(tmp_path / f"{name}.json", {"name": name})
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")  # listed, and then not there
    (tmp_path / "empty.json").touch()
    (tmp_path / "list.json").write_text("[]")
    assert read_records(tmp_path) == [{"name": "a"}, {"name": "b"}]
    assert read_records(tmp_path / "nowhere") == []
