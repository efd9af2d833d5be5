import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.sampling import Sampler
from reenact.corpus.splits import read_parts
from reenact.errors import NewerFormat, SettingsError, StorageError, TrainingFailed
from reenact.losses.terms import Terms
from reenact.systems.protocol import Optimiser, Phase, sources_of
from reenact.training.alarms import check_step, verdicts
from reenact.training.checkpoints import Checkpoints, open_checkpoints
from reenact.training.device import make_fabric
from reenact.training.draws import sources_at, step_seed
from reenact.training.faults import Fault, faults_of, left
from reenact.training.keys import data_hash, hash_sparsely, training_key
from reenact.training.length import ended_by, may_be_chosen, progress_of
from reenact.training.loop import Training, timetable
from reenact.training.pictures import over_time, probe_numbers, thinned, to_bytes
from reenact.training.reading import ahead
from reenact.training.settings import CheckpointSettings, LoopSettings
from reenact.training.step import adam, set_rates
from reenact.training.stores import FolderStore, open_store
from reenact.training.tracker import NullTracker
from reenact.training.validation import Validation
from training_corpus import write_corpus

BETAS = (0.9, 0.999)


class Tiny(nn.Module):
    """A system of one convolution each, with dropout, that keeps a record of what the loop does to it."""

    labels = ("landmarks",)

    def __init__(self, phases=None, broken_at=None):
        super().__init__()
        torch.manual_seed(0)
        self.generator = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Dropout(0.5))
        self.discriminator = nn.Conv2d(3, 1, 3)
        self.broken_at, self.calls = broken_at, []
        self.phases = phases or (Phase(name="all", generator=self.generator_group, discriminator=self.other_group),)

    generator_group = Optimiser(networks=("generator",), learning_rate=1e-2, betas=BETAS)
    other_group = Optimiser(networks=("discriminator",), learning_rate=1e-2, betas=BETAS)

    @property
    def networks(self):
        return {"generator": self.generator, "discriminator": self.discriminator}

    def note(self, what):
        flags = [all(w.requires_grad for w in net.parameters()) for net in self.networks.values()]
        self.calls.append((what, *flags, torch.is_grad_enabled(), self.generator.training))

    def sick(self):
        return float("nan") if self.broken_at == sum(call[0] == "generator" for call in self.calls) - 1 else 1.0

    def generate(self, batch):
        self.note("generate")
        return self.generator(batch.source.image)

    def generator_terms(self, batch, fake):
        self.note("generator")
        sick = self.sick()
        return Terms(
            pixel=(2.0, lambda: sick * (fake - batch.target.image).abs().mean()),
            adversarial=(0.1, lambda: -self.discriminator(fake).mean()),
            unused=(0.0, lambda: 1 / 0),
        )

    def discriminator_terms(self, batch, fake):
        self.note("discriminator")
        real, made = self.discriminator(batch.target.image), self.discriminator(fake.detach())
        return Terms(discriminator=(1.0, lambda: (made - real).mean()))

    def reenact(self, sources, driving):
        return self.generator(sources.image[:, 0])


class LandmarksFirst(Tiny):
    """Learns from landmarks in its first phase, from eight samples a step, and draws nothing."""

    def __init__(self, **how):
        groups = {"generator": self.generator_group, "discriminator": self.other_group}
        bare = Phase(name="bare", batch=8, draws=False, generator=self.generator_group)
        super().__init__(phases=(bare, Phase(name="drawn", **groups)), **how)

    def generate(self, batch):
        if batch.phase == "drawn":
            return super().generate(batch)
        assert (batch.source.landmarks.shape, batch.source.image.numel()) == ((8, 68, 2), 0)
        return batch.target.landmarks.mean()

    def generator_terms(self, batch, fake):
        if batch.phase == "drawn":
            return super().generator_terms(batch, fake)
        self.note("generator")
        sick = self.sick()
        return Terms(pixel=(1.0, lambda: sick * (self.generator[0].bias - fake).square().mean()))


class Recorder(NullTracker):
    def __init__(self):
        self.values, self.pictures = [], []

    def metrics(self, values, step):
        self.values.append((step, dict(values)))

    def image(self, name, picture, step):
        self.pictures.append((step, picture))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def fabric():
    return make_fabric(Runtime(threads=1, device="cpu"))


@pytest.fixture
def setup(folders, fabric, tmp_path):
    corpus = Corpus(folders["frames"], landmarks=folders["landmarks"])

    def sampler(split="train", **settings):
        return Sampler(corpus, read_parts(folders["validated"], split), size=16, **{"seed": 0, **settings})

    def training(system, *, checkpoints="checkpoints", validate_pairs=5, readers=0, **settings):
        values = {"samples": 40, "batch": 4, "log_every": 8, "validate_every": 12, "validate_pairs": validate_pairs}
        val = sampler("val", flip=False)
        return Training(
            system=system, branch="tiny-full-0", seed=0, fabric=fabric, tracker=Recorder(), readers=readers,
            settings=LoopSettings.parse({**values, **settings}, where="train"),
            sampler=lambda phase: sampler(pairs=phase.pairs, sources=sources_of(phase)[1], third=phase.third),
            checkpoints=open_checkpoints(
                CheckpointSettings(uri=str(tmp_path / checkpoints), every_samples=8, every_seconds=0.0),
                branch="tiny-full-0", key="k" * 40,
            ),
            validation=Validation(sampler=val, pairs=validate_pairs, batch=4, device=fabric.device)
            if validate_pairs else None,
            probes=val.batch(probe_numbers(val, 2)),
        )  # fmt: skip

    return SimpleNamespace(training=training, sampler=sampler, folder=tmp_path)


def weights(system):
    return torch.cat([w.detach().flatten() for w in system.parameters()])


def test_a_batch_is_one_step_of_each_and_only_the_network_at_work_has_gradients(setup):
    system = Tiny()
    setup.training(system, samples=8).run()
    one_step = [
        ("generate", True, False, True, True), ("generator", True, False, True, True),
        ("discriminator", False, True, True, True),
    ]  # fmt: skip
    assert system.calls == one_step * 2


def test_several_discriminator_steps_are_a_generator_step_on_every_kth_batch(setup):
    phase = Phase(name="p", generator=Tiny.generator_group, discriminator=Tiny.other_group, discriminator_steps=3)
    system = Tiny(phases=(phase,))
    setup.training(system, samples=24).run()
    assert [call[0] for call in system.calls].count("generator") == 2
    assert [call[0] for call in system.calls].count("discriminator") == 6
    gradients = [call[3] for call in system.calls if call[0] == "generate"]
    assert gradients == [True, False, False, True, False, False]


def test_without_a_discriminator_only_the_generator_trains(setup):
    system = Tiny(phases=(Phase(name="p", generator=Tiny.generator_group),))
    before = [w.detach().clone() for w in system.discriminator.parameters()]
    setup.training(system).run()
    assert all(torch.equal(a, b) for a, b in zip(before, system.discriminator.parameters(), strict=True))
    assert "discriminator" not in {call[0] for call in system.calls}


def test_one_step_is_what_plain_pytorch_does(setup):
    system, reference = Tiny(), Tiny()
    setup.training(system, samples=4).run()
    batch = setup.sampler().batch(range(4))
    torch.manual_seed(step_seed(0, 0, 0))
    opts = [torch.optim.Adam(net.parameters(), lr=1e-2, betas=BETAS) for net in reference.networks.values()]
    fake, judge = reference.generator(batch.source.image), reference.discriminator
    for opt, loss in (
        (opts[0], lambda: 2 * (fake - batch.target.image).abs().mean() - 0.1 * judge(fake).mean()),
        (
            opts[1],
            lambda: (reference.discriminator(fake.detach()) - reference.discriminator(batch.target.image)).mean(),
        ),
    ):
        opt.zero_grad()
        reference.discriminator.zero_grad()
        loss().backward()
        opt.step()
    assert torch.allclose(weights(system), weights(reference), atol=1e-6)


def test_training_again_gives_equal_bits_and_reading_ahead_changes_nothing(setup):
    ends = []
    for name, readers in (("a", 0), ("b", 0), ("c", 2)):
        system = Tiny()
        state = setup.training(system, checkpoints=name, readers=readers).run()
        ends.append((weights(system), state.best.value))
    assert all(torch.equal(ends[0][0], end[0]) and ends[0][1] == end[1] for end in ends[1:])


def test_an_interrupted_training_continues_to_the_same_weights_and_history(setup):
    whole = Tiny()
    expected = setup.training(whole, checkpoints="whole").run()
    for stop in (3, 6, 9):
        with pytest.raises(TrainingFailed, match=f"step {stop}: loss term pixel is not finite"):
            setup.training(Tiny(broken_at=stop), checkpoints=f"stop-{stop}").run()
        system = Tiny()
        state = setup.training(system, checkpoints=f"stop-{stop}").run()
        assert torch.equal(weights(system), weights(whole))
        rows = [[(s, n, v) for s, _, n, v in each.history if n != "samples_per_second"] for each in (state, expected)]
        assert rows[0] == rows[1]
        assert system.calls.count(("generator", True, False, True, True)) < 10, "it began from the start"


def test_optimisers_are_those_of_the_phase_that_was_interrupted(setup):
    phases = tuple(
        Phase(name=name, share=share, generator=Tiny.generator_group, discriminator=Tiny.other_group)
        for name, share in (("first", 0.3), ("second", 0.7))
    )
    whole = Tiny(phases=phases)
    setup.training(whole, checkpoints="whole").run()
    for stop in (3, 7):
        with pytest.raises(TrainingFailed):
            setup.training(Tiny(phases=phases, broken_at=stop), checkpoints=f"stop-{stop}").run()
        system = Tiny(phases=phases)
        setup.training(system, checkpoints=f"stop-{stop}").run()
        assert torch.equal(weights(system), weights(whole))


def test_a_phase_that_draws_nothing_has_its_own_batch_and_is_neither_looked_at_nor_begun_again(setup):
    whole = LandmarksFirst()
    training = setup.training(whole, checkpoints="whole")
    expected = training.run()
    assert (expected.step, training.samples, training.far) == (10, 5 * 8 + 5 * 4, "60 of 60 samples")
    assert expected.undrawn[0] == 5
    assert [step for step, _, name, _ in expected.history if name == "val_l1"] == [6, 9, 10]
    assert expected.best.step > 5
    for stop in (3, 5, 7):
        with pytest.raises(TrainingFailed):
            setup.training(LandmarksFirst(broken_at=stop), checkpoints=f"stop-{stop}").run()
        system = LandmarksFirst()
        state = setup.training(system, checkpoints=f"stop-{stop}").run()
        assert torch.equal(weights(system), weights(whole))
        assert (state.batches, state.undrawn[0]) == (expected.batches, 5)


def test_k_of_a_step_is_drawn_by_seed_and_step_alone_and_a_smaller_one_takes_the_first_of_the_same(setup):
    phase = Phase(name="p", generator=Tiny.generator_group, sources=(2, 5))
    drawn = [sources_at(phase, seed=0, step=step) for step in range(2000)]
    assert drawn == [sources_at(phase, seed=0, step=step) for step in range(2000)]
    assert drawn != [sources_at(phase, seed=1, step=step) for step in range(2000)]
    assert all(430 < drawn.count(k) < 570 for k in (2, 3, 4, 5))
    assert {sources_at(Phase(name="p", generator=Tiny.generator_group, sources=3), seed=0, step=s) for s in (0, 9)} == {
        3
    }
    sampler = setup.sampler(sources=5, third=True)
    whole, few = sampler.read(range(4)), sampler.read(range(4), sources=2)
    assert torch.equal(few.sources.image, whole.sources.image[:, :2])
    assert torch.equal(few.sources.landmarks, whole.sources.landmarks[:, :2])
    assert torch.equal(few.target.image, whole.target.image)
    assert torch.equal(few.third.image, whole.third.image)


def test_batches_say_how_much_of_the_training_lies_behind(setup):
    phase = Phase(name="p", generator=Tiny.generator_group, sources=(1, 4))
    system, seen = Tiny(phases=(phase,)), []
    generate = system.generate
    system.generate = lambda batch: seen.append(batch) or generate(batch)
    training = setup.training(system, readers=2)
    training.sampler = lambda phase: setup.sampler(sources=4)
    training.run()
    assert [batch.progress for batch in seen] == [step / 10 for step in range(10)]
    shots = [batch.sources.image.shape[1] for batch in seen]
    assert shots == [sources_at(phase, seed=0, step=step) for step in range(10)]
    assert len(set(shots)) > 1


@pytest.fixture
def clock(monkeypatch):
    """A second for every step of the training; nothing else takes time."""
    now = SimpleNamespace(seconds=100.0)
    plain = Training._until

    def ticking(self, end, batches):
        return plain(self, end, (batch for batch in batches if not tick()))

    def tick():
        now.seconds += 1.0

    monkeypatch.setattr(Training, "_until", ticking)
    monkeypatch.setattr("reenact.training.loop.time.monotonic", lambda: now.seconds)
    return now


def test_minutes_end_a_training_and_divide_its_phases_and_nothing_else_changes(setup, clock):
    phases = tuple(
        Phase(name=name, share=share, generator=group, discriminator=other)
        for name, share, group, other in (
            ("first", 1, Tiny.generator_group, Tiny.other_group), ("second", 3, Tiny.other_group, None),
        )
    )  # fmt: skip
    by_samples, by_clock = Tiny(phases=phases), Tiny(phases=phases)
    expected = setup.training(by_samples, checkpoints="samples", samples=48).run()
    state = setup.training(by_clock, checkpoints="clock", samples=4000, minutes=12 / 60).run()
    assert (state.step, state.seconds) == (12, 12.0)
    assert torch.equal(weights(by_clock), weights(by_samples))
    kept = [[(s, n, v) for s, _, n, v in each.history if n.startswith("val")] for each in (state, expected)]
    assert kept[0] == kept[1]
    assert state.history[-1][0] == 12, "not validated at the end"


def test_the_clock_goes_on_where_a_training_was_interrupted(setup, clock):
    whole = Tiny()
    expected = setup.training(whole, checkpoints="whole", samples=4000, minutes=10 / 60).run()
    with pytest.raises(TrainingFailed):
        setup.training(Tiny(broken_at=7), checkpoints="stop", samples=4000, minutes=10 / 60).run()
    clock.seconds += 3600  # nobody trained in between
    system = Tiny()
    state = setup.training(system, checkpoints="stop", samples=4000, minutes=10 / 60).run()
    assert state.step == expected.step == 10
    assert torch.equal(weights(system), weights(whole))


def test_processes_go_by_the_first_ones_clock_where_it_ends_the_training(setup, fabric, monkeypatch):
    monkeypatch.setattr(type(fabric), "world_size", property(lambda self: 2))
    monkeypatch.setattr(fabric, "broadcast", lambda seconds: 7.0)
    for minutes, expected in ((1.0, 7.0), (0.0, 0.0)):
        training = setup.training(Tiny(), minutes=minutes)
        training._start = time.monotonic()
        assert training._clock() == pytest.approx(expected, abs=1.0)


def test_last_third_and_warm_up_go_by_the_clock_where_there_is_one():
    values = {"samples": 100_000, "batch": 10, "minutes": 1.0, "choose": {"among": "last_third"}}
    settings = LoopSettings.parse(values, where="train")
    assert progress_of(settings, 5000, 3.0) == 0.5
    assert progress_of(settings, 5, 45.0) == 0.75
    assert [may_be_chosen(settings, share) for share in (0.5, 2 / 3, 0.7, 1.0)] == [False, False, True, True]
    ends = [ended_by(settings, *at) for at in ((5, 59.0), (5, 60.0), (10_000, 1.0))]
    assert ends == ["", "minutes", "samples"]
    for step, seconds, expected in ((300, 11.0, "unknown"), (300, 13.0, "fine"), (100, 13.0, "unknown")):
        found = verdicts([(step, seconds, "alarm_mode_collapse", 0.9)], settings)
        verdict = next(each for each in found if each.name == "mode_collapse")
        assert verdict.verdict == expected
        assert ("20% of 1 minutes and 2000 samples" in verdict.meaning) == (expected == "unknown")


def test_phases_divide_the_steps_by_their_shares():
    group = Tiny.generator_group
    phases = [Phase(name=name, share=share, generator=group) for name, share in zip("abc", (1, 2, 1), strict=True)]
    assert [end for _, end in timetable(phases, 40)] == [10, 30, 40]
    assert [end for _, end in timetable(phases, 3)] == [1, 2, 3]


def test_losses_are_logged_as_means_of_the_steps_between(setup):
    training = setup.training(Tiny(), samples=40, log_every=16)
    training.run()
    every = setup.training(Tiny(), checkpoints="each", samples=40, log_every=4)
    every.run()
    single = [values["pixel"] for _, values in every.tracker.values if "pixel" in values]
    means = [(step, values["pixel"]) for step, values in training.tracker.values if "pixel" in values]
    assert [step for step, _ in means] == [4, 8, 10]
    assert means[0][1] == pytest.approx(np.mean(single[:4]))
    assert means[2][1] == pytest.approx(np.mean(single[8:]))
    terms = next(values for _, values in every.tracker.values if "pixel" in values)
    assert set(terms) == {"pixel", "adversarial", "discriminator", "total", "samples_per_second"}
    assert terms["total"] == pytest.approx(2 * terms["pixel"] + 0.1 * terms["adversarial"], rel=1e-5)


def test_validation_is_the_error_of_what_the_system_draws_on_fixed_pairs(setup):
    system = Tiny()
    training = setup.training(system)
    training.run()
    batch = setup.sampler("val", flip=False).batch(range(5))
    system.eval()
    with torch.no_grad():
        fake, target = system.reenact(batch.sources, batch.target).double(), batch.target.image.double()
    figures = [values for _, values in training.tracker.values if "val_mse" in values]
    assert figures[-1]["val_mse"] == pytest.approx(float((((fake - target) / 2) ** 2).mean()))
    assert figures[-1]["val_l1"] == pytest.approx(float(((fake - target) / 2).abs().mean()))
    copies = [values for _, values in training.tracker.values if "val_mse_copy_source" in values]
    source = batch.source.image.double()
    assert copies[0]["val_mse_copy_source"] == pytest.approx(float((((source - target) / 2) ** 2).mean()))
    assert not any(call[4] is False for call in system.calls), "a training step ran in evaluation mode"


def test_the_best_weights_by_the_rule_are_handed_on(setup):
    training = setup.training(Tiny(), samples=120, choose={"metric": "val_mse"})
    state = training.run()
    values = {step: v["val_mse"] for step, v in training.tracker.values if "val_mse" in v}
    assert state.best.value == min(values.values())
    assert values[state.best.step] == state.best.value
    late = setup.training(
        Tiny(), checkpoints="late", samples=120, choose={"metric": "val_mse", "among": "last_third"}
    ).run()
    candidates = {step: value for step, value in values.items() if step > 20}
    assert late.best.step == min(candidates, key=lambda step: candidates[step])
    final = setup.training(
        Tiny(), checkpoints="final", samples=120, choose={"metric": "val_mse", "among": "last"}
    ).run()
    assert (final.best.step, final.best.value) == (30, values[30])


def test_without_validation_the_last_weights_are_handed_on(setup):
    system = Tiny()
    state = setup.training(system, validate_pairs=0).run()
    assert state.best.step == 10
    assert state.best.value is None
    assert torch.equal(state.best.weights["generator"]["0.weight"], system.generator[0].weight)


def test_pictures_over_time_show_source_landmarks_generated_and_target(setup):
    training = setup.training(Tiny(), samples=160)
    state = training.run()
    assert [step for step, _ in state.snapshots] == [3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 40]
    picture = over_time(training.probes, state.snapshots)
    assert picture.shape == (16 + 2 * 16, (3 + 8) * 16, 3)
    assert np.array_equal(picture[16:32, :16], to_bytes(training.probes.source.image)[0])
    assert np.array_equal(picture[16:32, -16:], to_bytes(training.probes.target.image)[0])
    assert np.array_equal(picture[16:32, -32:-16], state.snapshots[-1][1][0].numpy())
    assert picture[16:32, 16:32].max() > 100, "no landmarks drawn"
    assert training.tracker.pictures[0][1].shape == (48, 64, 3)
    assert len(thinned([(step, None) for step in range(25)])) == 13


def test_a_batch_that_processes_can_not_share_is_refused(setup, fabric, monkeypatch):
    training = setup.training(Tiny())
    monkeypatch.setattr(type(fabric), "world_size", property(lambda self: 3))
    with pytest.raises(SettingsError, match=r"train\.batch: 4 can't be shared by 3"):
        training.run()


def test_samples_of_a_step_are_divided_among_processes(setup, fabric, monkeypatch):
    training = setup.training(Tiny())
    monkeypatch.setattr(type(fabric), "world_size", property(lambda self: 2))
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(type(fabric), "global_rank", property(lambda self, rank=rank: rank))
        shares.append(list(training._numbers(training.system.phases[0], 3)))
    assert sorted(itertools.chain(*shares)) == [12, 13, 14, 15]
    assert len(shares[0]) == len(shares[1]) == 2


def test_reading_ahead_keeps_the_order_and_passes_errors_on():
    assert list(ahead(lambda step: step * step, range(50), threads=3)) == [n * n for n in range(50)]

    def broken(step):
        if step == 7:
            raise ValueError("frame 7")
        return step

    with pytest.raises(ValueError, match="frame 7"):
        list(ahead(broken, range(50), threads=2))


def test_alarms_name_step_and_terms():
    check_step(3, {"pixel": 0.1})
    with pytest.raises(TrainingFailed, match=r"^step 3: loss terms pixel, triple are not finite"):
        check_step(3, {"pixel": float("inf"), "triple": float("nan"), "id": 0.0, "total": float("nan")})
    with pytest.raises(TrainingFailed, match=r"term total is"):
        check_step(3, {"pixel": 1e38, "total": float("inf")})


def test_faults_are_read_for_their_branch_alone(monkeypatch):
    monkeypatch.setenv("REENACT_FAULT", "cgan-full-0:120:exit,cgan-full-1:3:nan")
    assert faults_of("cgan-full-1") == (Fault(branch="cgan-full-1", step=3, kind="nan"),)
    assert faults_of("cgan-full-2") == ()
    monkeypatch.setenv("REENACT_FAULT", "cgan-full-0:soon:exit")
    with pytest.raises(SettingsError, match="expected BRANCH:STEP:KIND"):
        faults_of("cgan-full-0")


def test_a_fault_that_strikes_once_spares_the_retry():
    kinds = ("kill", "once", "nan")
    faults = tuple(Fault(branch="cgan-full-0", step=3, kind=kind) for kind in kinds)
    assert [fault.kind for fault in left(faults)] == ["kill", "nan"]


def test_device_settings_that_can_not_be_are_named():
    with pytest.raises(SettingsError, match=r"runtime\.device: .*gpu"):
        Runtime.parse({"device": "gpu"}, where="runtime")
    with pytest.raises(SettingsError, match=r"runtime\.precision"):
        Runtime.parse({"precision": "8"}, where="runtime")


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(FolderStore(tmp_path / "kept"), CheckpointSettings(keep=2))


def test_the_newest_checkpoints_are_kept_and_a_finished_training_replaces_them(checkpoints, tmp_path):
    for step in range(5):
        checkpoints.save(step, step, {"step": step, "weights": torch.full((3,), float(step))})
    assert [path.name[:14] for path in sorted((tmp_path / "kept").iterdir())] == ["step-000000003", "step-000000004"]
    assert torch.equal(checkpoints.load()["weights"], torch.full((3,), 4.0))
    assert checkpoints.finished() is None
    checkpoints.finish(9, {"step": 9})
    assert checkpoints.load() is None
    assert checkpoints.finished()["step"] == 9


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(checkpoints, tmp_path, capsys, damage):
    for step in (1, 2):
        checkpoints.save(step, step, {"step": step, "weights": torch.randn(500)})
    newest = max((tmp_path / "kept").iterdir())
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes({"cut": bytes(data[:-100]), "flip": bytes(data), "empty": b""}[damage])
    assert checkpoints.load()["step"] == 1
    assert f"{newest.name}: this checkpoint is damaged" in capsys.readouterr().err
    min((tmp_path / "kept").iterdir()).write_bytes(b"nonsense")
    assert checkpoints.load() is None


def test_a_checkpoint_of_a_newer_version_is_refused(checkpoints, monkeypatch):
    monkeypatch.setattr("reenact.training.checkpoints.FORMAT", 2)
    checkpoints.save(1, 1, {})
    monkeypatch.setattr("reenact.training.checkpoints.FORMAT", 1)
    with pytest.raises(NewerFormat, match="format 2"):
        checkpoints.load()


def test_a_checkpoint_holds_no_code(checkpoints, tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    checkpoints.save(1, 1, {"step": Evil()})
    assert checkpoints.load() is None


def test_checkpoints_are_due_by_time_or_samples(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("reenact.training.checkpoints.time.monotonic", lambda: clock[0])
    by_time = Checkpoints(FolderStore(tmp_path), CheckpointSettings(every_seconds=10.0))
    assert not by_time.due(50)
    clock[0] += 11
    assert by_time.due(51)
    by_time.save(1, 51, {})
    assert not by_time.due(60)
    by_samples = Checkpoints(FolderStore(tmp_path), CheckpointSettings(every_seconds=0.0, every_samples=20))
    assert not by_samples.due(19)
    assert by_samples.due(20)


def test_a_full_disk_is_one_sentence_and_leaves_the_last_checkpoint(checkpoints, tmp_path, monkeypatch):
    import errno
    from pathlib import Path

    checkpoints.save(1, 1, {"step": 1})

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match="the disk is full"):
            checkpoints.save(2, 2, {"step": 2})
    assert checkpoints.load()["step"] == 1
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_where_checkpoints_can_lie():
    assert str(open_store("out/checkpoints", "a", "b").where).endswith("out/checkpoints/a/b")
    assert open_store("file:///tmp/x", "a").where == "/tmp/x/a"
    with pytest.raises(SettingsError, match="names no bucket"):
        open_store("s3:///prefix")
    with pytest.raises(SettingsError, match="neither a folder nor"):
        open_store("gs://bucket/x")


def test_the_data_hash_follows_what_is_trained_on_and_nothing_else(folders, tmp_path):
    again = write_corpus(tmp_path / "again")
    kinds = ("frames", "landmarks", "validated")
    one = data_hash({kind: folders[kind] for kind in kinds})
    assert one == data_hash({kind: again[kind] for kind in kinds})
    (again["frames"] / "stage.json").write_text("{}")
    assert one == data_hash({kind: again[kind] for kind in kinds})
    path = again["frames"] / "shard-00001" / "frames.npy"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert one != data_hash({kind: again[kind] for kind in kinds})


def test_large_files_are_hashed_by_blocks_of_all_their_length(tmp_path):
    path = tmp_path / "shard"
    path.write_bytes(bytes(1000))
    whole = hash_sparsely(path, block=10, blocks=5)
    assert whole != hash_sparsely(path, block=10, blocks=200)
    for place in (0, 999):
        path.write_bytes(bytes(place) + b"x" + bytes(999 - place))
        assert hash_sparsely(path, block=10, blocks=5) != whole
    path.write_bytes(bytes(1001))
    assert hash_sparsely(path, block=10, blocks=5) != whole


def test_a_key_is_a_function_of_every_fact():
    one = training_key(data="d", train={"size": 64})
    assert one == training_key(train={"size": 64}, data="d")
    assert one != training_key(data="e", train={"size": 64})
    assert one != training_key(data="d", train={"size": 32})


# ---- learning rates


class Rates(Tiny):
    """Keeps the rates at which each of its steps is taken, as the optimisers have them."""

    def __init__(self, **how):
        group = {"learning_rate": 1e-2, "betas": BETAS}
        phases = (
            Phase(
                name="early", share=0.4,
                generator=Optimiser(networks=("generator",), **group, decay_from=0.5),
                discriminator=Optimiser(networks=("discriminator",), **group),
            ),
            Phase(name="late", share=0.6, generator=Optimiser(networks=("generator",), **group, decay_from=0.0)),
        )  # fmt: skip
        super().__init__(phases=phases, **how)
        self.rates, self.phase_names = [], []

    def generate(self, batch):
        self.phase_names.append(batch.phase)
        return super().generate(batch)


@pytest.fixture
def rates(monkeypatch):
    """The rates of all Adam steps in order."""
    seen = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, *a, **k: (seen.append(self.param_groups[0]["lr"]), step(self, *a, **k))[1],
    )
    return seen


def test_a_rate_is_constant_and_then_falls_linearly_to_nothing_at_its_phases_end(setup, rates):
    system = Rates()
    setup.training(system, samples=40, batch=4).run()  # 4 + 6 steps
    early, late = rates[:8], rates[8:]
    assert early[0::2] == pytest.approx([1e-2, 1e-2, 1e-2, 0.5e-2])  # generator
    assert early[1::2] == pytest.approx([1e-2] * 4)  # discriminator
    assert late == pytest.approx([1e-2 * (1 - step / 6) for step in range(6)])
    assert system.phase_names == ["early"] * 4 + ["late"] * 6


def test_a_network_may_learn_at_a_share_of_its_optimisers_rate():
    system = Tiny()
    spec = Optimiser(
        networks=("generator", "discriminator"), learning_rate=1e-2, betas=BETAS, decay_from=0.5,
        gentle={"discriminator": 0.1},
    )  # fmt: skip
    optimiser = adam(system, spec)
    rates = {id(weight): group["lr"] for group in optimiser.param_groups for weight in group["params"]}
    for name, rate in (("generator", 1e-2), ("discriminator", 1e-3)):
        weights = list(system.networks[name].parameters())
        assert [rates[id(weight)] for weight in weights] == pytest.approx([rate] * len(weights))
    set_rates([optimiser], Phase(name="only", generator=spec), 0.75)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([0.5e-2, 0.5e-3])


def test_an_interrupted_training_takes_up_the_rate_where_it_was(setup, rates):
    whole = Rates()
    setup.training(whole, checkpoints="whole").run()
    expected = list(rates)
    for stop in (3, 7):
        with pytest.raises(TrainingFailed):
            setup.training(Rates(broken_at=stop), checkpoints=f"stop-{stop}").run()
        rates.clear()
        system = Rates()
        setup.training(system, checkpoints=f"stop-{stop}").run()
        assert 0 < len(rates) < len(expected), "it began from the start"
        assert rates == expected[-len(rates) :]
        assert torch.equal(weights(system), weights(whole))
