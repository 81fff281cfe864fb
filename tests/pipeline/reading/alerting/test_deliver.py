"""Each change arrives once by each channel, through faults and crashes; what may have arrived is repeated once."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.errors import StorageError
from lake.store import Lake
from lake.tables.alerts import ALERT_DELIVERIES, ALERTS
from pipeline.alerts.channel import Begin, Channel, note_nothing
from pipeline.alerts.message import Message
from pipeline.alerts.params import AlertParams, WebhookParams
from pipeline.alerts.webhook import WebhookChannel
from pipeline.reading.alerting.conditions import AlertState
from pipeline.reading.alerting.deliver import deliver
from pipeline.reading.alerting.failing_channels import find_failing_channels
from pipeline.reading.alerting.record import begin_watch, notice, read_alerts
from pipeline.reading.alerting.told import list_told, send_test
from tests.loopback.hooks import Hook, posted_to
from tests.new_lake import new_lake

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE, QUARTER, HOUR = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1)
PARAMS = AlertParams(max_seconds=5)


class PowerCutError(BaseException):
    """The daemon died at this point."""


@dataclass
class Dying:
    """A channel whose daemon dies before or after it has sent, as chance has it."""

    channel: Channel
    chance: random.Random
    before: float = 0.0
    after: float = 0.0
    name = "webhook"

    def send(self, message: Message, seconds: float, begin: Begin = note_nothing) -> None:
        if self.chance.random() < self.before:
            raise PowerCutError
        try:
            self.channel.send(message, seconds, begin)
        finally:
            if self.chance.random() < self.after:
                raise PowerCutError


def verdict(state: str) -> AlertState:
    return AlertState(kind="verdict", about="", state=state, severity="error", words=f"The verdict is {state}")


def webhook(hook: Hook) -> WebhookChannel:
    return WebhookChannel(WebhookParams(url=hook.url))


def arrived(hook: Hook) -> list[tuple[str, bool]]:
    """Alert and whether the message said it may be a repeat, in the order of arrival."""
    messages = [json.loads(body) for body in hook.taken]
    return [(alert["alert_id"], message["repeat"]) for message in messages for alert in message["alerts"]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path / "lake")


def test_a_change_is_told_once_however_often_it_is_looked_at(lake: Lake) -> None:
    with posted_to(Hook()) as hook:
        for step, state in enumerate(["ok", "fail: disk", "fail: disk", "fail: disk", "ok", "ok"]):
            notice(lake, [verdict(state)], BEGIN + step * MINUTE)
            deliver(lake, [webhook(hook)], PARAMS, BEGIN + step * MINUTE)
    said = [json.loads(body)["alerts"][0] for body in hook.taken]
    assert [(one["previous"], one["state"]) for one in said] == [("ok", "fail: disk"), ("fail: disk", "ok")]
    assert [one["told"] for one in list_told(lake, 10)] == [{"webhook": "sent"}] * 2


def test_after_a_crash_between_sending_and_recording_it_is_repeated_once_and_says_so(lake: Lake) -> None:
    chance = random.Random(1)
    notice(lake, [verdict("fail")], BEGIN)
    with posted_to(Hook()) as hook:
        for step in range(4):
            with pytest.raises(PowerCutError) if step < 2 else nullcontext():
                deliver(lake, [Dying(webhook(hook), chance, after=1.0)], PARAMS, BEGIN + step * MINUTE)
    assert [repeat for _, repeat in arrived(hook)] == [False, True]
    assert list_told(lake, 1)[0]["told"] == {"webhook": "abandoned"}


def test_a_daemon_that_dies_before_it_sends_however_often_loses_nothing_and_repeats_nothing(lake: Lake) -> None:
    notice(lake, [verdict("fail")], BEGIN)
    with posted_to(Hook()) as hook:
        for step in range(5):
            with pytest.raises(PowerCutError):
                deliver(lake, [Dying(webhook(hook), random.Random(1), before=1.0)], PARAMS, BEGIN + step * MINUTE)
        deliver(lake, [webhook(hook)], PARAMS, BEGIN + QUARTER)
    assert [repeat for _, repeat in arrived(hook)] == [False]


def test_nothing_goes_out_that_cannot_be_put_on_record(lake: Lake) -> None:
    def refuse() -> None:
        raise StorageError("the disk is full")

    line = read_alerts(lake) or notice(lake, [verdict("fail")], BEGIN)
    message = Message(delivery_id="d", lake="main", alerts=tuple(line))
    with posted_to(Hook()) as hook, pytest.raises(StorageError, match="the disk is full"):
        webhook(hook).send(message, 5, refuse)
    assert hook.taken == []


def test_a_channel_that_fails_for_long_or_gives_up_is_told_until_it_works_again(lake: Lake) -> None:
    notice(lake, [verdict("fail")], BEGIN)
    with posted_to(Hook(answer=lambda: "refuse")) as hook:
        for minute in range(0, 90, 10):
            deliver(lake, [webhook(hook)], PARAMS, BEGIN + minute * MINUTE)
        assert find_failing_channels(lake, BEGIN + 50 * MINUTE) == []
        (failing,) = find_failing_channels(lake, BEGIN + 90 * MINUTE)
        assert (failing.name, failing.since, failing.given_up) == ("webhook", BEGIN, 0)
        assert "status 503" in failing.error
        deliver(lake, [webhook(hook)], PARAMS, BEGIN + 30 * HOUR)
        (failing,) = find_failing_channels(lake, BEGIN + 30 * HOUR)
        assert failing.given_up == 1
        hook.answer = lambda: "take"
        notice(lake, [verdict("ok")], BEGIN + 31 * HOUR)
        deliver(lake, [webhook(hook)], PARAMS, BEGIN + 31 * HOUR)
        assert find_failing_channels(lake, BEGIN + 31 * HOUR) == []


def test_what_certainly_did_not_arrive_is_tried_again_with_pauses_and_is_no_repeat(lake: Lake) -> None:
    fates = iter(["refuse", "refuse", "take"])
    notice(lake, [verdict("fail")], BEGIN)
    with posted_to(Hook(answer=lambda: next(fates))) as hook:
        for minute in range(6):
            deliver(lake, [webhook(hook)], PARAMS, BEGIN + minute * MINUTE)
    assert [repeat for _, repeat in arrived(hook)] == [False]
    rows = lake.read(ALERT_DELIVERIES).filter(pl.col("state") != "sending").sort("at")
    assert rows["state"].to_list() == ["failed", "failed", "sent"]
    assert [(at - BEGIN) // MINUTE for at in rows["at"]] == [0, 1, 3]
    assert "status 503" in rows["error"][0]


def test_beyond_the_hours_messages_changes_wait_and_come_in_one(lake: Lake) -> None:
    with posted_to(Hook()) as hook:
        for step in range(10):
            now = BEGIN + step * 10 * MINUTE
            notice(lake, [verdict("fail" if step % 2 else "warn")], now)
            deliver(lake, [webhook(hook)], AlertParams(max_seconds=5, max_per_hour=2), now)
    assert [len(json.loads(body)["alerts"]) for body in hook.taken] == [1, 1, 5, 1]
    assert set(Counter(arrived(hook)).values()) == {1}


def test_one_channel_that_is_down_holds_up_no_other_and_failures_before_the_first_look_are_old_news(lake: Lake) -> None:
    assert begin_watch(lake, BEGIN) == BEGIN
    assert begin_watch(lake, BEGIN + QUARTER) == BEGIN
    notice(lake, [verdict("fail")], BEGIN)
    down = Dying(WebhookChannel(WebhookParams(url="http://127.0.0.1:9/")), random.Random(1))
    down.name = "email"
    with posted_to(Hook()) as hook:
        deliver(lake, [down, webhook(hook)], PARAMS, BEGIN)
    assert list_told(lake, 5)[0]["told"] == {"email": "failed", "webhook": "sent"}


def test_a_test_message_goes_at_once_and_is_on_record(lake: Lake) -> None:
    with posted_to(Hook()) as hook:
        (result,) = send_test(lake, [webhook(hook)], PARAMS, BEGIN)
        deliver(lake, [webhook(hook)], PARAMS, BEGIN + MINUTE)
    assert (result["state"], result["error"]) == ("sent", "")
    assert len(hook.taken) == 1 and "This is a test" in hook.taken[0]
    assert lake.read(ALERTS)["kind"].to_list() == ["test"]


def live(lake: Lake, days: int, seed: int) -> tuple[Hook, set[str]]:
    """So many days of a server with faults and a daemon that dies, with a look every half hour; and the changes."""
    chance = random.Random(seed)
    fates = ["take"] * 8 + ["refuse", "drop"]
    states = dict.fromkeys(("cycle", "raw_prices", "raw_news"), "on time")
    noticed: set[str] = set()
    with posted_to(Hook(answer=lambda: chance.choice(fates))) as hook:
        channel = Dying(webhook(hook), chance, before=0.1, after=0.1)
        for step in range(days * 48):
            for about in states:
                if chance.random() < 0.05:
                    states[about] = "late" if states[about] == "on time" else "on time"
            now = BEGIN + step * 2 * QUARTER
            found = [
                AlertState(kind="late", about=about, state=state, severity="warning", words=f"{about} is {state}")
                for about, state in states.items()
            ]
            noticed |= {one.alert_id for one in notice(lake, found, now)}
            try:
                deliver(lake, [channel], PARAMS, now)
            except PowerCutError:
                lake = Lake.open(lake.path)
        hook.answer = lambda: "take"
        for step in range(8):  # the last ones
            deliver(lake, [webhook(hook)], PARAMS, BEGIN + timedelta(days=days) + step * QUARTER)
    return hook, noticed


def judge(hook: Hook, noticed: set[str]) -> None:
    """Hold it that every change arrived, and twice only where the second says that it may be a repeat."""
    found: dict[str, list[bool]] = {}
    for alert_id, repeat in arrived(hook):
        found.setdefault(alert_id, []).append(repeat)
    assert set(found) == noticed
    assert all(not any(repeats[:1]) or len(repeats) == 1 for repeats in found.values())
    assert all(len(repeats) <= 2 and all(repeats[1:]) for repeats in found.values())


def test_a_day_of_faults_and_crashes_loses_nothing_and_repeats_once(lake: Lake) -> None:
    hook, noticed = live(lake, 1, seed=2)
    assert len(noticed) > 4
    judge(hook, noticed)


@pytest.mark.slow
def test_a_month_of_faults_and_crashes_loses_nothing_and_repeats_once(lake: Lake) -> None:
    hook, noticed = live(lake, 30, seed=5)
    assert len(noticed) > 150
    judge(hook, noticed)
    assert any(repeat for _, repeat in arrived(hook))
