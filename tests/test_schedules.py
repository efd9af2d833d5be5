"""Recurring runs: one of a name, never two at work, and whoever was cut off in between calls again."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest

from kfp_api import Fault, KfpApi, kfp_api
from reenact.cluster.api import Api
from reenact.cluster.connection import Connection
from reenact.cluster.credentials import Access
from reenact.cluster.cron import six_fields
from reenact.cluster.schedules import Schedule, delete, schedule, switch
from reenact.cluster.submitting import Submission, prepare
from reenact.errors import ApiRefused, SettingsError, StorageError
from submitted_pipelines import compiled, settings

pytestmark = pytest.mark.xdist_group("kfp_api")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("*/15 8-18 * * MON-FRI", "0 */15 8-18 * * 1,2,3,4,5"),
        ("30 1 1,15 jan-mar ?", "0 30 1 1,15 1,2,3 ?"),
        ("0 0 * * 7", "0 0 0 * * 0"),  # Kubeflow knows Sunday as 0 alone
        ("0 0 * * 5-7", "0 0 0 * * 0,5,6"),
        ("0 0 29 2 *", "0 0 0 29 2 *"),
        ("10 0 3 * * *", "10 0 3 * * *"),
    ],
)
def test_five_fields_become_six_with_seconds_first(written: str, sent: str) -> None:
    assert six_fields(written) == sent


@pytest.mark.parametrize(
    "wrong",
    ["", "0 3 * *", "60 3 * * *", "0 24 * * *", "0 3 0 * *", "0 3 * 13 *", "0 3 * * 8", "0 3 30 2 *", "0 3 * FOO *",
     "a b c d e", "*/0 * * * *", "5-1 * * * *", "1-2-3 * * * *", "@daily", "0 3 * * * * *", "1, * * * *"],
)  # fmt: skip
def test_a_cron_expression_that_never_comes_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="--cron"):
        six_fields(wrong)


@pytest.fixture
def server() -> Iterator[KfpApi]:
    with kfp_api() as api:
        yield api


@pytest.fixture
def api(server: KfpApi) -> Api:
    return Api(Connection(Access(host=server.uri, token=server.token), timeout=5, pause=0.01), namespace="faces")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory):
    """A schedule of the training pipeline with these overrides."""
    folder = compiled(tmp_path_factory.mktemp("compiled"))

    @cache
    def prepared(*overrides: str) -> Submission:
        return prepare(settings(*overrides), pipeline="training", compiled=folder, here=folder, recurring=True)

    def made(*overrides: str, name: str = "nightly", cron: str = "0 3 * * *") -> Schedule:
        return Schedule(submission=replace(prepared(*overrides), name=name), cron=six_fields(cron))

    return made


def at_work(server: KfpApi) -> int:
    return sum(one["status"] == "ENABLED" for one in server.recurring("nightly"))


def test_a_schedule_runs_one_at_a_time_and_makes_up_for_nothing(server: KfpApi, api: Api, wanted) -> None:
    assert schedule(api, wanted()).startswith("nightly: made")
    (sent,) = server.asked("POST", "recurringruns")
    assert (sent["max_concurrency"], sent["no_catchup"], sent["mode"]) == ("1", True, "ENABLE")
    assert sent["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert server.asked("POST", "experiments") == [{"display_name": "reenact", "namespace": "faces"}]


def test_the_same_again_changes_nothing_among_pages_of_others(server: KfpApi, api: Api, wanted) -> None:
    for number in range(7):
        schedule(api, wanted(name=f"other {number}"))
    schedule(api, wanted())
    before = len(server.requests)
    assert "unchanged" in schedule(api, wanted())
    assert {method for method, _, _ in server.requests[before:]} == {"GET"}
    assert len(server.recurring("nightly")) == 1


def test_a_change_replaces_it_and_never_are_two_at_work(server: KfpApi, api: Api, wanted) -> None:
    schedule(api, wanted())
    (old,) = server.recurring("nightly")
    seen: list[int] = []
    server.watch = lambda: seen.append(at_work(server))
    assert "replaced" in schedule(api, wanted("train.samples=7"))
    (new,) = server.recurring("nightly")
    assert new["recurring_run_id"] != old["recurring_run_id"]
    assert new["status"] == "ENABLED"
    assert max(seen) == 1
    assert seen == [1, 0, 1, 1]  # made switched off, the old off, the new on, the old deleted
    assert "replaced" in schedule(api, wanted("train.samples=7", cron="0 4 * * *"))
    assert "replaced" in schedule(api, wanted("train.samples=7", "cluster.experiment=other", cron="0 4 * * *"))
    assert len(server.recurring("nightly")) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "recurringruns$"), ("POST", ":disable$"), ("POST", ":enable$"), ("DELETE", "recurringruns")],
)
@pytest.mark.parametrize("after", [False, True], ids=["not done", "done"])
@pytest.mark.parametrize("then", ["the same", "another"])
def test_whoever_is_cut_off_calls_again(server, api, wanted, method: str, path: str, after: bool, then: str) -> None:
    schedule(api, wanted())
    server.faults = [Fault(method, path, reset=True, after=after)]
    with suppress(StorageError):
        schedule(api, wanted("train.samples=7"))
    assert at_work(server) <= 1
    schedule(api, wanted("train.samples=7" if then == "the same" else "train.samples=8"))
    (left,) = server.recurring("nightly")
    assert left["status"] == "ENABLED"
    asked = left["pipeline_spec"]["pipeline_spec"]["root"]["inputDefinitions"]["parameters"]
    assert ('"samples": 8' in asked["train_told"]["defaultValue"]) == (then == "another")


def test_a_new_one_that_may_not_be_switched_on_leaves_the_old_one_at_work(server: KfpApi, api: Api, wanted) -> None:
    schedule(api, wanted())
    (old,) = server.recurring("nightly")
    server.faults = [Fault("POST", ":enable$", status=403, body='{"message": "not yours"}')]
    with pytest.raises(ApiRefused, match="not allowed"):
        schedule(api, wanted("train.samples=7"))
    assert server.kept["recurringruns"][old["recurring_run_id"]]["status"] == "ENABLED"
    assert at_work(server) == 1


def test_what_somebody_switched_off_stays_off(server: KfpApi, api: Api, wanted) -> None:
    schedule(api, wanted())
    assert "switched off" in switch(api, "nightly", on=False)
    assert "unchanged, but switched off" in schedule(api, wanted())
    assert "still switched off" in schedule(api, wanted("train.samples=7"))
    assert at_work(server) == 0
    switch(api, "nightly", on=True)
    assert at_work(server) == 1
    with pytest.raises(ApiRefused, match="no schedule of that name"):
        switch(api, "weekly", on=True)


def test_a_second_one_of_the_name_goes_away(server: KfpApi, api: Api, wanted) -> None:
    schedule(api, wanted())
    (one,) = server.recurring("nightly")
    server.kept["recurringruns"]["twin"] = {**one, "recurring_run_id": "twin"}
    schedule(api, wanted())
    assert len(server.recurring("nightly")) == 1
    assert at_work(server) == 1


def test_what_was_changed_by_hand_is_put_right(server: KfpApi, api: Api, wanted) -> None:
    schedule(api, wanted())
    server.recurring("nightly")[0]["trigger"] = {"cron_schedule": {"cron": "0 * * * * *"}}
    assert "replaced" in schedule(api, wanted())
    assert server.recurring("nightly")[0]["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}


def test_deleting_leaves_the_runs_and_may_be_done_twice(server: KfpApi, api: Api, wanted) -> None:
    schedule(api, wanted())
    schedule(api, wanted(name="weekly"))
    assert delete(api, "nightly") == "nightly: deleted."
    assert "nothing to delete" in delete(api, "nightly")
    assert [one["display_name"] for one in server.kept["recurringruns"].values()] == ["weekly"]


def test_an_installation_for_one_user_is_told_no_namespace(api: Api, server: KfpApi, wanted) -> None:
    server.multi_user = False
    schedule(api, wanted())
    assert not any("namespace" in query for query in server.queries)
    assert server.asked("POST", "experiments") == [{"display_name": "reenact"}]
