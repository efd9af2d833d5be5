"""From DVC's records to an address that pods fetch by, and from folders to DVC's objects, with DVC itself."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dvc_projects import command, environment, make_repository, write_files
from reenact.cluster import dvc_objects
from reenact.cluster.dvc_objects import folder_objects, push_objects
from reenact.cluster.lock_versions import data_hash, versioned_videos
from reenact.corpus.sources.materialise import materialise
from reenact.corpus.sources.settings import S3Settings, SourceSettings
from reenact.errors import BadInput, ReenactError, SettingsError, StorageError
from s3_server import Busy, Wire, s3

__all__ = ["s3"]
pytestmark = pytest.mark.xdist_group("data_versions")

FILES = {
    "ana/1.mp4": np.random.default_rng(0).bytes(2_000_000),
    "ben/2.mp4": np.random.default_rng(1).bytes(30_000),
    "ben/same.mp4": np.random.default_rng(1).bytes(30_000),
    "Zoë 3.mp4": b"three",
    "notes.txt": b"one\r\ntwo\r\n",
    "empty": b"",
}


@pytest.fixture(scope="module")
def repository(s3: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository with a pushed folder `faces`, and a folder `plain` that nobody tracks."""
    patch = pytest.MonkeyPatch()
    environment(patch, s3)
    folder = make_repository(tmp_path_factory.mktemp("repository"), s3)
    write_files(folder / "faces", FILES)
    write_files(folder / "plain", FILES)
    command(folder, "dvc", "add", "-q", "faces")
    command(folder, "git", "add", "-A", "--", ".", ":!plain")
    command(folder, "git", "commit", "-qm", "Faces")
    command(folder, "dvc", "push", "-q")
    yield folder
    patch.undo()


def recorded(repository: Path) -> str:
    return (repository / "faces.dvc").read_text().partition("md5: ")[2].split()[0]


def said(repository: Path, kind: type[ReenactError], videos: str = "faces", **more: object) -> str:
    with pytest.raises(kind) as caught:
        versioned_videos(videos, repo=repository, **more)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_tracked_folder_becomes_an_address_by_which_its_files_come(repository: Path, tmp_path: Path) -> None:
    address = versioned_videos("faces", repo=repository)
    assert address == f"dvc+s3://bucket/dvc?md5={recorded(repository)}"
    assert data_hash(address) == recorded(repository).removesuffix(".dir")
    came = materialise(address, SourceSettings(cache=str(tmp_path))).folder
    assert {path.relative_to(came).as_posix() for path in came.rglob("*") if path.is_file()} == set(FILES)


@pytest.mark.parametrize("videos", ["", "out/rendered", "s3://bucket/faces", "dvc://repo?path=x", "dvc+s3://b/p?md5=x"])
def test_addresses_and_rendered_clips_stay_as_they_are(videos: str, tmp_path: Path) -> None:
    assert versioned_videos(videos, repo=tmp_path) == videos


def test_what_has_no_version_is_said_with_what_to_do(repository: Path, tmp_path: Path) -> None:
    assert "Run dvc add plain and dvc push" in said(repository, BadInput, "plain")
    assert "is a part of it" in said(repository, BadInput, "faces/ana")
    write_files(tmp_path / "faces", {"a": b"a"})
    assert "no DVC repository" in said(tmp_path, BadInput)
    assert "no such folder" in said(repository, BadInput, "fases")


def test_a_store_that_refuses_our_keys_is_not_one_that_has_nothing(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-key")
    assert versioned_videos("faces", repo=repository).endswith(recorded(repository))
    assert "can't be seen from here" in capsys.readouterr().err


def test_a_changed_folder_or_record_is_refused_unless_told(repository: Path) -> None:
    committed = versioned_videos("faces", repo=repository)
    kept = (repository / "faces.dvc").read_text()
    (repository / "faces" / "new.mp4").write_bytes(b"new")
    changed = said(repository, SettingsError)
    assert "is not what faces.dvc recorded" in changed
    assert "--dirty" in changed
    assert versioned_videos("faces", repo=repository, allow_dirty=True) == committed
    command(repository, "dvc", "add", "-q", "faces")
    assert "not committed" in said(repository, SettingsError)
    # The record of what was never pushed leads nowhere.
    assert "Run dvc push" in said(repository, StorageError, allow_dirty=True)
    (repository / "faces" / "new.mp4").unlink()
    command(repository, "dvc", "add", "-q", "faces")
    (repository / "faces.dvc").write_text(kept)


def test_who_has_only_the_record_can_submit_too(repository: Path, tmp_path: Path) -> None:
    command(tmp_path, "git", "clone", "-q", str(repository), "clone")
    assert versioned_videos("faces", repo=tmp_path / "clone") == versioned_videos("faces", repo=repository)


@pytest.mark.slow
def test_a_remote_that_is_not_on_s3_is_a_sentence(repository: Path, tmp_path: Path) -> None:
    command(repository, "dvc", "remote", "add", "-q", "--local", "disk", str(tmp_path))
    assert "is not on S3" in said(repository, SettingsError, remote="disk")
    assert "no DVC remote" in said(repository, SettingsError, remote="none")
    (repository / ".dvc" / "config.local").unlink()


def test_a_folder_hashes_as_dvc_hashes_it(repository: Path) -> None:
    objects = folder_objects(repository / "plain")
    assert objects.md5 == recorded(repository)
    facts = dict(
        line.strip().split(": ") for line in (repository / "faces.dvc").read_text().splitlines()[1:] if ": " in line
    )
    assert (str(objects.size), str(objects.nfiles)) == (facts["size"], facts["nfiles"])


def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dvc_objects, "_WAIT", 0.05)


def test_what_we_push_is_what_dvc_pulls(
    repository: Path, s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = folder_objects(repository / "plain")
    assert push_objects(objects, "s3://bucket/ours", S3Settings()) == len(set(FILES.values())) + 1
    assert push_objects(objects, "s3://bucket/ours", S3Settings()) == 0
    ours, theirs = Path(s3["folder"], "ours"), Path(s3["folder"], "dvc")
    assert {path.relative_to(ours): path.read_bytes() for path in ours.rglob("*") if path.is_file()} == {
        path.relative_to(theirs): path.read_bytes() for path in theirs.rglob("*") if path.is_file()
    }
    clone = make_repository(tmp_path / "clone", s3, prefix="ours")
    shutil.copy(repository / "faces.dvc", clone)
    command(clone, "dvc", "pull", "-q")
    assert (clone / "faces" / "ana" / "1.mp4").read_bytes() == FILES["ana/1.mp4"]
    assert "up to date" in command(clone, "dvc", "status")


def test_a_busy_server_and_a_cut_upload_are_tried_again(
    repository: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast(monkeypatch)
    port = int(s3["AWS_ENDPOINT_URL_S3"].rpartition(":")[2])
    objects = folder_objects(repository / "plain")
    door = Busy(port, refuse=5)
    assert push_objects(objects, "s3://bucket/busy", S3Settings(endpoint=door.endpoint)) == 6
    door.close()
    assert door.refused == 5
    wire = Wire(port)
    wire.cut_sent_at = 1_000_000
    assert push_objects(objects, "s3://bucket/cut", S3Settings(endpoint=f"http://127.0.0.1:{wire.port}")) == 6
    wire.close()
    assert wire.cut_sent_at > 1_000_000
    for name in ("busy", "cut"):
        assert materialise(
            f"dvc+s3://bucket/{name}?md5={objects.md5}", SourceSettings(cache=str(repository.parent / name))
        ).folder


def test_a_half_object_is_brought_again(repository: Path, s3: dict[str, str]) -> None:
    objects = folder_objects(repository / "plain")
    push_objects(objects, "s3://bucket/half", S3Settings())
    md5, path = objects.files[1]
    half = Path(s3["folder"], "half/files/md5", md5[:2], md5[2:])
    half.write_bytes(path.read_bytes()[:-7])
    time.sleep(0.05)  # the server looks at the folder anew
    assert push_objects(objects, "s3://bucket/half", S3Settings()) == 1
    assert half.read_bytes() == path.read_bytes()


def test_what_refuses_a_push_is_one_sentence_without_secrets(
    repository: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast(monkeypatch)
    objects = folder_objects(repository / "plain" / "ana")
    door = Busy(int(s3["AWS_ENDPOINT_URL_S3"].rpartition(":")[2]), refuse=1000)
    with pytest.raises(StorageError, match="in 2 attempts"):
        push_objects(objects, "s3://bucket/x", S3Settings(endpoint=door.endpoint, attempts=2))
    door.close()
    with pytest.raises(StorageError, match=r"no bucket \"none\".*cluster.data_remote"):
        push_objects(objects, "s3://none/x", S3Settings())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrongsecret99999")
    with pytest.raises(StorageError, match="does not accept the AWS credentials") as caught:
        push_objects(objects, "s3://bucket/x", S3Settings())
    assert "wrongsecret99999" not in str(caught.value)
