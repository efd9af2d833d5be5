"""The history of decisions: a number is given once, and what is taken away or rewritten is noticed."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from reenact.errors import BadInput, NewerFormat, Overtaken, SettingsError, StorageError
from reenact.review.ledger import claim, close, read_ledger, take_over
from reenact.review.records import Decision, digest, read_decision
from reenact.review.workers import PATIENCE, may_be_at_work, this_worker

pytest_plugins = ["registry_fixtures"]
pytestmark = pytest.mark.xdist_group("registered_versions")


def decision(number=1, by="ana", **changes):
    values = {
        "number": number, "at": "2026-01-31T12:00:00+00:00", "by": by, "action": "approve", "version": "1",
        "weights": "w1", "before": {}, "after": {"champion": "1"}, "reason": "better",
    }  # fmt: skip
    return Decision(**{**values, **changes})


def test_a_record_is_read_as_it_was_written():
    made = decision(reason='Größer als "0.1" \\ 表情', override="the judge was broken", previous=digest("x"))
    assert read_decision(made.text()) == made


def test_a_record_that_is_damaged_or_newer_is_refused():
    for text in ("", "{}", "[]", decision().text()[:-5]):
        with pytest.raises(BadInput):
            read_decision(text)
    with pytest.raises(NewerFormat):
        read_decision(json.dumps({**json.loads(decision().text()), "format": 99}))


def test_a_reason_that_no_database_holds_is_refused():
    with pytest.raises(SettingsError, match="too long"):
        decision(reason="x" * 5000).text()


def test_a_number_is_given_once_and_the_second_hears_of_the_first(registry):
    claim(registry.client, registry.model, decision(by="ana"))
    with pytest.raises(Overtaken, match="decision 1 by ana: approve version 1"):
        claim(registry.client, registry.model, decision(by="ben"))
    assert [read_decision(one.text).by for one in read_ledger(registry.client, registry.model)] == ["ana"]


def test_a_claim_whose_answer_got_lost_is_found_again(registry):
    made = decision()
    first = claim(registry.client, registry.model, made)
    assert claim(registry.client, registry.model, made).experiment == first.experiment
    assert len(read_ledger(registry.client, registry.model)) == 1


def test_of_two_who_carry_on_with_one_decision_the_last_one_has_it(registry):
    first = claim(registry.client, registry.model, decision())
    first.check()
    (one,) = read_ledger(registry.client, registry.model)
    second = take_over(registry.client, one)
    second.check()
    with pytest.raises(Overtaken, match="somebody else is finishing decision 1"):
        first.check()
    close(registry.client, registry.model, 1, decision().text(), second.experiment)
    with pytest.raises(Overtaken):
        second.check()
    with pytest.raises(Overtaken):
        take_over(registry.client, one)


def test_whoever_is_late_changes_nothing_more(registry):
    hold = claim(registry.client, registry.model, decision())
    with pytest.raises(StorageError, match="too long"):
        replace(hold, ends=time.monotonic() - 1).check()


def test_a_closed_decision_is_out_of_sight_and_keeps_number_and_record(registry):
    client, model, made = registry.client, registry.model, decision()
    experiment = claim(client, model, made).experiment
    (one,) = read_ledger(client, model)
    assert one.pending
    close(client, model, 1, made.text(), experiment)
    close(client, model, 1, made.text(), experiment)  # by whoever helped
    (one,) = read_ledger(client, model)
    assert not one.active
    assert one.record == one.copy == made.text()
    assert not [each.name for each in client.search_experiments() if model in each.name]
    with pytest.raises(Overtaken):
        claim(client, model, decision(by="ben"))


def test_models_have_ledgers_of_their_own(registry, tmp_path):
    other = registry.another(tmp_path / "other")
    claim(registry.client, registry.model, decision(by="ana"))
    for number in (1, 2):
        claim(other.client, other.model, decision(number=number, by="ben"))
    assert len(read_ledger(registry.client, registry.model)) == 1
    assert len(read_ledger(other.client, other.model)) == 2


@pytest.fixture
def three(registry):
    """Three decisions: version 1 approved, 2 rejected, 3 approved."""
    for _ in range(3):
        registry.add()
    registry.approve("1", by="ana")
    registry.reject("2", by="ben")
    registry.approve("3", by="cem")
    return read_ledger(registry.client, registry.model)


def collect_garbage(registry, one):
    """What `mlflow gc` does to a deleted experiment."""
    registry.client._tracking_client.store._hard_delete_experiment(one.experiment)


def rewrite(registry, one, *, copy):
    """As somebody with access to MLflow could."""
    text = one.text.replace('"by":"ana"', '"by":"eve"')
    assert text != one.text
    registry.client.restore_experiment(one.experiment)
    registry.client.set_experiment_tag(one.experiment, "reenact.decision", text)
    registry.client.delete_experiment(one.experiment)
    if copy:
        registry.client.set_registered_model_tag(registry.model, f"decision.{one.number:06d}", text)


def test_the_history_tells_every_decision_and_nothing_else(registry, three):
    lines = registry.history()
    assert [line.kind for line in lines] == ["decision"] * 3
    assert registry.decided() == [("ana", "approve", "1"), ("ben", "reject", "2"), ("cem", "approve", "3")]
    assert all(line.finished and not line.says for line in lines)
    assert lines[2].decision.previous == digest(three[1].text)
    assert json.loads(json.dumps([line.plain() for line in lines]))[1]["decision"]["by"] == "ben"


def test_records_that_were_collected_as_garbage_are_told_from_their_copies(registry, three):
    for one in three:
        collect_garbage(registry, one)
    lines = registry.history()
    assert [line.decision.by for line in lines] == ["ana", "ben", "cem"]
    assert all("gone" in line.says for line in lines)
    assert registry.approve(registry.add()).number == 4


def test_a_rewritten_record_differs_from_its_copy(registry, three):
    rewrite(registry, three[0], copy=False)
    lines = registry.history()
    assert "rewritten" in lines[0].says
    assert "hashes" in lines[1].says


def test_a_record_rewritten_with_its_copy_breaks_the_chain(registry, three):
    rewrite(registry, three[0], copy=True)
    lines = registry.history()
    assert lines[0].says == ""
    assert "hashes" in lines[1].says
    assert lines[2].says == ""


def test_a_decision_that_was_removed_is_missed(registry, three):
    collect_garbage(registry, three[1])
    registry.client.delete_registered_model_tag(registry.model, "decision.000002")
    lines = registry.history()
    assert [line.kind for line in lines if line.number] == ["decision", "broken", "decision"]
    assert "decision 2 was removed" in lines[1].says


def test_a_copy_that_was_removed_is_missed(registry, three):
    registry.client.delete_registered_model_tag(registry.model, "decision.000002")
    assert "copy" in registry.history()[1].says


def test_an_experiment_of_that_name_made_by_hand_is_no_decision_and_stops_nobody(registry, three):
    registry.client.create_experiment(f"reenact registry/{registry.model}/000004")
    assert registry.reject("1").number == 5
    kinds = [line.kind for line in registry.history()]
    assert kinds == ["decision", "decision", "decision", "broken", "decision"]
    registry.client.create_experiment(f"reenact registry/{registry.model}/900000")
    assert "decisions 6 to 899999 were removed" in registry.history()[5].says


def test_whoever_runs_may_be_at_work_and_whoever_ended_is_not():
    mine = json.loads(this_worker())
    assert may_be_at_work(json.dumps(mine))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not may_be_at_work(json.dumps({**mine, "process": ended.pid}))
    assert not may_be_at_work("")
    assert not may_be_at_work(json.dumps({**mine, "since": time.time() - 2 * PATIENCE}))


def test_of_another_machine_only_the_time_is_known():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    theirs = {**json.loads(this_worker()), "place": "elsewhere", "process": ended.pid}
    assert may_be_at_work(json.dumps(theirs))
    assert not may_be_at_work(json.dumps({**theirs, "since": time.time() - 2 * PATIENCE}))
