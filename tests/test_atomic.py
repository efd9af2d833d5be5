import errno
import json
import subprocess
import sys

import pytest

from reenact.atomic import alone_in, atomic_file, atomic_folder, storage_errors, write_json
from reenact.errors import StorageError


def test_a_failing_write_leaves_neither_file_nor_rest(tmp_path):
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_keeps_the_older_file(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}


def test_a_folder_is_replaced_whole(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").write_text("1")
    with atomic_folder(tmp_path / "f") as temporary:
        (temporary / "new").write_text("2")
    assert [p.name for p in (tmp_path / "f").iterdir()] == ["new"]


def test_a_failing_folder_keeps_the_older_one(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").write_text("1")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "f"):
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f" / "old").exists()


def test_a_full_disk_is_one_sentence_with_the_file_name(tmp_path):
    with pytest.raises(StorageError, match=r"a\.txt: the disk is full"), atomic_file(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_in_the_way_of_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.html").mkdir()
    for path in (tmp_path / "file" / "below.html", tmp_path / "folder.html"):
        with pytest.raises(StorageError, match=f"{path.name}: can't write here"), atomic_file(path):
            pass


def test_what_the_system_refuses_a_stage_names_its_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/below: .*Not a directory"), storage_errors():
        (tmp_path / "file" / "below").mkdir()
    with pytest.raises(FileNotFoundError), storage_errors():
        (tmp_path / "none" / "below").mkdir()


def test_the_real_full_device_is_a_storage_error(tmp_path):
    with (
        pytest.raises(StorageError, match="disk is full"),
        atomic_file(tmp_path / "a.txt"),
        open("/dev/full", "w") as full,  # noqa: PTH123
    ):
        full.write("x")
        full.flush()


def test_a_second_process_is_kept_out_of_a_folder_until_the_first_ends(tmp_path):
    code = "import sys, pathlib; from reenact.atomic import alone_in\nwith alone_in(pathlib.Path(sys.argv[1])): pass"
    second = [sys.executable, "-c", code, str(tmp_path / "frames")]
    with alone_in(tmp_path / "frames"):
        refused = subprocess.run(second, capture_output=True, text=True, check=False)
    assert "frames: another process is at work here" in refused.stderr
    assert subprocess.run(second, check=False).returncode == 0
    assert list((tmp_path / "frames").iterdir()) == []
