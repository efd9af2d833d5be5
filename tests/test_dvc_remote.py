"""Data by its hash from a DVC remote on a real S3 server; the remote is filled by DVC itself."""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reenact.cluster.dvc_objects import FolderObjects, push_objects
from reenact.corpus.sources.dvc_remote import of_list, parse_dvc_remote
from reenact.corpus.sources.materialise import Material, SourceSettings, is_remote, materialise, version_of
from reenact.corpus.sources.settings import S3Settings
from reenact.errors import SettingsError, StorageError
from s3_server import Busy, Wire, s3

__all__ = ["s3"]
pytestmark = pytest.mark.xdist_group("dvc_remote")
BIG = 3_000_000
FILES = {
    "clips/ana/1.mp4": np.random.default_rng(0).bytes(BIG),
    "clips/ben/2.mp4": np.random.default_rng(1).bytes(40_000),
    "clips/ben/again.mp4": np.random.default_rng(1).bytes(40_000),
    "clips/Zoë 3.mp4": b"three",
    "source.yaml": b"licence: CC0\r\n",
    "empty.txt": b"",
}


def dvc(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pushed(s3: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A folder that DVC added and pushed: its address, and where things lie."""
    folder = tmp_path_factory.mktemp("repository")
    patch = pytest.MonkeyPatch()
    for name, value in {**s3, "AWS_MAX_ATTEMPTS": "1", "DVC_NO_ANALYTICS": "1"}.items():
        patch.setenv(name, value)
    for name, data in FILES.items():
        path = folder / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    dvc(folder, "init", "--no-scm", "-q")
    dvc(folder, "remote", "add", "-d", "store", "s3://bucket/team/dvc")
    dvc(folder, "remote", "modify", "store", "endpointurl", s3["AWS_ENDPOINT_URL_S3"])
    dvc(folder, "add", "-q", "videos")
    dvc(folder, "push", "-q")
    record = (folder / "videos.dvc").read_text()
    md5 = record.partition("md5: ")[2].split()[0]
    yield {
        "address": f"dvc+s3://bucket/team/dvc?md5={md5}",
        "md5": md5,
        "folder": str(folder),
        "store": f"{s3['folder']}/team/dvc/files/md5",
        "port": s3["AWS_ENDPOINT_URL_S3"].rpartition(":")[2],
    }
    patch.undo()


def told(tmp_path: Path, **s3_settings: object) -> SourceSettings:
    return SourceSettings.parse({"cache": str(tmp_path / "cache"), "s3": s3_settings}, where="")


def contents(material: Material) -> dict[str, bytes]:
    found = material.folder.rglob("*")
    return {path.relative_to(material.folder).as_posix(): path.read_bytes() for path in found if path.is_file()}


def test_a_folder_comes_by_its_hash_and_a_second_time_without_the_network(
    pushed: dict[str, str], tmp_path: Path
) -> None:
    first = materialise(pushed["address"], told(tmp_path))
    assert contents(first) == FILES
    assert (
        first.version == version_of(pushed["address"], told(tmp_path, endpoint="http://127.0.0.1:9")) == pushed["md5"]
    )
    assert materialise(pushed["address"], told(tmp_path, endpoint="http://127.0.0.1:9")) == first
    assert is_remote(pushed["address"])


def test_the_command_that_looks_at_data_takes_the_address(
    pushed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from reenact.cli.data import app

    monkeypatch.chdir(tmp_path)
    seen = CliRunner().invoke(app, ["inspect", "--json", pushed["address"]])
    assert seen.exit_code == 0, seen.output
    assert '"people"' in seen.output


def test_one_file_comes_by_its_hash_under_the_name_that_is_given(pushed: dict[str, str], tmp_path: Path) -> None:
    (entry,) = [one for one in listing(pushed) if one["relpath"] == "clips/ben/2.mp4"]
    address = f"dvc+s3://bucket/team/dvc?md5={entry['md5']}&name=ben%20two.mp4"
    assert contents(materialise(address, told(tmp_path))) == {"ben two.mp4": FILES["clips/ben/2.mp4"]}
    assert parse_dvc_remote(address).uri() == address


def listing(pushed: dict[str, str]) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = json.loads(Path(pushed["store"], pushed["md5"][:2], pushed["md5"][2:]).read_text())
    return entries


def test_the_list_of_a_folder_is_written_as_dvc_writes_it(pushed: dict[str, str]) -> None:
    entries = listing(pushed)
    md5, data = of_list(entries[::-1])
    assert md5 == pushed["md5"]
    assert data == Path(pushed["store"], md5[:2], md5[2:]).read_bytes()


def test_a_cut_download_goes_on_where_it_stopped(pushed: dict[str, str], tmp_path: Path) -> None:
    wire = Wire(int(pushed["port"]))
    wire.cut_at = BIG // 2
    material = materialise(pushed["address"], told(tmp_path, endpoint=f"http://127.0.0.1:{wire.port}", parallel=1))
    wire.close()
    assert contents(material) == FILES
    assert wire.passed < 1.3 * BIG


def test_a_server_that_is_busy_for_a_while_is_asked_again(pushed: dict[str, str], tmp_path: Path) -> None:
    door = Busy(int(pushed["port"]), refuse=3, only="GET")
    material = materialise(pushed["address"], told(tmp_path, endpoint=door.endpoint))
    door.close()
    assert door.refused == 3
    assert contents(material) == FILES


def test_a_server_that_stays_busy_is_a_sentence(pushed: dict[str, str], tmp_path: Path) -> None:
    door = Busy(int(pushed["port"]), refuse=1000)
    with pytest.raises(StorageError, match=r"503|Reduce your request rate"):
        materialise(pushed["address"], told(tmp_path, endpoint=door.endpoint, attempts=2))
    door.close()


def copied(pushed: dict[str, str], s3: dict[str, str], name: str) -> Path:
    """The remote's folder a second time, in the layout before DVC 3, for a test to change."""
    to = Path(s3["folder"], name)
    subprocess.run(["cp", "-r", pushed["store"], str(to)], check=True)
    subprocess.run(["chmod", "-R", "u+w", str(to)], check=True)
    time.sleep(0.05)  # the server looks at the folder anew
    return to


def test_a_remote_of_dvc_2_is_read_too_with_its_hashes_of_text(
    pushed: dict[str, str], s3: dict[str, str], tmp_path: Path
) -> None:
    old = copied(pushed, s3, "old")
    unix = hashlib.md5(b"licence: CC0\n").hexdigest()
    (old / unix[:2]).mkdir(exist_ok=True)
    (old / unix[:2] / unix[2:]).write_bytes(FILES["source.yaml"])
    entries = [{**one, "md5": unix} if one["relpath"] == "source.yaml" else one for one in listing(pushed)]
    md5, data = of_list(entries)
    (old / md5[:2]).mkdir(exist_ok=True)
    (old / md5[:2] / md5[2:]).write_bytes(data)
    time.sleep(0.05)
    assert contents(materialise(f"dvc+s3://bucket/old?md5={md5}", told(tmp_path))) == FILES


def test_what_a_remote_can_lack_or_hold_damaged_is_one_sentence(
    pushed: dict[str, str], s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = copied(pushed, s3, "sick")
    md5 = pushed["md5"]
    one = {entry["relpath"]: entry["md5"] for entry in listing(pushed)}["clips/ben/2.mp4"]

    def said(source: str = f"dvc+s3://bucket/sick?md5={md5}", **changes: object) -> str:
        time.sleep(0.05)
        with pytest.raises(StorageError) as caught:
            materialise(source, told(tmp_path, **changes))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    (remote / one[:2] / one[2:]).write_bytes(b"\0" * 40_000)
    assert "ben/" in (damaged := said())
    assert "damaged object" in damaged
    (remote / one[:2] / one[2:]).unlink()
    assert "not on this DVC remote" in said()
    assert "not on this DVC remote" in said(f"dvc+s3://bucket/sick?md5={'0' * 32}.dir")
    assert 'no bucket "none"' in said(f"dvc+s3://none/sick?md5={md5}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrongsecret99999")
    assert "does not accept the AWS credentials" in (wrong := said())
    assert "wrongsecret99999" not in wrong


def test_names_that_lead_out_of_the_folder_are_left_out(
    s3: dict[str, str], pushed: dict[str, str], tmp_path: Path
) -> None:
    remote = copied(pushed, s3, "tricks")
    one = listing(pushed)[0]["md5"]
    md5, data = of_list([{"md5": one, "relpath": name} for name in ("../out.mp4", "/abs.mp4", "a.mp4", "a.mp4/b.mp4")])
    (remote / md5[:2]).mkdir(exist_ok=True)
    (remote / md5[:2] / md5[2:]).write_bytes(data)
    time.sleep(0.05)
    material = materialise(f"dvc+s3://bucket/tricks?md5={md5}", told(tmp_path))
    assert len(material.skipped) == 3
    assert len(contents(material)) == 1


@pytest.mark.parametrize(
    "address",
    [
        "dvc+s3://bucket/x",
        "dvc+s3://bucket/x?md5=abc",
        f"dvc+s3://bucket/x?md5={'0' * 32}",
        f"dvc+s3://bucket/x?md5={'0' * 32}.dir&name=a",
        f"dvc+s3://bucket/x?md5={'0' * 32}&name=../a",
        f"dvc+s3://bucket/x?md5={'0' * 32}.dir&rev=1",
    ],
)
def test_an_address_that_is_none_is_said_so_before_anything_is_asked(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"fetch_data\.videos"):
        version_of(address, told(tmp_path))


def test_a_remote_to_push_to_is_named_by_its_own_setting():
    with pytest.raises(SettingsError, match=r"^cluster\.data_remote: "):
        push_objects(FolderObjects(md5="", size=0, nfiles=0, files=(), listing=b""), "s3://b/p?x=1", S3Settings())
