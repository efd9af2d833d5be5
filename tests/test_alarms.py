"""Alarms: known answers, every sickness provoked and caught within an epoch of training, verdicts on scored rows."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from evaluation_corpus import fake_judges
from evaluation_corpus import write_corpus as write_heads
from reenact.alarms.catalogue import ALARMS
from reenact.alarms.critic_balance import CRITIC_BALANCE, critic_balance
from reenact.alarms.identity_collapse import IDENTITY_COLLAPSE, identity_collapse
from reenact.alarms.identity_leak import identity_leak
from reenact.alarms.mask_saturation import mask_saturation
from reenact.alarms.mode_collapse import mode_collapse
from reenact.alarms.settings import EvaluateAlarms, TrainAlarms
from reenact.alarms.verdict import Limits, notes_on
from reenact.config import Runtime
from reenact.corpus.corpus import Corpus
from reenact.corpus.sampling import Sampler
from reenact.corpus.splits import read_parts
from reenact.errors import BadInput, TrainingFailed
from reenact.evaluation.alarms import mask_verdict, verdicts
from reenact.evaluation.pictures import Pictures
from reenact.evaluation.protocols import Counts, pair_list
from reenact.evaluation.rows import Drawn, real, reenacted, rows_of
from reenact.evaluation.scoring import score
from reenact.losses.adversarial import real_or_fake, towards_real
from reenact.losses.terms import Terms
from reenact.systems.protocol import Optimiser, Phase
from reenact.systems.watched import Rival
from reenact.training.alarms import verdicts as training_verdicts
from reenact.training.checkpoints import open_checkpoints
from reenact.training.device import make_fabric
from reenact.training.looks import looks_at
from reenact.training.loop import Training
from reenact.training.settings import CheckpointSettings, LoopSettings
from reenact.training.tracker import NullTracker
from reenact.training.validation import Validation
from test_protocols import Mover
from training_corpus import write_corpus

LIMITS = EvaluateAlarms()


def words(found):
    return {(verdict.name, verdict.protocol): verdict.verdict for verdict in found}


def test_the_share_of_the_way_is_known_at_both_ends_and_in_between():
    random = np.random.default_rng(0)
    source, target, noise = random.normal(size=(3, 200, 5, 4))
    assert identity_collapse(source, target, source) == 0
    assert identity_collapse(source, target, target) == pytest.approx(1)
    assert identity_collapse(source, target, 0.3 * target + 0.7 * source) == pytest.approx(0.3, abs=1e-5)
    assert identity_collapse(source, target, noise) == pytest.approx(0.5, abs=0.1), "noise is no copy"
    assert np.isnan(identity_collapse(source, source, target))
    lost = source.copy()
    lost[7] = np.nan
    assert identity_collapse(source, target, lost) == 0


def test_mode_collapse_is_the_distance_of_outputs_over_that_of_real_pictures():
    real_ = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
    assert mode_collapse(real_, np.repeat(real_[:1], 30, axis=0)) == 0
    assert mode_collapse(real_, real_[::-1]) == pytest.approx(1)
    pale = real_ / 4.0 + 90.0
    by_pairs = [np.mean([np.square(a - b).sum() for a in rows.astype(float) for b in rows]) for rows in (pale, real_)]
    assert mode_collapse(real_, pale) == pytest.approx(np.sqrt(by_pairs[0] / by_pairs[1])) == pytest.approx(0.25)
    assert np.isnan(mode_collapse(real_[:1], real_[:1]))


def test_a_leak_is_counted_beyond_what_real_pictures_of_the_person_show():
    source, driver = np.random.default_rng(0).normal(size=(2, 50, 8))
    turned = source + 0.25 * (driver - source)
    assert identity_leak(source, driver, driver, turned) == pytest.approx(1)
    assert identity_leak(source, driver, turned, turned) == pytest.approx(0, abs=1e-6)
    assert identity_leak(source, driver, turned) == pytest.approx(0.25, abs=1e-5)
    # What is taken off is of the pairs that the output could be read on.
    turned[25:] = source[25:] - 3.0 * (driver - source)[25:]
    read = np.where(np.arange(50)[:, None] < 25, driver, np.nan)
    assert identity_leak(source, driver, (read + source) / 2, turned) == pytest.approx(1 / 3, abs=1e-5)


def test_the_worst_mask_is_named():
    masks = {"face": np.full((2, 4, 4), 0.4), "hair": np.full((2, 4, 4), 0.99)}
    assert mask_saturation(masks) == (pytest.approx(0.01), "hair")
    assert np.isnan(mask_saturation({})[0])


def test_losses_of_a_critic_that_cannot_tell_are_even_and_of_one_that_has_won_are_not():
    undecided, sure, deceived = (torch.full((8,), p) for p in (0.5, 0.999, 0.001))
    assert critic_balance([float(towards_real(undecided))], [float(real_or_fake(undecided, undecided))]) == 1
    ahead = critic_balance([float(towards_real(deceived))], [float(real_or_fake(sure, deceived))])
    behind = critic_balance([float(towards_real(sure))], [float(real_or_fake(undecided, sure))])
    assert ahead > 1000 > 1 / 1000 > behind
    assert np.isnan(critic_balance([-3.0], [1.0]))


@pytest.mark.parametrize("loss", ["hinge", "least_squares"])
def test_scores_without_a_bound_are_judged_by_the_critics_loss_alone(loss):
    def of_critic(real, fake):
        if loss == "hinge":
            return max(0.0, 1 - real) + max(0.0, 1 + fake)
        return ((real - 1) ** 2 + fake**2) / 2

    undecided = 0.0 if loss == "hinge" else 0.5
    for generator in (-7.0, 0.0, 3.0):  # a hinge's generator loss says nothing of who is ahead
        assert critic_balance([generator], [of_critic(undecided, undecided)], loss) == 1
    assert critic_balance([0.0], [of_critic(0.99, -0.99)] if loss == "hinge" else [of_critic(0.99, 0.01)], loss) > 50
    assert critic_balance([0.0], [of_critic(-1.0, 1.0)], loss) < 0.6
    assert np.isnan(critic_balance([0.0], [float("nan")], loss))
    assert np.isnan(critic_balance([0.0], [], loss))


def test_a_verdict_names_the_limit_that_was_passed():
    limits = Limits(warning=0.3, alarm=0.1)
    found = [IDENTITY_COLLAPSE.of(value, limits) for value in (0.5, 0.2, 0.05, float("nan"))]
    assert [each.verdict for each in found] == ["fine", "warning", "alarm", "unknown"]
    assert [each.limit for each in found[:3]] == [0.3, 0.3, 0.1]
    assert found[3].value is None
    far = [CRITIC_BALANCE.of(value, Limits(warning=20, alarm=100)) for value in (5.0, 50.0, 500.0, 0.2, 0.02, 0.002)]
    assert [each.verdict for each in far] == ["fine", "warning", "alarm"] * 2
    assert [each.limit for each in far] == [20, 20, 100, 0.05, 0.05, 0.01]
    assert json.loads(json.dumps(found[2].plain()))["meaning"].startswith("share of the way")


# ---------------------------------------------------------------- while a system trains


class Actor(nn.Module):
    """Draws what it is told to by `act(sources, driving)` once it has trained for `healthy` steps; before, the target.

    `adversarial` and `discriminator` are what it says its losses are from then on.
    """

    labels = ("landmarks",)

    def __init__(self, act=None, *, healthy=12, losses=(0.7, 0.7), even=0.7, loss="cross_entropy", masks=None):
        super().__init__()
        torch.manual_seed(0)
        self.generator, self.discriminator = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 1, 3)
        groups = [Optimiser(networks=(name,), learning_rate=1e-3, betas=(0.9, 0.99)) for name in self.networks]
        self.phases = (Phase(name="all", generator=groups[0], discriminator=groups[1]),)
        self.act, self.healthy, self.losses, self.even, self.steps = act, healthy, losses, even, 0
        self.rivals = (Rival(generator="adversarial", critic="discriminator", loss=loss),)
        if masks:
            self.masks = lambda sources, driving: {"mix": masks(self.sick, sources.image[:, 0, 0])}

    @property
    def networks(self):
        return {"generator": self.generator, "discriminator": self.discriminator}

    @property
    def sick(self):
        return self.steps > self.healthy

    def generate(self, batch):
        self.steps += 1
        return self.generator(batch.source.image)

    def generator_terms(self, batch, fake):
        loss = self.losses[0] if self.sick else self.even
        return Terms(pixel=(1.0, lambda: (fake - batch.target.image).abs().mean()),
                     adversarial=(1.0, lambda: 0 * fake.mean() + loss))  # fmt: skip

    def discriminator_terms(self, batch, fake):
        loss = self.losses[1] if self.sick else self.even
        return Terms(discriminator=(1.0, lambda: 0 * self.discriminator(fake.detach()).mean() + loss))

    def reenact(self, sources, driving):
        """Of cross pairs the driver's picture would be another person's: a healthy system keeps to the source."""
        if self.act and self.sick:
            return self.act(sources.image[:, 0], driving.image)
        source, target = sources.image[:, 0], driving.image
        other = (source[..., :1, :1] != target[..., :1, :1]).any(dim=1, keepdim=True)  # the background is the person's
        return torch.where(other, source, target)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), identities=5, frames=16)


@pytest.fixture
def train(folders, tmp_path):
    """A training of 40 steps of four on three people's 48 frames, watched on two others."""
    corpus = Corpus(folders["frames"], landmarks=folders["landmarks"])
    parts = [*read_parts(folders["validated"], "train"), *read_parts(folders["validated"], "val")]
    fabric = make_fabric(Runtime(threads=1, device="cpu"))

    def training(system, *, watched=True, **alarms):
        settings = LoopSettings.parse(
            {"samples": 160, "batch": 4, "log_every": 4, "validate_every": 100, "validate_pairs": 12, "probes": 0,
             "alarms": {"warm_up": 0.0, "warm_up_samples": 0, **alarms}}, where="train",
        )  # fmt: skip
        own, cross = (
            Sampler(corpus, parts[3:], size=16, seed=0, flip=False, pairs=pairs) for pairs in ("self", "cross")
        )
        validation = Validation(sampler=own, pairs=12, batch=4, device=fabric.device)
        return Training(
            system=system, branch="actor-full-0", seed=0, fabric=fabric, tracker=NullTracker(), settings=settings,
            sampler=lambda phase: Sampler(corpus, parts[:3], size=16, seed=0), validation=validation,
            checkpoints=open_checkpoints(CheckpointSettings(uri=str(tmp_path / f"kept-{watched}"), every_seconds=0.0),
                                         branch="actor-full-0", key="k" * 40),
            looks=looks_at(validation, lambda: cross, settings, reader=read, frames=48,
                           stop=settings.alarms.stop) if watched else None,
        )  # fmt: skip

    return training


def read(image):
    """Stands in for the guide: faces are where the disc is, people have a background of their own."""
    places = image[:, 0].clamp_min(0.3).flatten(1)
    return SimpleNamespace(landmarks=places, embedding=image[..., 0, 0])


def broken(source, driver):
    picture = source.clone()
    picture[0] = float("nan")
    return picture


SICK = {
    "identity_collapse": (lambda: Actor(lambda source, driver: source), "hands back its source"),
    "mode_collapse": (lambda: Actor(lambda source, driver: 0 * driver), "all alike"),
    "identity_leak": (lambda: Actor(lambda source, driver: driver), "shows the driver's person"),
    "mask_saturation": (
        lambda: Actor(masks=lambda sick, image: torch.full_like(image, 0.995 if sick else 0.6)),
        "mask",
    ),
    "critic_balance": (lambda: Actor(losses=(9.0, 1e-3)), "has won"),
    "not_finite": (lambda: Actor(broken), "learning rate"),
}


@pytest.mark.parametrize("name", SICK)
def test_every_sickness_stops_a_training_within_an_epoch_and_says_what_helps(train, name):
    make, advice = SICK[name]
    system = make()
    training = train(system, stop=[each for each in SICK if each != "not_finite"])
    with pytest.raises(TrainingFailed) as caught:
        training.run()
    text = str(caught.value)
    assert f"{name.replace('_', ' ')} on" in text
    assert advice in text
    assert "limit" in text
    assert system.healthy < training.state.step <= system.healthy + 48 / 4, "not within an epoch of 48 samples"


@pytest.mark.parametrize(("loss", "even"), [("hinge", 2.0), ("least_squares", 0.25)])
def test_a_critic_that_has_won_is_seen_whatever_the_generators_loss_says(train, loss, even):
    system = Actor(losses=(-3.0, 1e-3), even=even, loss=loss)
    training = train(system, stop=["critic_balance"])
    with pytest.raises(TrainingFailed, match="critic balance on train"):
        training.run()
    assert training.state.step > system.healthy
    values = [value for _, _, name, value in training.state.history if name == "alarm_critic_balance"]
    assert values[0] == pytest.approx(1.0), "a critic that can't tell is even"


def test_a_healthy_training_raises_none_and_leaves_curves(train):
    training = train(Actor(masks=lambda sick, image: torch.full_like(image, 0.5)), stop=[*SICK][:5])
    state = training.run()
    found = training_verdicts(state.history, training.settings)
    assert {verdict.name: verdict.verdict for verdict in found} == dict.fromkeys(ALARMS, "fine")
    assert {f"alarm_{name}" for name in ALARMS} <= {name for _, _, name, _ in state.history}


def test_with_one_person_to_validate_on_a_leak_is_unknown(train):
    def alone():
        raise BadInput("there is one")

    watched = train(Actor())
    looks = looks_at(watched.validation, alone, watched.settings, reader=read, frames=48, stop=())
    assert "identity_leak" not in looks.look(watched.system, [], since=0)


def test_alarms_that_only_warn_let_a_training_end(train):
    training = train(SICK["identity_collapse"][0](), stop=[])
    state = training.run()
    assert state.step == 40
    found = {v.name: v.verdict for v in training_verdicts(state.history, training.settings)}
    assert found["identity_collapse"] == "alarm"


def test_one_bad_look_is_a_warning_and_the_warm_up_is_not_judged():
    def said(values, undrawn=0, **settings):
        history = [
            (step, 0.0, "alarm_identity_collapse", value) for step, value in enumerate(values, start=undrawn + 1)
        ]
        given = LoopSettings(samples=100, batch=10, alarms=TrainAlarms(**{"warm_up_samples": 0, **settings}))
        found = training_verdicts(history, given, undrawn=(undrawn, 0.0))
        return next(v for v in found if v.name == "identity_collapse")

    assert said([0.9, 0.0], warm_up=0.0).verdict == "warning"
    assert said([0.9, 0.0, 0.0], warm_up=0.0).verdict == "alarm"
    assert said([0.0, 0.0, 0.9], warm_up=0.0).verdict == "fine"
    for early in (said([0.0, 0.0], warm_up=0.3), said([0.0, 0.0], warm_up=0.0, warm_up_samples=30)):
        assert (early.verdict, "30 samples" in early.meaning) == ("unknown", True)
    # It begins where the first picture is drawn.
    for settings in ({"warm_up": 0.3}, {"warm_up": 0.0, "warm_up_samples": 30}):
        late = said([0.0, 0.0], undrawn=4, **settings)
        assert (late.verdict, "30 samples of drawing" in late.meaning) == ("unknown", True)
        assert said([0.0] * 5, undrawn=4, **settings).verdict == "alarm"


def test_looking_changes_neither_weights_nor_choice(train):
    ends = []
    for watched in (True, False):
        system = Actor()
        state = train(system, watched=watched).run()
        weights = torch.cat([weight.detach().flatten() for weight in system.parameters()])
        rows = [(s, n, v) for s, _, n, v in state.history if not n.startswith("alarm_") and n != "samples_per_second"]
        ends.append((weights, state.best.step, rows))
    assert torch.equal(ends[0][0], ends[1][0])
    assert ends[0][1:] == ends[1][1:]


# ---------------------------------------------------------------- of what was scored


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    folders = write_heads(tmp_path_factory.mktemp("heads"))
    corpus = Corpus(folders["frames"], landmarks=folders["landmarks"], actions=folders["actions"])
    counts = Counts(sources=2, self_pairs=4, cross_pairs=4, lsim=0)
    training = read_parts(folders["validated"], "train")
    pairs = pair_list(corpus, read_parts(folders["validated"], "test"), split="test", training=training, counts=counts,
                      seed=0)  # fmt: skip
    return Pictures(corpus, size=32), pairs


@pytest.fixture(scope="module")
def scored(heads):
    pictures, pairs = heads

    def alike(pairs):
        first = real(pictures, pairs, "source")
        return Drawn(pictures=np.repeat(first.pictures[:1], len(pairs), axis=0), usable=first.usable)

    def half_lost(pairs):
        found = real(pictures, pairs, "source")
        return replace(found, usable=found.usable & (np.arange(len(pairs)) % 2 == 0))

    def grey(pairs):
        found = real(pictures, pairs, "source")
        return replace(found, pictures=np.zeros_like(found.pictures))

    rows = [("mover", reenacted(Mover(), pictures, batch=8, device="cpu")), ("alike", alike), ("half lost", half_lost),
            ("grey", grey), ("driver", lambda pairs: real(pictures, pairs, "driving"))]  # fmt: skip
    return score(rows_of(pictures, rows), pairs, pictures, fake_judges())


def test_a_system_that_follows_the_driver_raises_none(scored):
    found = words(verdicts(scored, "mover", LIMITS))
    assert set(found.values()) == {"fine"}
    assert {protocol for _, protocol in found} == {"self", "cross"}
    assert ("identity_leak", "cross") in found


def test_copying_the_source_is_an_alarm_and_the_truth_is_none(scored):
    copy = words(verdicts(scored, "copy source", LIMITS))
    assert {key for key, word in copy.items() if word == "alarm"} == {
        ("identity_collapse", "self"), ("identity_collapse", "cross"),
    }  # fmt: skip
    truth = words(verdicts(scored, "ground truth", LIMITS))
    assert truth["identity_collapse", "self"] == truth["mode_collapse", "self"] == "fine"


@pytest.mark.parametrize(
    ("row", "sick"),
    [
        ("alike", {("mode_collapse", "self"), ("mode_collapse", "cross")}),
        ("driver", {("identity_leak", "cross")}),
        ("grey", {("no_face", "self"), ("no_face", "cross")}),
        ("half lost", {("not_finite", "self"), ("not_finite", "cross")}),
    ],
)
def test_each_sickness_shows_in_its_own_verdict(scored, row, sick):
    found = words(verdicts(scored, row, LIMITS))
    assert sick <= {key for key, word in found.items() if word == "alarm"}


def test_masks_of_a_system_are_judged_where_it_has_some(heads):
    pictures, pairs = heads
    system = Mover()
    plain = mask_verdict(system, pictures, pairs, LIMITS, device="cpu")
    assert plain.verdict == "unknown"
    system.masks = lambda sources, driving: {"mix": torch.ones_like(sources.image[:, 0])}
    shut = mask_verdict(system, pictures, pairs, LIMITS, device="cpu")
    assert (shut.verdict, "mix" in shut.meaning) == ("alarm", True)


def test_notes_below_a_table_name_row_and_figure_but_not_what_was_seen_on_val(scored):
    records = [verdict.plain() for verdict in verdicts(scored, "copy source", LIMITS)]
    notes = notes_on([*records, {**records[0], "split": "val"}], "cgan-full-0")
    assert len(notes) == 2
    assert notes[0].startswith("alarm for cgan-full-0: identity collapse on test self: 0 (limit 0.1)")
