"""The stage `label_segments`: every backend on a small corpus, made only where somebody asks for it."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from onnx_files import onnx_bytes
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.shards import frame_writer, read_array, read_stage, write_array, write_rows, write_stage
from reenact.corpus.tables import write_table
from reenact.errors import BadInput, ReenactError, SettingsError
from reenact.evaluation.data_facts import quality_records
from reenact.faces.shape_model import shape_model
from reenact.hashing import hash_file
from reenact.labelling.label_quality import label_quality
from reenact.labelling.segments.masks import crop_mask
from reenact.labelling.segments.measure import segment_overlap
from reenact.params import parse, read_raw
from reenact.stages.label_segments import LabelSegmentsSettings, label_segments
from reenact.stages.result import StageResult
from reenact.steps import arguments
from reenact.systems import catalogue

ROOT = Path(__file__).parent.parent
WIDTH, HEIGHT, SIZE = 160, 120, 64  # of the videos; of the stored crops
CROP = (30.0, -10.0, 96.0)  # left, top, side: it reaches beyond the top
FRAMES = {"ana": [0, 2, 4], "ben": [0, 1]}
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Two clips in a shard each; ana is red above and green below, ben the other way round."""
    folders = {name: tmp_path / name for name in ("videos", "frames", "landmarks", "actions")}
    rows = []
    for clip, numbers in FRAMES.items():
        write_clip(folders, clip, numbers)
        size = {"width": WIDTH, "height": HEIGHT, "frames_read": 5}
        row = {"clip": clip, "identity": clip, "video": clip, "file": f"{clip}.mp4", "shard": f"s-{clip}"}
        rows.append({**row, "start": 0, "count": len(numbers), "fps": 25.0, **size})
    write_table(folders["frames"] / "clips.parquet", pd.DataFrame(rows), kind="clips")
    write_table(folders["videos"] / "clips.parquet", pd.DataFrame(rows)[["clip", "file"]], kind="videos")
    shards = {f"s-{clip}": f"s-{clip}" for clip in FRAMES}
    for kind, folder in folders.items():
        write_stage(folder, kind=kind, size=SIZE, shards=shards)
    return folders


def write_clip(folders: dict[str, Path], clip: str, numbers: list[int]) -> None:
    shard, count = f"s-{clip}", len(numbers)
    picture = np.full((SIZE, SIZE, 3), GREEN if clip == "ana" else RED, np.uint8)
    picture[: SIZE // 2] = RED if clip == "ana" else GREEN
    (folders["frames"] / shard).mkdir(parents=True)
    with frame_writer(folders["frames"], shard, codec="raw") as writer:
        writer.extend([picture] * count)
    boxes = {"box_x0": 0.2, "box_y0": 0.2, "box_x1": 0.8, "box_y1": 0.8}
    crop = dict(zip(("crop_x", "crop_y", "crop_side"), CROP, strict=True))
    table = pd.DataFrame({"clip": clip, "frame": numbers, "time": np.array(numbers) / 25, **crop, **boxes})
    write_rows(folders["frames"], shard, table, kind="frames")
    mean = shape_model().mean[:, :2]
    points = (mean - mean.mean(axis=0)) / np.ptp(mean, axis=0).max() * 0.6 + 0.5
    write_array(folders["landmarks"], shard, "landmarks", np.tile(points, (count, 1, 1)).astype(np.float32))
    write_array(folders["landmarks"], shard, "found", np.arange(count) != 1)
    write_rows(folders["actions"], shard, pd.DataFrame({"fit_error": np.zeros(count)}), kind="actions")


def made(folders: dict[str, Path], *, needed: bool = True, **settings: Any) -> StageResult:
    return label_segments(
        frames=folders["frames"], landmarks=folders["landmarks"], out=folders["frames"].parent / "segments",
        settings=LabelSegmentsSettings.parse(settings, where="label_segments"), runtime=Runtime(workers=1),
        needed=needed,
    )  # fmt: skip


def said(folders: dict[str, Path], clip: str) -> np.ndarray:
    return np.asarray(read_array(folders["frames"].parent / "segments", f"s-{clip}", "segments"))


def shards(folders: dict[str, Path]) -> dict[str, str]:
    found: dict[str, str] = read_stage(folders["frames"].parent / "segments", kind="segments")["shards"]
    return found


# On demand


def test_a_stage_that_nobody_needs_is_finished_and_empty(folders: dict[str, Path]) -> None:
    made(folders)
    result = made(folders, needed=False)
    out = folders["frames"].parent / "segments"
    assert [path.name for path in out.iterdir()] == ["stage.json"]
    assert read_stage(out, kind="segments")["made"] is False
    assert "nobody asked" in result.notes[0]
    assert "make: never" in made(folders, needed=False, make="never").notes[0]
    corpus = Corpus(folders["frames"], segments=out)
    with pytest.raises(BadInput, match=r"no segments were made.*label_segments\.make"):
        corpus.segments(corpus.clips[0])
    assert segment_overlap(frames=folders["frames"], segments=out, videos=folders["videos"]) is None


def test_segments_are_told_to_be_needed_where_a_system_learns_from_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(**block: Any) -> dict[str, Any]:
        changes = [f"label_segments.{key}={value}" for key, value in block.items()]
        return arguments(parse(read_raw(ROOT / "params.yaml", overrides=changes)), "label_segments")

    assert [told(make=make)["needed"] for make in ("auto", "always", "never")] == [False, True, False]
    card = catalogue.SYSTEMS["cgan"]
    learns = replace(card, labels=(*card.labels, "segments"))
    monkeypatch.setattr(catalogue, "SYSTEMS", {**catalogue.SYSTEMS, "cgan": learns})
    assert told(make="auto")["needed"] is True
    with pytest.raises(SettingsError, match="never, but cgan learns from segments"):
        told(make="never")


def test_changed_masks_are_new_arguments(tmp_path: Path) -> None:
    def told() -> dict[str, Any]:
        changes = ("make=always", "backend=files", f"masks.folder={tmp_path}")
        params = parse(read_raw(ROOT / "params.yaml", overrides=[f"label_segments.{change}" for change in changes]))
        return arguments(params, "label_segments")

    before = told()
    assert told() == before
    (tmp_path / "ana.png").write_bytes(b"")
    assert told() != before


def test_only_what_a_shard_stands_on_makes_it_anew(folders: dict[str, Path]) -> None:
    assert made(folders).counts["shards_now"] == 2
    before = shards(folders)
    # Neither when it is made nor settings of other backends matter.
    assert made(folders, make="always", onnx={"size": 64}).counts["shards_now"] == 0
    assert shards(folders) == before
    places = {"s-ana": "s-ana", "s-ben": "s-ben-new"}
    (folders["landmarks"] / "s-ben").rename(folders["landmarks"] / "s-ben-new")
    write_stage(folders["landmarks"], kind="landmarks", shards=places)
    assert made(folders).counts["shards_now"] == 1
    assert shards(folders)["s-ana"] == before["s-ana"]
    assert shards(folders)["s-ben"] != before["s-ben"]
    assert made(folders, backend="files", masks={"folder": str(folders["videos"])}).counts["shards_now"] == 2


# By landmarks


def test_hull_gives_the_corpus_a_face_where_the_landmarks_are(folders: dict[str, Path]) -> None:
    made(folders)
    corpus = Corpus(folders["frames"], segments=folders["frames"].parent / "segments")
    segments = corpus.segments(corpus.by_name["ana"])
    assert segments.shape == (3, 128, 128)
    assert segments.dtype == np.uint8
    assert not segments[1].any()  # no landmarks there
    assert (segments[0, 50:78, 50:78] == 1).all()


# By mask files


def test_a_mask_lands_where_it_lies_in_the_video() -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[14:38, 54:78] = 1
    crop = crop_mask(mask, np.array(CROP), (WIDTH, HEIGHT))
    rows, columns = np.nonzero(crop)
    # 54 px is 24 of 96 px into the crop, so a quarter; 14 px is 24 below its top.
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (32, 64, 32, 64)
    assert crop[32:64, 32:64].all()
    twice = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(crop_mask(twice, np.array(CROP), (WIDTH, HEIGHT)), crop)
    full = crop_mask(np.ones_like(mask), np.array(CROP), (WIDTH, HEIGHT))
    assert not full[:13].any()  # beyond the picture
    assert full[14:].all()


def test_masks_are_read_by_frame_number_and_what_lacks_is_said(folders: dict[str, Path], tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    (masks / "ben").mkdir(parents=True)
    numbers = np.array([0, 4])
    np.savez(
        masks / "ana.npz", segments=np.stack([np.full((HEIGHT, WIDTH), 7), np.full((HEIGHT, WIDTH), 9)]), frame=numbers
    )
    cv2.imwrite(str(masks / "ben" / "00001.png"), np.full((HEIGHT, WIDTH), 9, np.uint8))
    settings = {"folder": str(masks), "classes": {"face": [7], "hair": [9]}}
    result = made(folders, backend="files", masks=settings)
    assert [int(one.max()) for one in said(folders, "ana")] == [1, 0, 2]
    assert [int(one.max()) for one in said(folders, "ben")] == [0, 2]
    assert result.notes == ("ana: no mask for 1 of 3 frames", "ben: no mask for 1 of 2 frames")
    before = shards(folders)
    cv2.imwrite(str(masks / "ben" / "00000.png"), np.full((HEIGHT, WIDTH), 7, np.uint8))
    assert made(folders, backend="files", masks=settings).notes == ("ana: no mask for 1 of 3 frames",)
    assert [int(one.max()) for one in said(folders, "ben")] == [1, 2]
    assert shards(folders)["s-ana"] == before["s-ana"]


@pytest.mark.parametrize(
    ("write", "problem"),
    [(lambda path: np.savez(path, segments=np.zeros((2, 4))), "expected whole numbers"),
     (lambda path: np.savez(path, segments=np.full((5, 4, 4), 300)), "300, expected 0 to 255"),
     (lambda path: path.write_bytes(b"PK\x03\x04 torn"), "can't be read as masks"),
     (lambda path: cv2.imwrite(str(path.with_suffix(".png")), np.full((4, 4, 3), 90, np.uint8)), "coloured or deep"),
     (lambda path: path.with_suffix(".png").write_bytes(b"no picture"), "can't be read as a picture")],
)  # fmt: skip
def test_a_mask_that_can_not_be_used_costs_its_clip_alone(
    folders: dict[str, Path], tmp_path: Path, write: Any, problem: str
) -> None:
    (tmp_path / "masks").mkdir()
    write(tmp_path / "masks" / "ana.npz")
    np.savez(tmp_path / "masks" / "ben.npz", segments=np.ones((2, HEIGHT, WIDTH), np.uint8))
    result = made(folders, backend="files", masks={"folder": str(tmp_path / "masks")})
    assert not said(folders, "ana").any()
    assert said(folders, "ben").any()
    assert len(result.notes) == 1
    assert problem in result.notes[0]
    assert "masks/ana." in result.notes[0]


def test_masks_that_are_not_named_are_a_setting(folders: dict[str, Path]) -> None:
    with pytest.raises(SettingsError, match=r"label_segments.masks.folder: name"):
        made(folders, backend="files")


# By a program


def program(tmp_path: Path, body: str) -> dict[str, Any]:
    script = tmp_path / "program.py"
    script.write_text(
        "import json, pathlib, sys\nimport numpy as np\nfolder = pathlib.Path(sys.argv[1])\n"
        "request = json.loads((folder / 'request.json').read_text())\n"
        "count = sum(len(clip['pictures']) for clip in request['clips'])\n" + body
    )
    return {"command": [sys.executable, str(script), "{folder}"]}


def test_a_program_parts_the_pictures_of_every_clip(folders: dict[str, Path], tmp_path: Path) -> None:
    body = """
assert request["label"] == "segments"
segments = np.zeros((count, 64, 64), np.uint8)
segments[:, :32], segments[:, 32:, :32], segments[0, 32:, 32:] = 2, 1, 9
np.savez(folder / "result.npz", segments=segments, about="mine")
"""
    made(folders, backend="external", external=program(tmp_path, body))
    expected = np.zeros((128, 128), np.uint8)
    expected[:64], expected[64:, :64] = 2, 1
    for clip, numbers in FRAMES.items():
        np.testing.assert_array_equal(said(folders, clip), np.tile(expected, (len(numbers), 1, 1)))


def test_a_program_that_answers_nonsense_stops_the_stage(folders: dict[str, Path], tmp_path: Path) -> None:
    body = "np.savez(folder / 'result.npz', segments=np.zeros((1, 2)))\n"
    with pytest.raises(ReenactError, match=r"label_segments.external: .*segments has the shape \(1, 2\)"):
        made(folders, backend="external", external=program(tmp_path, body))
    assert not (folders["frames"].parent / "segments" / "stage.json").exists()
    with pytest.raises(SettingsError, match=r"label_segments.external.command: missing"):
        made(folders, backend="external")


# By a network


@pytest.fixture
def network(tmp_path: Path) -> dict[str, Any]:
    """CelebAMask-HQ's classes by colour: red is hair (17), green is skin (1), blue cloth (16)."""
    weights = np.zeros((19, 3), np.float32)
    weights[17], weights[1], weights[16] = np.eye(3)
    path = tmp_path / "faces.onnx"
    path.write_bytes(onnx_bytes(weights[:, :, None, None]))
    plain = {"mean": [0, 0, 0], "deviation": [1, 1, 1], "size": 32}
    return {"file": str(path), "sha256": hash_file(path), **plain}


def test_a_network_of_the_users_is_read_by_its_class_numbers(folders: dict[str, Path], network: dict[str, Any]) -> None:
    made(folders, backend="onnx", onnx=network)
    for clip, above, below in (("ana", 2, 1), ("ben", 1, 2)):
        segments = said(folders, clip)
        assert (segments[:, :60] == above).all()
        assert (segments[:, 68:] == below).all()
    other = {**network, "classes": {"face": [17], "hair": [16]}}
    made(folders, backend="onnx", onnx=other)
    assert (said(folders, "ana")[:, :60] == 1).all()
    assert not said(folders, "ana")[:, 68:].any()


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"file": ""}, "name the ONNX file"), ({"file": "/nowhere.onnx"}, "no such file"),
     ({"sha256": ""}, "sha256: missing; .* has "), ({"sha256": "0" * 64}, "the settings say 000"),
     ({"classes": {"face": [1], "hair": [1]}}, "class 1 stands under face and under hair"),
     ({"classes": {"face": [1], "hair": [77]}}, "19 classes.*no 77")],
)  # fmt: skip
def test_what_is_wrong_with_a_network_is_said(
    folders: dict[str, Path], network: dict[str, Any], change: Mapping[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        made(folders, backend="onnx", onnx={**network, **change})


def test_a_file_that_is_no_network_is_named(folders: dict[str, Path], network: dict[str, Any]) -> None:
    path = Path(network["file"])
    path.write_bytes(b"weights of something else")
    with pytest.raises(SettingsError, match=r"faces.onnx: OpenCV can't load this network"):
        made(folders, backend="onnx", onnx={**network, "sha256": hash_file(path)})


# Against the truth


def test_overlap_with_the_truth_counts_pixels_of_all_frames(folders: dict[str, Path], tmp_path: Path) -> None:
    true = np.zeros((5, HEIGHT, WIDTH), np.uint8)
    true[:, 14:62, 54:78], true[:, 14:62, 78:102] = 1, 2
    np.savez(folders["videos"] / "ana.truth.npz", segments=true)
    masks = tmp_path / "masks"
    masks.mkdir()
    ours = true.copy()
    ours[:, 14:62, 66:78] = 0  # half of the face is missed
    np.savez(masks / "ana.npz", segments=ours)
    made(folders, backend="files", masks={"folder": str(masks)})
    places = {"frames": folders["frames"], "segments": tmp_path / "segments", "videos": folders["videos"]}
    overlap = segment_overlap(**places)
    assert overlap == {"face": pytest.approx(0.5), "hair": 1.0, "frames": 3}  # ben has no truth
    (folders["videos"] / "ana.truth.npz").write_bytes(b"torn")
    assert segment_overlap(**places) is None


def test_the_report_says_how_good_segments_are(folders: dict[str, Path], tmp_path: Path) -> None:
    truth = {"landmarks": np.zeros((5, 68, 2)), "actions": np.zeros((5, 17)), "pose": np.zeros((5, 3))}
    segments = np.zeros((5, HEIGHT, WIDTH), np.uint8)
    segments[:, 14:62, 54:102] = 1
    np.savez(folders["videos"] / "ana.truth.npz", **truth, visibility=np.ones((5, 68)), segments=segments)
    masks = tmp_path / "masks"
    masks.mkdir()
    np.savez(masks / "ana.npz", segments=segments)
    made(folders, backend="files", masks={"folder": str(masks)})
    quality = label_quality(**folders, segments=tmp_path / "segments")
    assert quality["segments"] == {"face": 1.0, "hair": None, "frames": 3}
    records = [record for record in quality_records(quality) if "intersection" in record["meaning"]]
    assert [(record["label"], record["value"]) for record in records] == [("face", "1.00")]
    assert "segments" not in label_quality(**folders)
