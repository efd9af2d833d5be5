"""Two hundred bad files: no crash, no hang, nothing written elsewhere, and a sentence for each."""

import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bad_files import BadFile, write_bad_files
from face_videos import square_faces, walk
from reenact.config import Runtime
from reenact.corpus.annotations import read_pts
from reenact.corpus.containers import flaws
from reenact.corpus.sources.materialise import SourceSettings, materialise
from reenact.corpus.tables import read_table
from reenact.corpus.video import open_video
from reenact.errors import BadInput
from reenact.labelling import action_labels, landmark_labels
from reenact.labelling.clip_frames import ClipFrames
from reenact.stages.extract_frames import ExtractFramesSettings, extract_frames
from reenact.stages.fetch_data import FetchDataSettings, fetch_data
from reenact.stages.render_clips import RenderClipsSettings, render_clips

__all__ = ["square_faces"]
FRAMES = 16


def extract(videos: Path, out: Path, workers: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clips and quarantine, of both stages together."""
    fetch_data(videos=videos, out=out / "videos", settings=FetchDataSettings())
    settings = ExtractFramesSettings(size=64, patience=30.0)
    extract_frames(videos=out / "videos", out=out / "frames", settings=settings, runtime=Runtime(workers=workers))
    notes = [read_table(out / name / "quarantine.parquet", kind="quarantine") for name in ("videos", "frames")]
    return read_table(out / "frames" / "clips.parquet", kind="clips"), pd.concat(notes)


def check_videos(bad: list[BadFile], clips: pd.DataFrame, quarantine: pd.DataFrame) -> None:
    """Each file is told of, or is a whole clip in spite of its flaw; sentences name the file as its owner does."""
    assert "good" in set(clips["clip"])
    assert "good" not in set(quarantine["clip"])
    refused = set(quarantine["clip"]) - set(clips["clip"])
    for one in bad:
        notes = quarantine[quarantine["clip"].str.startswith(one.path.stem[:60])]
        if notes.empty:
            whole = clips[clips["clip"].str.startswith(one.path.stem)]
            assert one.usable, f"{one} is not told of"
            assert len(whole), f"{one} vanished"
            assert whole["count"].iloc[0] >= FRAMES - 3, f"{one} lost frames in silence"
        elif not one.usable:
            assert set(notes["clip"]) & refused, f"{one} is used"
    for row in quarantine.itertuples():
        assert row.reason.startswith(f"{row.file}: "), row.reason
        assert row.reason.rstrip().endswith("."), row.reason
        assert "Traceback" not in row.reason
        assert "\n" not in row.reason


def check_archives(bad: list[BadFile], out: Path) -> None:
    """Refused as a whole, or without the members that are tricks."""
    for one in bad:
        if one.path.parent.name != "archives":
            continue
        cache = out / one.path.name
        if one.kind in ("bomb", "damaged"):
            with pytest.raises(BadInput, match=rf"{one.path.name}: .+\.$"):
                materialise(str(one.path), SourceSettings(), cache)
        else:
            material = materialise(str(one.path), SourceSettings(), cache)
            assert material.skipped, f"{one} is not told of"
            assert not [path for path in material.folder.rglob("*") if path.is_file() or path.is_symlink()]


def check_labels(bad: list[BadFile], out: Path) -> None:
    """Refused in a sentence, each by its reader; of a table that is partly sound the other rows are used."""
    for one in bad:
        if one.path.suffix == ".pts":
            with pytest.raises(BadInput, match=rf"{one.path.name}: .+\.$"):
                read_pts(one.path)
        elif one.path.suffix == ".csv":
            clip = clip_beside(one.path, out)
            (points,) = landmark_labels.from_openface([clip], least_confidence=0.8)
            (units,) = action_labels.from_openface([clip], least_confidence=0.8)
            assert np.isfinite(points.landmarks).all()
            assert np.isfinite(units.actions).all()
            for labels, known in ((points, points.found), (units, units.valid)):
                if one.usable and not labels.problem:
                    # What stands in the file, never a guess: rows with a word for a number or no frame are left out.
                    assert known.sum() == {"words": 4, "frames": 3, "wide": 1}.get(one.path.stem, 0), (one, known)
                else:
                    assert re.search(rf"{one.path.stem}.openface.csv: .+\.$", labels.problem), (one, labels.problem)
                    assert not known.any()


def clip_beside(path: Path, videos: Path) -> ClipFrames:
    """Five frames of a clip whose OpenFace file this is; the face fills the crop."""
    table = pd.DataFrame({"frame": range(5), "crop_x": 0.0, "crop_y": 0.0, "crop_side": 200.0})
    table = table.assign(box_x0=0.0, box_y0=0.0, box_x1=1.0, box_y1=1.0)
    videos.mkdir(exist_ok=True)
    shutil.copy(path, videos / f"{path.stem}.openface.csv")
    pictures = np.zeros((5, 8, 8, 3), dtype=np.uint8)
    row = {"annotation": f"{path.stem}.openface.csv"}
    return ClipFrames(clip="clip", fps=25.0, start=0, table=table, reader=pictures, videos=videos, row=row)


def names_below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def of(bad: list[BadFile], folder: str) -> list[BadFile]:
    return [one for one in bad if one.path.parent.name == folder]


@pytest.mark.usefixtures("square_faces")
def test_a_tenth_of_the_bad_files_in_seconds(tmp_path: Path) -> None:
    bad = write_bad_files(tmp_path / "in", walk(FRAMES))
    chosen = of(bad, "videos")[::8]
    for one in of(bad, "videos"):
        if one not in chosen:
            one.path.unlink()
    check_videos(chosen, *extract(tmp_path / "in" / "videos", tmp_path / "out", workers=1))
    check_archives(bad[-12:], tmp_path / "cache")
    check_labels(bad, tmp_path / "cache")


@pytest.mark.usefixtures("square_faces")
def test_odd_names_are_clips_under_other_names_or_told_of(tmp_path: Path) -> None:
    bad = of(write_bad_files(tmp_path / "in", walk(FRAMES)), "names")
    names = tmp_path / "in" / "names"
    good = (names / "good.mp4").read_bytes()
    twins = ("-dash.mp4", "Case.mp4", "case.mp4", "two.mp4", "two.mov")
    for name in twins:
        (names / name).write_bytes(good)
    clips, quarantine = extract(names, tmp_path / "out", workers=1)
    assert len(clips) == 1 + len(twins) + sum(one.kind == "name" for one in bad)
    assert len({clip.lower() for clip in clips["clip"]}) == len(clips) == clips["identity"].nunique()
    assert all(clip.isprintable() and not clip.startswith("-") for clip in clips["clip"])
    with open_video(next(names.glob("latin*"))) as video:
        assert sum(1 for _ in video) == FRAMES
    told = " ".join(quarantine["reason"])
    assert [one.path.name for one in bad if one.kind == "no file" and one.path.name not in told] == []
    assert len(quarantine) == len(bad) - 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_200_bad_files(tmp_path: Path) -> None:
    settings = RenderClipsSettings(identities=1, frames=FRAMES, size=192, yaw=10.0)
    render_clips(out=tmp_path / "good", settings=settings, runtime=Runtime(workers=1))
    with open_video(next((tmp_path / "good").glob("*.mp4"))) as video:
        bad = write_bad_files(tmp_path / "in", list(video))
    assert len({one.path for one in bad}) == 200
    before, start = names_below(tmp_path), time.monotonic()
    check_videos(of(bad, "videos"), *extract(tmp_path / "in" / "videos", tmp_path / "out", workers=2))
    check_archives(bad, tmp_path / "cache")
    check_labels(bad, tmp_path / "cache")
    assert time.monotonic() - start < 300
    new = {path.relative_to(tmp_path).parts[0] for path in names_below(tmp_path) - before}
    assert new == {"out", "cache"}
    assert not Path("/tmp/reenact-out.mp4").exists()


def test_a_sound_container_has_no_flaws(tmp_path: Path) -> None:
    from bad_files import CONTAINERS, encoded

    for suffix, fourcc in CONTAINERS:
        path = tmp_path / f"good.{suffix}"
        path.write_bytes(encoded(path, walk(FRAMES), fourcc))
        assert flaws(path) == [], suffix
        # Packets of what was recorded off the air may end anywhere but in the middle.
        path.write_bytes(path.read_bytes()[:-100])
        assert flaws(path), suffix
