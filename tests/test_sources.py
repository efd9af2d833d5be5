"""Folders, archives, a real S3 server and real DVC repositories as sources: whole, checked, and never twice."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reenact.corpus.sources.materialise import Material, SourceSettings, materialise, version_of
from reenact.corpus.sources.names import problem_with
from reenact.corpus.sources.s3 import of_parts
from reenact.errors import BadInput, ReenactError, SettingsError, StorageError
from reenact.hashing import hash_file
from s3_server import Wire, free_port, s3

__all__ = ["s3"]
BIG = 24 << 20


def settings(tmp_path: Path, **changes: object) -> SourceSettings:
    return SourceSettings.parse({"cache": str(tmp_path / "cache"), **changes}, where="fetch_data")


def contents(material: Material) -> dict[str, bytes]:
    folder = material.folder
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() or path.is_symlink()}


# Folders and archives


def test_a_folder_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    before = version_of(str(tmp_path / "in"), settings(tmp_path))
    assert materialise(str(tmp_path / "in"), settings(tmp_path)).folder == tmp_path / "in"
    (tmp_path / "in" / "new.mp4").write_bytes(b"1")
    assert version_of(str(tmp_path / "in"), settings(tmp_path)) != before


def test_what_is_neither_folder_nor_archive_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"1")
    for source, said in (
        (f"{tmp_path}/a.mp4", "neither a folder nor an archive"),
        (f"{tmp_path}/none", "no such folder"),
        ("http://host/a.zip", "known are a folder"),
        ("s3:///prefix", "s3://bucket/prefix"),
        ("dvc://repo?path=x&revision=1", 'unknown part revision; did you mean "rev"'),
        ("dvc://repo", "not of the form dvc://"),
    ):
        with pytest.raises(ReenactError, match=said):
            materialise(source, settings(tmp_path))


def write_tar(path: Path, *members: tuple[str, bytes], links: tuple[tuple[str, str, bytes], ...] = ()) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target, kind in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return path


def write_zip(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive_is_unpacked_once(tmp_path: Path, name: str) -> None:
    members = (("ana/1.mp4", b"one"), ("bo/2.mp4", b"two"))
    path = (write_zip if name == "a.zip" else write_tar)(tmp_path / name, *members)
    first = materialise(str(path), settings(tmp_path))
    assert contents(first) == dict(members)
    written = (first.folder / "ana/1.mp4").stat().st_ctime_ns
    again = materialise(str(path), settings(tmp_path))
    assert again == first
    assert (again.folder / "ana/1.mp4").stat().st_ctime_ns == written
    path.unlink()
    (write_zip if name == "a.zip" else write_tar)(path, ("ana/1.mp4", b"changed"))
    assert contents(materialise(str(path), settings(tmp_path))) == {"ana/1.mp4": b"changed"}


TRICKS = ("/abs.mp4", "../up.mp4", "a/../../up.mp4", "a//b.mp4", "C:/x.mp4", "bell\x07.mp4", "n" * 300 + ".mp4", "..")


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_path_tricks_are_left_out_with_a_sentence_each(tmp_path: Path, name: str) -> None:
    before = files_below(tmp_path)
    members = [(trick, b"evil") for trick in TRICKS] + [("good.mp4", b"good")]
    path = (write_zip if name == "a.zip" else write_tar)(tmp_path / name, *members)
    material = materialise(str(path), settings(tmp_path))
    assert contents(material) == {"good.mp4": b"good"}
    assert len(material.skipped) == len(TRICKS)
    assert all("is left out: a" in one.reason and one.reason.startswith(f"{name}: member") for one in material.skipped)
    outside = {one for one in files_below(tmp_path) - before if not one.is_relative_to(tmp_path / "cache")}
    assert outside == {path}
    assert not Path("/abs.mp4").exists()
    assert materialise(str(path), settings(tmp_path)).skipped == material.skipped


def test_links_and_devices_in_a_tar_are_left_out(tmp_path: Path) -> None:
    links = (
        ("out", "/etc", tarfile.SYMTYPE), ("hard.mp4", "../../x", tarfile.LNKTYPE),
        ("null.mp4", "", tarfile.CHRTYPE), ("pipe.mp4", "", tarfile.FIFOTYPE),
    )  # fmt: skip
    material = materialise(str(write_tar(tmp_path / "a.tar", ("good.mp4", b"1"), links=links)), settings(tmp_path))
    assert contents(material) == {"good.mp4": b"1"}
    assert [one.file for one in material.skipped] == ["out", "hard.mp4", "null.mp4", "pipe.mp4"]


def test_a_link_in_a_zip_is_left_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
        archive.writestr("link/passwd.mp4", b"1")
    material = materialise(str(tmp_path / "a.zip"), settings(tmp_path))
    assert contents(material) == {"link/passwd.mp4": b"1"}
    assert not (material.folder / "link").is_symlink()


def test_an_archive_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    bomb = write_zip(tmp_path / "a.zip", ("big.mp4", bytes(80 << 20)))
    for path in (bomb, write_tar(tmp_path / "a.tar.gz", ("big.mp4", bytes(80 << 20)))):
        with pytest.raises(BadInput, match=r"unpacks to more than 67 MB.*max_ratio"):
            materialise(str(path), settings(tmp_path))
    assert not files_below(tmp_path / "cache" / "versions")
    with pytest.raises(BadInput, match=r"more than 2 members.*max_members"):
        materialise(
            str(write_zip(tmp_path / "m.zip", *((f"{n}.mp4", b"") for n in range(3)))),
            settings(tmp_path, archive={"max_members": 2}),
        )


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.7z"])
def test_a_damaged_archive_is_a_sentence(tmp_path: Path, name: str) -> None:
    data = np.random.default_rng(0).bytes(50_000)
    path = (write_zip if name == "a.zip" else write_tar)(tmp_path / name, ("a.mp4", data), ("b.mp4", data))
    for change in (path.read_bytes()[:60_000], b"", b"noise" * 100):
        path.write_bytes(change)
        with pytest.raises(BadInput, match=r"damaged, cut off|not unpacked here"):
            materialise(str(path), settings(tmp_path))


def test_a_damaged_member_of_a_zip_costs_only_itself(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(5000)
    path = write_zip(tmp_path / "a.zip", ("bad.mp4", data), ("good.mp4", b"good"))
    damaged = bytearray(path.read_bytes())
    damaged[2000] ^= 255
    path.write_bytes(damaged)
    material = materialise(str(path), settings(tmp_path))
    assert contents(material) == {"good.mp4": b"good"}
    assert "member bad.mp4 is left out: damaged" in material.skipped[0].reason


def test_names_are_judged_as_paths() -> None:
    assert [problem_with(name) for name in ("a/b.mp4", "-a.mp4", "ünï.mp4", "a b.mp4")] == [""] * 4
    assert "UTF-8" in problem_with(os.fsdecode(b"\xff.mp4"))


# S3


@pytest.fixture
def bucket(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the server's bucket, emptied, with the environment set to it."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    folder = Path(s3["folder"])
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    folder.mkdir()
    return folder


@pytest.fixture
def wire(s3: dict[str, str]) -> Iterator[Wire]:
    line = Wire(int(s3["AWS_ENDPOINT_URL_S3"].rpartition(":")[2]))
    yield line
    line.close()


def through(wire: Wire, tmp_path: Path, **changes: object) -> SourceSettings:
    return settings(tmp_path, s3={"endpoint": f"http://127.0.0.1:{wire.port}", **changes})


def noise(path: Path, size: int, seed: int = 0) -> bytes:
    data = np.random.default_rng(seed).bytes(size)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    time.sleep(0.03)  # the server looks at the folder anew
    return data


def test_a_prefix_becomes_a_folder_and_a_second_run_downloads_nothing(bucket: Path, wire: Wire, tmp_path: Path) -> None:
    expected = {f"p{n}/{n}.mp4": noise(bucket / f"faces/p{n}/{n}.mp4", 100_000, n) for n in range(12)}
    expected["empty.mp4"] = noise(bucket / "faces/empty.mp4", 0)
    noise(bucket / "faces2/other.mp4", 10)
    told = through(wire, tmp_path)
    first = materialise("s3://bucket/faces", told)
    assert contents(first) == expected
    passed = wire.passed
    assert materialise("s3://bucket/faces/", told) == first
    assert wire.passed - passed < 20_000
    # What is added or changed is brought, and nothing else; the older version stays as it was.
    expected["p1/1.mp4"] = noise(bucket / "faces/p1/1.mp4", 100_000, 99)
    passed, before = wire.passed, version_of("s3://bucket/faces", told)
    second = materialise("s3://bucket/faces", told)
    assert second.version == before != first.version
    assert contents(second) == expected
    assert wire.passed - passed < 150_000
    assert contents(first) != expected


def test_an_archive_in_a_bucket_is_unpacked(bucket: Path, tmp_path: Path) -> None:
    write_zip(bucket / "sets.zip", ("ana/1.mp4", b"one"))
    assert contents(materialise("s3://bucket/sets.zip", settings(tmp_path))) == {"ana/1.mp4": b"one"}


def test_a_cut_connection_is_continued_where_it_stopped(bucket: Path, wire: Wire, tmp_path: Path) -> None:
    data = noise(bucket / "a/big.mp4", BIG)
    wire.cut_at = BIG // 2
    assert contents(materialise("s3://bucket/a", through(wire, tmp_path))) == {"big.mp4": data}
    assert wire.passed < 1.2 * BIG


def killed_in_the_middle(wire: Wire, tmp_path: Path, source: str) -> Path:
    """Fetch in another process, kill -9 at half of the bytes; returns the `.part`."""
    wire.hold_at = BIG // 2
    code = (
        "import sys; from reenact.corpus.sources.materialise import *\n"
        "told = {'cache': sys.argv[2], 's3': {'endpoint': sys.argv[3]}}\n"
        "materialise(sys.argv[1], SourceSettings.parse(told, where=''))"
    )
    endpoint = f"http://127.0.0.1:{wire.port}"
    child = subprocess.Popen([sys.executable, "-c", code, source, str(tmp_path / "cache"), endpoint])
    parts: list[Path] = []
    deadline = time.monotonic() + 60
    while not parts or parts[0].stat().st_size < BIG // 4:
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.02)
        parts = list((tmp_path / "cache" / "objects").glob("*.part"))
    child.send_signal(signal.SIGKILL)
    child.wait()
    wire.hold_at = 1 << 60
    return parts[0]


def test_killed_in_the_middle_it_continues(bucket: Path, wire: Wire, tmp_path: Path) -> None:
    data = noise(bucket / "a/big.mp4", BIG)
    part = killed_in_the_middle(wire, tmp_path, "s3://bucket/a")
    have, passed = part.stat().st_size, wire.passed
    material = materialise("s3://bucket/a", through(wire, tmp_path))
    assert contents(material) == {"big.mp4": data}
    assert wire.passed - passed < BIG - have + (1 << 20)
    manifest = (tmp_path / "cache" / "versions" / f"{material.version}.json").read_text()
    assert hash_file(bucket / "a/big.mp4") in manifest
    assert "secretkey12345" not in manifest


@pytest.mark.slow
def test_a_damaged_part_is_noticed_and_brought_again(bucket: Path, wire: Wire, tmp_path: Path) -> None:
    data = noise(bucket / "a/big.mp4", BIG)
    part = killed_in_the_middle(wire, tmp_path, "s3://bucket/a")
    with part.open("r+b") as stream:
        stream.write(b"damaged")
    assert contents(materialise("s3://bucket/a", through(wire, tmp_path))) == {"big.mp4": data}


@pytest.mark.slow
def test_an_object_changed_between_two_runs_is_brought_whole(bucket: Path, wire: Wire, tmp_path: Path) -> None:
    noise(bucket / "a/big.mp4", BIG)
    killed_in_the_middle(wire, tmp_path, "s3://bucket/a")
    data = noise(bucket / "a/big.mp4", BIG, seed=5)
    assert contents(materialise("s3://bucket/a", through(wire, tmp_path))) == {"big.mp4": data}


def test_an_object_changed_after_it_was_listed_is_listed_again(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reenact.corpus.sources.s3 import Bucket

    noise(bucket / "a/x.mp4", 5000)
    bring, changed = Bucket.bring, []

    def late(self: Bucket, *given: object) -> None:
        if not changed:
            changed.append(noise(bucket / "a/x.mp4", 5000, seed=7))
        bring(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Bucket, "bring", late)
    assert contents(materialise("s3://bucket/a", settings(tmp_path))) == {"x.mp4": changed[0]}


def test_what_a_bucket_can_refuse_is_one_sentence_without_secrets(
    bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise(bucket / "a/x.mp4", 10)

    def said(source: str = "s3://bucket/a", **changes: object) -> str:
        with pytest.raises(StorageError) as caught:
            materialise(source, settings(tmp_path, s3=changes))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "nothing lies under this prefix" in said("s3://bucket/none")
    assert 'no bucket "missing"' in said("s3://missing/a")
    assert "can't be reached" in said(endpoint=f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrongsecret99999")
    assert "does not accept the AWS credentials" in (wrong := said())
    assert "wrongsecret99999" not in wrong
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert "no AWS credentials" in said()


def test_the_etag_of_an_upload_in_parts_is_md5_of_md5s(tmp_path: Path) -> None:
    import hashlib

    data = noise(tmp_path / "x", 25)
    whole = hashlib.md5(b"".join(hashlib.md5(data[at : at + 10]).digest() for at in (0, 10, 20))).hexdigest()
    assert of_parts(tmp_path / "x", 10) == f"{whole}-3"


# DVC


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git repository with a folder that DVC tracks, in two revisions, and one file in Git itself."""
    folder = tmp_path_factory.mktemp("dvc") / "repo"
    folder.mkdir()
    run = {"cwd": folder, "check": True, "capture_output": True}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}

    def call(*command: str) -> None:
        subprocess.run(command, env=env, **run)  # type: ignore[call-overload]

    call("git", "init", "-q")
    call("git", "config", "user.email", "nobody@localhost")
    call("git", "config", "user.name", "nobody")
    call("dvc", "init", "-q")
    with (folder / ".dvc/config").open("a") as config:
        config.write(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {folder.parent}/store\n")
    for number in (1, 2):
        (folder / "videos/ana").mkdir(parents=True, exist_ok=True)
        (folder / "videos/ana/1.mp4").write_text(f"version {number}")
        (folder / "videos/same.mp4").write_text("same")
        call("dvc", "add", "-q", "videos")
        call("git", "add", "-A")
        call("git", "commit", "-qm", str(number))
        call("git", "tag", f"v{number}")
    call("dvc", "push", "-q", "--all-tags")
    return folder


def test_a_folder_of_dvc_at_two_revisions(repository: Path, tmp_path: Path) -> None:
    told = settings(tmp_path)
    old = materialise(f"dvc://{repository}?rev=v1&path=videos", told)
    assert contents(old) == {"ana/1.mp4": b"version 1", "same.mp4": b"same"}
    new = materialise(f"dvc://{repository}?path=videos", told)
    assert contents(new) == {"ana/1.mp4": b"version 2", "same.mp4": b"same"}
    assert new.version != old.version
    assert len(list((tmp_path / "cache/objects").glob("*.sha256"))) == 3
    # Whole in the cache: the second run needs the listing only.
    kept = {path: path.stat().st_ctime_ns for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert materialise(f"dvc://{repository}?rev=v2&path=videos", told) == new
    assert version_of(f"dvc://{repository}?rev=v2&path=videos", told) == new.version
    assert {path: path.stat().st_ctime_ns for path in kept} == kept


@pytest.mark.slow
def test_a_clone_without_a_cache_takes_files_from_its_remote(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    material = materialise(f"dvc://{clone}?rev=v1&path=videos", settings(tmp_path))
    assert contents(material)["ana/1.mp4"] == b"version 1"


@pytest.mark.slow
def test_what_dvc_can_refuse_is_one_sentence(repository: Path, tmp_path: Path) -> None:
    for source, words in (
        (f"dvc://{repository}?rev=nope&path=videos", 'no revision "nope"'),
        (f"dvc://{repository}?path=nope", '"nope" is not there'),
        (f"dvc://{repository}?path=videos&remote=nope", "no DVC remote"),
        ("dvc://https://me:geheim123@127.0.0.1:9/x.git?path=videos", r"can't be cloned"),
    ):
        with pytest.raises(StorageError, match=words) as caught:
            materialise(source, settings(tmp_path))
        assert "\n" not in str(caught.value)
        assert "geheim" not in str(caught.value)


@pytest.mark.slow
def test_a_file_damaged_in_the_remote_is_a_sentence(repository: Path, tmp_path: Path) -> None:
    clone, store = tmp_path / "clone", tmp_path / "store"
    subprocess.run(["git", "clone", "-q", str(repository), str(clone)], check=True)
    subprocess.run(["cp", "-r", str(repository.parent / "store"), str(store)], check=True)
    (clone / ".dvc/config.local").write_text(f"['remote \"store\"']\n    url = {store}\n")
    (damaged,) = [path for path in store.rglob("*") if path.is_file() and path.read_bytes() == b"version 1"]
    damaged.chmod(0o644)
    damaged.write_bytes(b"version X")
    with pytest.raises((StorageError, SettingsError), match=r"damaged|never pushed"):
        materialise(f"dvc://{clone}?rev=v1&path=videos", settings(tmp_path))


# A file that names a source


def test_a_small_file_names_a_source_and_holds_it_to_a_version(tmp_path: Path) -> None:
    from reenact.corpus.sources.pointer import write_version

    archive, pointer = write_zip(tmp_path / "a.zip", ("ana/1.mp4", b"one")), tmp_path / "faces.yaml"
    pointer.write_text(f"# our faces\nsource: {archive}\n")
    told = settings(tmp_path)
    first = materialise(str(pointer), told)
    assert contents(first) == {"ana/1.mp4": b"one"}
    write_version(pointer, version_of(str(pointer), told))
    assert materialise(str(pointer), told) == first
    assert pointer.read_text().startswith("# our faces\nsource: ")
    archive.unlink()
    write_zip(archive, ("ana/1.mp4", b"changed"))
    with pytest.raises(StorageError, match=r"has changed since its version was noted.*reenact data pin"):
        materialise(str(pointer), told)
    write_version(pointer, version_of(str(pointer), told))
    assert contents(materialise(str(pointer), told)) == {"ana/1.mp4": b"changed"}


def test_a_file_that_names_no_source_is_a_sentence(tmp_path: Path) -> None:
    for text, said in (
        ("a: [", "not YAML"), ("just words", "expected a line"), ("sourc: x", 'mean "source" by "sourc"'),
        ("source: b.yaml", "such a file again"),
    ):  # fmt: skip
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(SettingsError, match=said):
            materialise(str(tmp_path / "a.yaml"), settings(tmp_path))


def test_the_stage_takes_an_archive_and_tells_what_was_left_out(tmp_path: Path) -> None:
    from reenact.corpus.tables import read_table
    from reenact.stages.fetch_data import FetchDataSettings, fetch_data

    archive = write_zip(tmp_path / "a.zip", ("ana/1.mp4", b"one"), ("../2.mp4", b"two"))
    result = fetch_data(
        videos=str(archive), out=tmp_path / "videos", settings=FetchDataSettings(cache=str(tmp_path / "cache"))
    )
    assert result.counts["clips"] == 1
    quarantine = read_table(tmp_path / "videos/quarantine.parquet", kind="quarantine")
    assert "leads out of the folder" in quarantine["reason"].item()
    assert read_table(tmp_path / "videos/clips.parquet", kind="videos")["identity"].item() == "ana"


def test_another_yaml_file_is_no_pointer_and_is_told_so_in_one_line(tmp_path: Path) -> None:
    other = tmp_path / "params.yaml"
    other.write_text("profile: demo\nfetch_data: {videos: x}\n")
    with pytest.raises(SettingsError, match=r"params\.yaml: expected a line like `source: ") as caught:
        materialise(str(other), SourceSettings(cache=str(tmp_path / "cache")))
    assert "\n" not in str(caught.value)
