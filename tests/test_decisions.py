"""Decisions about versions: the rules, what moves, and what becomes of it when others decide, meddle or die."""

import signal
import threading
from hashlib import sha256
from itertools import pairwise

import pytest

from deciders import child, first_of_two
from reenact.errors import BadInput, DecisionRefused, Overtaken, SettingsError, StorageError
from reenact.review import decisions, desk
from reenact.review.integrity import fetch_weights
from reenact.review.ledger import claim
from reenact.review.records import Decision
from reenact.review.versions import find, read_versions

pytest_plugins = ["registry_fixtures"]
pytestmark = pytest.mark.xdist_group("registered_versions")


# what moves


def test_an_approved_version_is_champion_and_the_former_one_previous(registry):
    first, second = registry.add(), registry.add()
    registry.approve(first)
    assert registry.aliases() == {"champion": first}
    registry.approve(second, by="ben", reason="less blur")
    assert registry.aliases() == {"champion": second, "previous": first}
    marks = registry.tags(second)
    assert (marks["review"], marks["review.by"], marks["review.reason"]) == ("approved", "ben", "less blur")
    assert marks["review.decision"] == "2"


def test_a_version_that_was_decided_about_waits_no_longer(registry):
    first, second = registry.add(), registry.add()
    registry.name("challenger", first)
    registry.approve("challenger")
    assert registry.aliases() == {"champion": first}
    registry.name("challenger", second)
    registry.reject("challenger")
    assert registry.aliases() == {"champion": first}
    assert registry.tags(second)["review"] == "rejected"


def test_another_challenger_keeps_waiting(registry):
    first, second = registry.add(), registry.add()
    registry.name("challenger", second)
    registry.approve(first)
    assert registry.aliases() == {"champion": first, "challenger": second}


def test_rolling_back_swaps_champion_and_previous_once(registry):
    first, second = registry.add(), registry.add()
    registry.approve(first)
    registry.approve(second)
    done = registry.rollback(by="ben")
    assert (done.version, registry.aliases()) == (first, {"champion": first, "previous": second})
    assert registry.tags(second)["review"] == "rolled back"
    assert registry.tags(first)["review"] == "approved"
    with pytest.raises(DecisionRefused, match="gone back from"):
        registry.rollback()
    registry.approve(second)
    assert registry.aliases() == {"champion": second, "previous": first}


def test_rolling_back_further_than_the_previous_one(registry):
    versions = [registry.add() for _ in range(3)]
    for version in versions:
        registry.approve(version)
    registry.rollback(to=versions[0])
    assert registry.aliases() == {"champion": versions[0], "previous": versions[2]}


def test_nothing_goes_back_to_a_rejected_version(registry):
    first, second = registry.add(), registry.add()
    registry.approve(first)
    registry.approve(second)
    registry.reject(first)
    assert registry.aliases() == {"champion": second}
    with pytest.raises(DecisionRefused, match="was rejected"):
        registry.rollback(to=first)
    with pytest.raises(BadInput, match="no version was champion before"):
        registry.rollback()


def test_a_version_that_never_served_is_nothing_to_go_back_to(registry):
    first, second = registry.add(), registry.add()
    registry.approve(first)
    with pytest.raises(DecisionRefused, match="never was approved"):
        registry.rollback(to=second)
    with pytest.raises(DecisionRefused, match="the champion now"):
        registry.rollback(to=first)


def test_an_approval_is_of_the_weights_that_it_was_about(registry):
    """Also where the model was deleted, and made anew under its name: its numbers begin at 1 again."""
    first = registry.add()
    registry.approve(first)
    registry.approve(registry.add())
    registry.client.delete_registered_model(registry.model)
    with pytest.raises(BadInput, match="no model"):
        registry.rollback()
    registry.client.create_registered_model(registry.model)
    assert registry.add(gate="") == first
    other = registry.add()
    registry.approve(other)
    with pytest.raises(DecisionRefused, match="never was approved with the weights"):
        registry.rollback(to=first)
    assert registry.aliases() == {"champion": other}
    assert registry.reject(first).number == 4


def test_a_model_without_champion_has_a_way_to_one(registry):
    registry.approve(registry.add())
    registry.client.delete_model_version(registry.model, "1")
    with pytest.raises(DecisionRefused, match=r"`reenact registry approve VERSION` makes one\."):
        registry.rollback()


def test_a_name_is_the_same_in_other_code_points(registry):
    version = registry.add(trainer="Zo\u00e9")
    with pytest.raises(DecisionRefused, match="was trained by"):
        registry.approve(version, by="zoe\u0301")


# the rules


@pytest.mark.parametrize(("gate", "says"), [("failed", "failed the gate"), ("", "was never put to the gate")])
def test_without_the_gates_consent_a_reason_of_its_own_is_needed(registry, gate, says):
    version = registry.add(gate=gate)
    with pytest.raises(DecisionRefused, match=says):
        registry.approve(version)
    assert registry.aliases() == {}
    assert registry.decided() == []
    done = registry.approve(version, override="the judge can't see profiles")
    assert (done.gate, done.override) == (gate, "the judge can't see profiles")
    assert "the judge can't see profiles" in registry.tags(version)["review.reason"]


def test_a_verdict_against_an_older_champion_is_none_against_this_one(registry):
    first, second, third = registry.add(against=""), registry.add(against=""), registry.add(against="1")
    registry.approve(first)
    with pytest.raises(DecisionRefused, match="compared by the gate with no champion, and now version 1"):
        registry.approve(second)
    registry.approve(third)


def test_nobody_approves_what_they_trained(registry):
    version = registry.add(trainer="Ana Lee")
    for name in ("Ana Lee", " ana  lee"):
        with pytest.raises(DecisionRefused, match="somebody else"):
            registry.approve(version, by=name, override="I know it is good")
    registry.approve(version, by="ben")


def test_somebody_decides_and_says_why(registry):
    version = registry.add()
    for words in ({"by": " "}, {"reason": ""}, {"reason": "\n \t"}, {"by": "x" * 200}, {"reason": "x" * 6000}):
        with pytest.raises(SettingsError):
            registry.approve(version, **words)
        with pytest.raises(SettingsError):
            registry.reject(version, **words)
    assert registry.decided() == []


def test_reasons_are_kept_as_one_line_in_any_language(registry):
    done = registry.approve(registry.add(), reason='Schärfer,\n "表情" \x1b[31mbleibt')
    assert done.reason == 'Schärfer, "表情" [31mbleibt'
    assert registry.history()[0].decision.reason == done.reason


def test_what_is_decided_already_is_said(registry):
    first, second = registry.add(), registry.add()
    registry.approve(first)
    registry.reject(second)
    with pytest.raises(DecisionRefused, match=r"champion already .*decision 1 by ana"):
        registry.approve(first, by="ben")
    with pytest.raises(DecisionRefused, match=r"rejected already .*decision 2 by ana"):
        registry.reject(second, by="ben")
    with pytest.raises(DecisionRefused, match="rollback"):
        registry.reject(first)
    assert len(registry.decided()) == 2


def test_a_rejected_version_may_be_approved_later(registry):
    version = registry.add()
    registry.reject(version)
    registry.approve(version, by="ben", reason="the judge was wrong")
    assert registry.tags(version)["review"] == "approved"
    assert registry.outside() == []


def test_the_gate_cannot_pass_over_itself(registry):
    failed, passed = registry.add(gate="failed"), registry.add()
    with pytest.raises(DecisionRefused):
        registry.approve(failed, by=decisions.AUTO, override="why not")
    with pytest.raises(DecisionRefused):
        registry.approve(failed, by=decisions.AUTO)
    assert registry.approve(passed, by=decisions.AUTO).by == "auto"


def test_the_gate_promotes_nothing_that_people_decided_about(registry):
    first, second, third = registry.add(), registry.add(), registry.add()
    registry.reject(first, by="ana")
    registry.approve(second, by=decisions.AUTO)
    registry.approve(third, by=decisions.AUTO)
    registry.rollback(by="ben")
    for version, who in ((first, "ana"), (third, "ben")):
        with pytest.raises(DecisionRefused, match=f"a person decided about it .*by {who}"):
            registry.approve(version, by=decisions.AUTO)
    assert registry.aliases() == {"champion": second, "previous": third}


def test_names_of_versions_that_are_not_there_are_answered_with_those_that_are(registry):
    with pytest.raises(BadInput, match="no challenger waits"):
        registry.approve("challenger")
    registry.add()
    registry.add()
    with pytest.raises(BadInput, match="no version 7; known: 1, 2"):
        registry.approve("7")
    with pytest.raises(BadInput, match="no version is champion"):
        find(registry.client, registry.model, "champion")
    registry.name("challenger", "2")
    with pytest.raises(BadInput, match='did you mean "challenger"'):
        registry.approve("chalenger")
    with pytest.raises(BadInput, match="no model"):
        read_versions(registry.client, "nobody's")


def test_versions_are_listed_newest_first_with_their_aliases(registry):
    for _ in range(11):
        registry.add()
    registry.name("challenger", "11")
    registry.approve("2")
    found = read_versions(registry.client, registry.model)
    assert [one.version for one in found] == [str(number) for number in range(11, 0, -1)]
    assert {one.version: one.aliases for one in found if one.aliases} == {"11": ("challenger",), "2": ("champion",)}


# the weights


def test_weights_that_were_changed_since_are_noticed_before_use(registry):
    first, second = registry.add(), registry.add()
    registry.approve(first)
    registry.approve(second)
    (registry.weights(first) / "model.safetensors").write_bytes(b"others")
    with pytest.raises(BadInput, match="not those that were registered"):
        registry.rollback()
    third = registry.add()
    others = b"others, with a card that fits"
    (registry.weights(third) / "model.safetensors").write_bytes(others)
    (registry.weights(third) / "model.json").write_text(f'{{"sha256": "{sha256(others).hexdigest()}"}}')
    with pytest.raises(BadInput, match="not those that were registered"):
        registry.approve(third)
    assert registry.aliases() == {"champion": second, "previous": first}


def test_weights_that_cannot_be_had_or_compared_are_not_approved(registry):
    lost, strange = registry.add(), registry.add()
    (registry.weights(lost) / "model.safetensors").unlink()
    with pytest.raises(BadInput, match=r"no model\.safetensors"):
        registry.approve(lost)
    registry.client.delete_model_version_tag(registry.model, strange, "weights_sha256")
    with pytest.raises(BadInput, match="no tag weights_sha256"):
        registry.approve(strange)
    assert registry.decided() == []


def test_fetched_weights_are_the_registered_ones(registry, tmp_path):
    version = registry.add(weights=b"these")
    (tmp_path / "here").mkdir()
    folder = fetch_weights(registry.client, find(registry.client, registry.model, version), tmp_path / "here")
    assert (folder / "model.safetensors").read_bytes() == b"these"


# what is done in MLflow itself


def test_a_champion_made_in_mlflow_itself_is_shown_and_can_be_decided_about(registry):
    first, second = registry.add(), registry.add()
    registry.name("champion", first)
    assert "champion was version 1 and had been left at no version" in registry.outside()[0]
    registry.approve(second)
    assert registry.aliases() == {"champion": second, "previous": first}
    assert [line.kind for line in registry.history()] == ["outside", "decision"]
    registry.name("champion", first)
    assert [line.kind for line in registry.history()] == ["outside", "decision", "outside"]
    assert registry.approve(first).before == {"champion": first, "previous": first}
    assert [line.kind for line in registry.history()] == ["outside", "decision", "outside", "decision"]


def test_tags_changed_in_mlflow_itself_are_shown(registry):
    first, second = registry.add(), registry.add()
    registry.approve(first)
    registry.client.set_model_version_tag(registry.model, second, "review", "approved")
    registry.client.set_model_version_tag(registry.model, first, "weights_sha256", "0" * 64)
    told = registry.outside()
    assert any("Version 2" in one and "approved" in one for one in told)
    assert any("Version 1 has other weights" in one for one in told)


def test_a_champion_that_was_deleted_is_missed(registry):
    registry.approve(registry.add())
    registry.client.delete_model_version(registry.model, "1")
    assert "champion was no version and had been left at version 1" in registry.outside()[0]


# others who decide


def test_whoever_comes_second_is_told_and_changes_nothing(registry, monkeypatch):
    first, second = registry.add(), registry.add()
    check = decisions.check_weights

    def meanwhile(client, version):
        check(client, version)
        monkeypatch.setattr(decisions, "check_weights", check)
        registry.approve(second, by="ben")

    monkeypatch.setattr(decisions, "check_weights", meanwhile)
    with pytest.raises(Overtaken, match="decision 1 by ben: approve version 2"):
        registry.approve(first, by="ana")
    assert registry.aliases() == {"champion": second}
    assert registry.decided() == [("ben", "approve", second)]
    assert "review" not in registry.tags(first)


def test_threads_that_decide_at_once_leave_one_order_of_events(registry):
    people = ["ana", "ben", "cem", "dua"]
    versions = dict(zip(people, (registry.add() for _ in people), strict=True))
    start, done, refused, other = threading.Barrier(len(people)), [], [], []

    def decide(name):
        start.wait()
        try:
            done.append(registry.approve(versions[name], by=name))
        except Overtaken as error:
            refused.append(error)
        except BaseException as error:
            other.append(error)

    threads = [threading.Thread(target=decide, args=(name,)) for name in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other == []
    assert len(done) + len(refused) == len(people)
    told = [line.decision for line in registry.history()]
    assert told == sorted(done, key=lambda one: one.number)
    assert [one.number for one in told] == list(range(1, len(done) + 1))
    assert all(later.before == earlier.after for earlier, later in pairwise(told))
    assert registry.aliases()["champion"] == told[-1].version
    assert registry.outside() == []


def test_of_two_processes_that_decide_at_once_one_is_refused(registry):
    winner, by = first_of_two(registry, [registry.add(against=""), registry.add(against="")])
    assert registry.aliases() == {"champion": winner}
    assert registry.decided() == [(by, "approve", winner)]


# those who die


def test_what_a_killed_process_left_is_finished_by_the_next_decision(registry):
    first, second = registry.add(), registry.add()
    one = child(registry, first, "ana", fault="dies")
    one.communicate("\n", timeout=120)
    assert one.returncode == -signal.SIGKILL
    assert registry.aliases() == {}
    (line,) = registry.history()
    assert not line.finished
    registry.reject(second, by="ben")
    assert registry.aliases() == {"champion": first}
    assert registry.decided() == [("ana", "approve", first), ("ben", "reject", second)]
    assert all(line.finished and not line.says for line in registry.history())


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("set_model_version_tag", KeyboardInterrupt),
        ("set_registered_model_alias", KeyboardInterrupt),
        ("set_registered_model_alias", ConnectionError),
        ("set_registered_model_tag", KeyboardInterrupt),
        ("delete_experiment", ConnectionError),
    ],
)
def test_stopped_anywhere_the_same_command_again_finishes(registry, monkeypatch, call, error):
    from mlflow import MlflowClient

    old, new = registry.add(), registry.add()
    registry.approve(old)
    registry.name("challenger", new)

    def stopped(*ignored, **named):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, stopped)
        with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else StorageError):
            registry.approve("challenger", by="ben")
    assert registry.approve("challenger", by="ben").number == 2
    assert registry.aliases() == {"champion": new, "previous": old}
    assert registry.decided() == [("ana", "approve", old), ("ben", "approve", new)]
    assert all(line.finished and not line.says for line in registry.history())
    assert not [one.name for one in registry.client.search_experiments() if registry.model in one.name]


def test_nobody_takes_over_from_a_process_that_runs(registry):
    first, second = registry.add(), registry.add()
    pending = Decision(
        number=1, at="2026-01-31T12:00:00+00:00", by="ana", action="approve", version=first, weights="w",
        before={}, after={"champion": first}, reason="sharper",
    )  # fmt: skip
    claim(registry.client, registry.model, pending)  # by this process, which is not dead
    with pytest.raises(Overtaken, match="right now"):
        registry.reject(second, by="ben")
    assert registry.aliases() == {}


def test_whoever_was_taken_for_dead_stops_when_he_wakes_up(registry, monkeypatch):
    first, second = registry.add(), registry.add()
    carry_out = decisions.carry_out

    def asleep(client, model, decision, *, in_time):
        monkeypatch.setattr(decisions, "carry_out", carry_out)
        monkeypatch.setattr(desk, "may_be_at_work", lambda worker: False)
        registry.reject(second, by="ben")
        carry_out(client, model, decision, in_time=in_time)

    monkeypatch.setattr(decisions, "carry_out", asleep)
    with pytest.raises(StorageError, match=r"decision 1 by ana.* somebody else is carrying it out"):
        registry.approve(first, by="ana")
    assert registry.decided() == [("ana", "approve", first), ("ben", "reject", second)]
    assert registry.aliases() == {"champion": first}
    assert all(line.finished and not line.says for line in registry.history())


def test_a_version_that_was_deleted_meanwhile_stops_nobody(registry):
    first, second = registry.add(), registry.add()
    one = child(registry, first, "ana", fault="dies")
    one.communicate("\n", timeout=120)
    registry.client.delete_model_version(registry.model, first)
    registry.approve(second, by="ben")
    assert registry.aliases() == {"champion": second}
    assert "champion was no version and had been left at version 1" in registry.outside()[0]
