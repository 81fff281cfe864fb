"""What follows a failure, who waits for whom, and what an operator can say about it."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from datetime import timedelta

import pytest

from pipeline.control.operator.requests import Request
from pipeline.control.workers.job import Job
from pipeline.market.sessions import exchange_sessions
from tests.pipeline.control.world import DAY, HOUR, MINUTE, World, at

MONDAY = at("2024-03-04T15:00")
LINE = """
[groups.lake]
in_order = true
[tasks.cycle]
run = "cycle"
trigger = "close+20m"
group = "lake"
retries = 2
back_off = "1m"
on_failure = "stop"
catch_up = "all"
window = "100d"
[tasks.retrain]
run = "train"
trigger = "daily 18:00"
after = ["cycle"]
group = "lake"
[tasks.other]
run = "maintain"
trigger = "daily 16:21"
"""


def single(failover: str, **more: str) -> str:
    extra = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[tasks.cycle]\nrun = "cycle"\ntrigger = "close+20m"\nretries = 2\non_failure = "{failover}"\n{extra}'


def fails(task: str, slot: str = "") -> object:
    return lambda order: "no network" if order.task == task and order.slot.startswith(slot) else ""


def world(manifest: str, fate: object, **given: object) -> World:
    return World(manifest, MONDAY, fate=fate, **given)  # type: ignore[arg-type]


def ask(here: World, action: str, target: str, name: str = "r1") -> Request:
    request = Request(request_id=name, requested_at=here.clock.now(), origin="cli", action=action, target=target)
    here.requests.append(request)
    return request


def attempts(here: World, task: str, slot: str) -> list[Job]:
    return [order for order in here.hands.begun if (order.task, order.slot) == (task, slot)]


def test_a_failed_attempt_is_tried_again_with_growing_pauses_and_then_given_up() -> None:
    here = world(single("skip"), fails("cycle", "2024-03-04"))
    here.run(2 * DAY)
    starts = [event.at for event in here.events if event.slot == "2024-03-04" and event.state == "started"]
    pauses = [(later - earlier - 5 * MINUTE) for earlier, later in itertools.pairwise(starts)]
    assert pauses == [timedelta(minutes=1), timedelta(minutes=2)]
    assert [event.follows for event in here.events if event.slot == "2024-03-04" and event.state == "failed"] == [
        "retry",
        "retry",
        "give-up",
    ]
    assert here.ran("cycle")["2024-03-05"] == 1, "the next session runs all the same"


def test_retrying_goes_on_until_the_window_has_passed_and_then_the_slot_is_listed_as_passed_over() -> None:
    here = world(single("retry", window='"3h"'), fails("cycle", "2024-03-04"))
    here.run(DAY)
    assert len(attempts(here, "cycle", "2024-03-04")) > 5
    assert here.states("cycle", "skipped") == ["2024-03-04"]


def test_another_source_gets_a_round_of_its_own_before_the_slot_is_given_up() -> None:
    here = world(single("source:files"), lambda order: "" if order.fallback else "the vendor is down")
    here.run(DAY)
    assert [order.fallback for order in attempts(here, "cycle", "2024-03-04")] == ["", "", "", "files"]
    assert here.ran("cycle")["2024-03-04"] == 1


def test_a_stopped_line_holds_its_own_slots_and_dependents_but_nobody_else() -> None:
    here = world(LINE, fails("cycle", "2024-03-05"))
    here.run(3 * DAY)
    assert here.ran("cycle") == Counter({"2024-03-04": 1})
    assert set(here.ran("retrain")) == {"2024-03-04"}
    assert set(here.ran("other")) == {"2024-03-04", "2024-03-05", "2024-03-06"}
    assert any(waiting.stopped and waiting.slot == "2024-03-05" for waiting in here.result.waiting)


def test_an_operator_lets_a_stopped_line_go_on_and_it_catches_up_in_order() -> None:
    broken = {"2024-03-05"}
    here = world(LINE, lambda order: "broken" if order.task == "cycle" and order.slot in broken else "")
    here.run(3 * DAY)
    broken.clear()
    ask(here, "retry", "cycle/2024-03-05")
    here.run(DAY)
    assert [slot for task, slot, _ in here.hands.done if task == "cycle"] == [
        "2024-03-04",
        "2024-03-05",
        "2024-03-06",
        "2024-03-07",
    ]
    assert here.states("request:retry", "done") == ["r1"]


def test_an_operator_passes_over_a_stopped_slot() -> None:
    here = world(LINE, fails("cycle", "2024-03-05"))
    here.run(2 * DAY)
    ask(here, "skip", "cycle/2024-03-05")
    here.run(2 * DAY)
    assert set(here.ran("cycle")) == {"2024-03-04", "2024-03-06", "2024-03-07"}


def test_what_is_due_later_never_overtakes_a_retry_in_a_group_that_keeps_order() -> None:
    first_tries = {("cycle", "2024-03-04"), ("cycle", "2024-03-05")}
    here = world(
        LINE,
        lambda order: "once" if (order.task, order.slot) in first_tries and order.attempt == 0 else "",
        takes=50 * MINUTE,
    )
    here.run(3 * DAY)
    order = [(slot, task) for task, slot, _ in here.hands.done if task in ("cycle", "retrain")]
    assert order == sorted(order), "each day's cycle comes before what was due after it"
    assert here.hands.overlapping == 0


def test_those_that_depend_on_a_slot_that_was_given_up_are_left_out_and_on_the_last_good_go_ahead() -> None:
    dependent = '[tasks.report]\nrun = "maintain"\ntrigger = "close+1h"\nafter = ["cycle"]\n'
    for failover, runs in (("skip", 0), ("last-good", 1)):
        here = world(single(failover) + dependent, fails("cycle"))
        here.run(DAY)
        assert here.ran("report")["2024-03-04"] == runs
        assert ("2024-03-04" in here.states("report", "skipped")) is not bool(runs)


def test_a_hung_worker_is_over_at_its_deadline_and_other_tasks_were_not_late() -> None:
    here = world(LINE, lambda order: "hang" if order.task == "cycle" else "")
    here.run(DAY)
    other = next(event for event in here.events if event.task == "other" and event.state == "started")
    assert other.at - other.due_at <= MINUTE


def test_a_request_runs_once_however_often_it_is_read_and_a_cancelled_one_not_at_all() -> None:
    here = world(LINE, fails("nothing"))
    ask(here, "cycle", "", "now")
    here.run(HOUR)
    here.kill()
    here.begin()
    here.run(HOUR)
    assert here.ran("request:cycle") == Counter({"now": 1})
    ask(here, "train", "", "first")
    ask(here, "maintain", "", "second")
    ask(here, "cancel", "second", "stop-it")
    here.run(HOUR)
    assert here.ran("request:train") == Counter({"first": 1})
    assert not here.ran("request:maintain")
    assert here.states("request:cancel", "done") == ["stop-it"]


def test_what_neither_runs_nor_is_owed_cannot_be_cancelled_and_the_operator_is_told() -> None:
    here = world(LINE, fails("nothing"))
    here.run(DAY)
    ask(here, "cancel", "cycle/2024-03-04", "over")
    ask(here, "cancel", "cycle/2030-01-02", "never")
    here.run(HOUR)
    said = {event.slot: (event.state, event.reason) for event in here.events if event.task == "request:cancel"}
    assert said["over"] == ("failed", "'cycle/2024-03-04' has ended: it was done")
    assert said["never"] == ("failed", "'cycle/2030-01-02' neither runs nor is due")


def test_a_running_attempt_is_cancelled_and_stays_cancelled() -> None:
    here = world(LINE, fails("nothing"), takes=2 * HOUR)
    here.run(7 * HOUR)
    assert [event.task for event in here.result.running if event.task == "cycle"] == ["cycle"]
    here.hands.hands[("cycle", "2024-03-04")].fate = "stopped"
    ask(here, "cancel", "cycle/2024-03-04")
    here.run(HOUR)
    assert here.states("cycle", "cancelled") == ["2024-03-04"]
    here.run(HOUR)
    assert len(attempts(here, "cycle", "2024-03-04")) == 1


def test_a_request_that_nobody_could_carry_out_is_answered_in_words() -> None:
    here = world(LINE, fails("nothing"))
    ask(here, "run", "sentment", "typo")
    ask(here, "task", "cycel", "typo2")
    old = Request(request_id="old", requested_at=here.clock.now() - 2 * DAY, origin="cli", action="cycle")
    here.requests.append(old)
    here.turn()
    reasons = {event.slot: event.reason for event in here.events}
    assert "did you mean 'sentiment'" in reasons["typo"]
    assert "no task 'cycel'" in reasons["typo2"]
    assert "1 day" in reasons["old"]


@pytest.mark.parametrize("seed", [*range(10), *(pytest.param(n, marks=pytest.mark.slow) for n in range(10, 40))])
def test_a_month_of_random_faults_runs_every_session_once_and_in_order(seed: int) -> None:
    draw = random.Random(seed)

    def fate(order: Job) -> str:
        return draw.choice(["", "", "", "broke", "hang"]) if order.attempt < 2 else ""

    here = world(LINE.replace('"1m"', '"10s"'), fate)
    while here.clock.now() < MONDAY + 30 * DAY:
        here.run(timedelta(minutes=draw.randrange(1, 2_000)))
        match draw.randrange(5):
            case 0:
                here.kill()
                if draw.random() < 0.5:
                    here.hands.reboot()
                here.run(timedelta(minutes=draw.randrange(1, 600)))
                here.begin()
            case 1:
                here.sleep(timedelta(minutes=draw.randrange(1, 2_000)))
            case 2:
                shift = timedelta(minutes=draw.randrange(-60, 60))
                here.clock.shift_wall(shift)
                here.run(20 * MINUTE)
                here.clock.shift_wall(-shift)
    here.run(3 * DAY)
    done = [slot for task, slot, _ in here.hands.done if task == "cycle"]
    sessions = [day.isoformat() for day in exchange_sessions().between(MONDAY.date(), (here.clock.now() - DAY).date())]
    assert done[: len(sessions)] == sessions, f"seed {seed}"
    assert here.hands.overlapping == 0, f"seed {seed}"
