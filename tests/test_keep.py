"""Frames beyond a limit are passed over, counted by reason, and never leave a split empty."""

import numpy as np
import pandas as pd
import pytest

from reenact.corpus.corpus import Corpus
from reenact.corpus.frame_limits import FrameLimits
from reenact.corpus.keep import PassedOver, kept_frames
from reenact.corpus.shards import write_array
from reenact.errors import ValidationFailed
from reenact.stages.validate_data import ValidateDataSettings, validate_data
from reenact.training.keys import data_hash
from test_validation import SETTINGS, Fake, checks_of


def kept(tmp_path, limits, damage=lambda fake: None):
    """A validation with limits on what is used; (folders, corpus as stages open it)."""
    fake = Fake()
    fake.frames["blur"], fake.frames["score"] = np.float32(0.3), np.float32("nan")
    fake.frames.loc[fake.frames["frame"] % 5 == 0, "score"] = 1.0
    damage(fake)
    arguments = fake.write(tmp_path)
    arguments["settings"] = ValidateDataSettings.parse({**SETTINGS.plain(), "keep": limits}, where="validate_data")
    result = validate_data(**arguments)
    corpus = Corpus(arguments["frames"], landmarks=arguments["landmarks"], validated=arguments["out"])
    return result, corpus, arguments["out"]


def test_frames_beyond_a_limit_are_not_used_and_counted_by_reason(tmp_path):
    def damage(fake):
        fake.frames.loc[[3, 4], "blur"] = 0.9
        fake.frames.loc[5, "score"] = -0.4  # and no other look before the clip ends
        fake.actions.loc[[4, 12], "yaw"] = -60.0

    result, corpus, out = kept(tmp_path, {"max_blur": 0.5, "max_yaw": 45.0, "min_score": 0.0}, damage)
    assert np.flatnonzero(~corpus.found(corpus.clips[0])).tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert np.flatnonzero(~corpus.found(corpus.clips[1])).tolist() == [2]
    assert corpus.found(corpus.clips[2]).all()
    assert result.counts["frames_not_used"] == 8
    assert "8 of 160 frames: 2 by blur over 0.5, 5 by score under 0, 2 by yaw under -45" in " ".join(result.notes)
    checks = checks_of(out).set_index("check")
    assert checks.loc["not used: yaw under -45", "observed"] == "2 of 160"
    plain = Corpus(out.parent / "frames", landmarks=out.parent / "landmarks")
    assert plain.found(plain.clips[0]).all()


def test_without_limits_every_frame_is_used_and_nothing_is_written(tmp_path):
    folders = {name: tmp_path / name for name in ("frames", "landmarks", "actions", "validated")}
    write_array(folders["validated"], "shard-00000", "usable", np.zeros(160, bool))  # of an earlier limit
    _, corpus, out = kept(tmp_path, {})
    assert not list(out.glob("*/usable.npy"))
    assert all(corpus.found(clip).all() for clip in corpus.clips)
    unlimited = data_hash(folders)
    write_array(out, "shard-00000", "usable", np.zeros(160, bool))
    assert data_hash(folders) != unlimited  # or a training would go on with frames that are passed over now


def test_limits_that_leave_a_split_without_frames_stop_the_run():
    frames = pd.DataFrame({"clip": list("aaabbb"), "found": True, "blur": [0.1, 0.9, 0.2, 0.1, 0.1, 0.9]})
    clips = pd.DataFrame({"clip": ["a", "b"], "identity": ["x", "y"]})
    split = pd.DataFrame({"clip": ["a", "b"], "split": ["train", "val"], "start": 0, "stop": 3})

    def failed(limits):
        passed = PassedOver(FrameLimits.parse(limits, where="keep"), clips, split)
        for clip in "ab":
            passed.add(frames[frames["clip"] == clip])
        return [(outcome.level, outcome.detail) for outcome in passed.outcomes() if not outcome.passed]

    assert failed({"max_blur": 0.5}) == []
    assert failed({}) == []
    assert failed({"max_blur": 0.15}) == [("critical", "train")]
    with pytest.raises(ValidationFailed, match="no occlusion"):
        kept_frames(frames, FrameLimits(max_occlusion=0.1))
