"""Each (task, slot) runs exactly as its policy says: nothing lost, nothing twice, and no edit runs the past again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from time import process_time
from zoneinfo import ZoneInfo

import pytest

from pipeline.market.sessions import Sessions, exchange_sessions
from tests.frames.sessions import weekday_sessions
from tests.pipeline.control.world import DAY, HOUR, MINUTE, World, at, check_each

WINDOW = {"none": 5 * MINUTE, "last": DAY, "all": 400 * DAY}
POLICIES = tuple(WINDOW)
TRIGGERS = {"cycle": "close+20m", "report": "daily 07:00", "open": "open-30m"}
SEEDS, MORE_SEEDS = range(3), range(3, 9)
ZONES = ("America/New_York", "Europe/London", "Europe/Berlin", "Australia/Sydney", "America/Santiago")
YEARS, MORE_YEARS = (2016, 2025), range(2017, 2025)


def schedule(policy: str, **triggers: str) -> str:
    """Tasks of one policy, each free of the others."""
    window = 'window = "400d"' if policy == "all" else ""
    tasks = [
        f'[tasks.{name}]\nrun = "cycle"\ntrigger = "{text}"\ncatch_up = "{policy}"\nretries = 3\n{window}'
        for name, text in (triggers or TRIGGERS).items()
    ]
    if policy == "none":  # pauses that add up to more than a slot may be late would contradict
        tasks = [task.replace("retries = 3", 'retries = 3\nback_off = "10s"') for task in tasks]
    return 'exchange = "XNYS"\nzone = "America/New_York"\n' + "\n".join(tasks)


def dues(trigger: str, calendar: Sessions, first: datetime, last: datetime) -> list[tuple[datetime, str]]:
    """What is due, worked out from the calendar by other means than the program's."""
    zone = ZoneInfo("America/New_York")
    day, found = first.date() - DAY, []
    while day <= last.date() + DAY:
        if trigger == "daily 07:00":
            found.append((datetime.combine(day, time(7), zone).astimezone(UTC), day.isoformat()))
        elif calendar.is_session(day):
            due = (
                calendar.close_at(day) + 20 * MINUTE if trigger == "close+20m" else calendar.open_at(day) - 30 * MINUTE
            )
            found.append((due, day.isoformat()))
        day += DAY
    return [(due, slot) for due, slot in found if first <= due <= last]


def expected(trigger: str, policy: str, calendar: Sessions, awake: list[tuple[datetime, datetime]]) -> Counter[str]:
    """The slots that have to run once, given when a daemon was awake."""
    slots = dues(trigger, calendar, awake[0][0], awake[-1][1])
    wanted: Counter[str] = Counter()
    for due, slot in slots:
        seen = next((max(due, begin) for begin, end in awake if end >= due), None)
        if seen is None or seen - due > WINDOW[policy]:
            continue
        superseded = any(due < other <= seen for other, _ in slots)
        if policy == "all" or not superseded:
            wanted[slot] += 1
    return wanted


def start_of(seed: int) -> datetime:
    """A weekday noon in New York somewhere in five years, so that a session's slots lie ahead."""
    day = date(2019, 1, 2) + timedelta(days=random.Random(seed).randrange(1_700))
    while day.weekday() > 3:
        day += timedelta(days=1)
    return datetime.combine(day, time(17), UTC)


def outages(kind: str, seed: int) -> tuple[timedelta, timedelta]:
    """How long the daemon runs before it is away, and how long it is away."""
    draw = random.Random(f"{kind}{seed}")
    before = timedelta(minutes=draw.randrange(1, 3 * 24 * 60))
    length = {
        "8 hours": 8 * HOUR,
        "3 days": 3 * DAY,
        "5 weeks": 35 * DAY,
        "10 months": 304 * DAY,
        "10 minutes": 10 * MINUTE,
    }[kind]
    return before, length


HOW = ("asleep", "killed")


def test_what_fell_due_while_nobody_was_awake_is_caught_up_as_the_policy_says() -> None:
    kinds = [*product(("8 hours", "3 days", "10 minutes"), SEEDS), ("5 weeks", 0)]
    check_each(((*one, *two) for one, two in product(product(HOW, POLICIES), kinds)), check_catch_up)


@pytest.mark.slow
def test_what_fell_due_at_other_times_is_caught_up_as_the_policy_says() -> None:
    kinds = [*product(("8 hours", "3 days", "10 minutes"), MORE_SEEDS), ("10 months", 0), ("10 months", 1)]
    check_each(((*one, *two) for one, two in product(product(HOW, POLICIES), kinds)), check_catch_up)


def check_catch_up(how: str, policy: str, kind: str, seed: int) -> None:
    start = start_of(seed)
    before, away = outages(kind, seed)
    world = World(schedule(policy), start, takes=MINUTE)
    world.run(before)
    gone = world.clock.now()
    if how == "asleep":
        world.sleep(away)
    else:
        world.kill()
        world.run(away, pulse=DAY)
        world.begin()
    back = world.clock.now()
    world.run(4 * DAY)
    awake = [(start, gone), (back, world.clock.now() - HOUR)]
    for task, trigger in TRIGGERS.items():
        ran = world.ran(task)
        wanted = expected(trigger, policy, exchange_sessions(), awake)
        # What fell due in the last hour may still be at work.
        assert {slot: n for slot, n in ran.items() if slot in wanted} == wanted
        assert set(ran) - set(wanted) <= {
            slot for _, slot in dues(trigger, exchange_sessions(), back, world.clock.now())
        }
        skipped = set(world.states(task, "skipped"))
        due = {slot for _, slot in dues(trigger, exchange_sessions(), start, awake[1][1])}
        assert due == set(wanted) | (skipped & due), "what is not run is listed"
    assert world.hands.overlapping == 0


def test_a_clock_set_wrong_and_right_again_neither_loses_nor_doubles() -> None:
    cases = product(("last", "all"), (30 * MINUTE, 30 * HOUR), (HOUR, -HOUR), SEEDS)
    check_each(cases, check_wrong_clock)


def check_wrong_clock(policy: str, back: timedelta, shift: timedelta, seed: int) -> None:
    start = start_of(seed)
    world = World(schedule(policy), start, takes=MINUTE)
    world.run(timedelta(minutes=random.Random(seed).randrange(1, 600)))
    world.clock.shift_wall(shift)
    world.run(back)
    world.clock.shift_wall(-shift)
    world.run(5 * DAY)
    for task, trigger in TRIGGERS.items():
        wanted = Counter(slot for _, slot in dues(trigger, exchange_sessions(), start, world.clock.now() - HOUR))
        ran = world.ran(task)
        assert {slot: n for slot, n in ran.items() if slot in wanted} == wanted


def test_a_daemon_killed_while_it_works_loses_and_doubles_nothing() -> None:
    how = ("daemon", "host", "before the record", "again and again")
    check_each(product(("last", "all"), how, SEEDS), check_killed_daemon)


def check_killed_daemon(policy: str, how: str, seed: int) -> None:
    start = start_of(seed)
    world = World(schedule(policy), start, takes=20 * MINUTE)
    draw = random.Random(f"{how}{seed}")
    for _ in range(5 if how == "again and again" else 1):
        if how == "before the record":
            world.die_at_record = True
            world.run(DAY)
            world.die_at_record = False
        else:
            while not world.hands.begun or not any(hand.began for hand in world.hands.hands.values()):
                world.run(timedelta(minutes=draw.randrange(1, 12)))
            world.kill()
            if how == "host" or draw.random() < 0.3:
                world.hands.reboot()
        world.run(timedelta(minutes=draw.randrange(1, 50)))
        world.begin()
    world.run(3 * DAY)
    for task, trigger in TRIGGERS.items():
        wanted = Counter(slot for _, slot in dues(trigger, exchange_sessions(), start, world.clock.now() - HOUR))
        ran = world.ran(task)
        if policy == "last" and how == "before the record":
            wanted &= ran  # a day without a daemon passes over the older of two slots; never does one run twice
        assert {slot: n for slot, n in ran.items() if slot in wanted} == wanted
        assert all(count == 1 for count in ran.values())
    assert world.hands.overlapping == 0


EDITS = {
    "later the same day": ("close+20m", "close+3h"),
    "earlier the same day": ("close+3h", "close+20m"),
    "before the open": ("close+20m", "open-30m"),
    "to a time of day": ("close+20m", "daily 22:30"),
    "to another grid": ("every 30m while open", "every 10m while open"),
    "weekly to another day": ("weekly wed 12:00", "weekly fri 12:00"),
    "weekly to an earlier day": ("weekly fri 12:00", "weekly wed 12:00"),
}


def test_an_edited_schedule_runs_no_slot_twice_and_nothing_of_the_past() -> None:
    check_each(product(("seen at once", "seen after a restart"), EDITS, SEEDS), check_edit)


@pytest.mark.slow
def test_a_schedule_edited_at_other_times_runs_no_slot_twice_and_nothing_of_the_past() -> None:
    check_each(product(("seen at once", "seen after a restart"), EDITS, MORE_SEEDS), check_edit)


def check_edit(seen_when: str, edit: str, seed: int) -> None:
    running = seen_when == "seen at once"
    old, new = EDITS[edit]
    start = start_of(seed)
    world = World(schedule("all", task=old), start, takes=MINUTE)
    world.run(timedelta(minutes=random.Random(f"{edit}{seed}").randrange(1, 4 * 24 * 60)))
    before = world.ran("task")
    if not running:
        world.kill()
    world.edit(schedule("all", task=new))
    if not running:
        world.begin()
    seen = world.clock.now()
    world.run(10 * DAY)
    ran = world.ran("task")
    assert all(count == 1 for count in ran.values())
    after = ran - before
    past = {event.slot for event in world.events if event.state == "started" and event.due_at < seen}
    # Nothing starts after the edit that was due before it, but what was just then at work.
    assert not {slot for slot in after if slot in past and slot not in before and _began_after(world, slot, seen)}
    if "every" not in new and "weekly" not in new:
        sessions = [d.isoformat() for d in exchange_sessions().between(start.date(), world.clock.now().date() - DAY)]
        assert set(sessions) <= set(ran), "no session is lost in the change from one time to the other"
    if "weekly" in new:
        weeks = {f"{d.isocalendar().year}-W{d.isocalendar().week:02}" for d in _days(seen.date(), 8)}
        assert len(weeks & set(ran)) >= 1
        assert max(ran.values()) == 1


def _began_after(world: World, slot: str, seen: datetime) -> bool:
    return any(e.slot == slot and e.state == "started" and e.at > seen and e.due_at < seen for e in world.events)


def _days(first: date, count: int) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range(count))


def test_a_task_disabled_and_enabled_again_owes_nothing_for_the_time_between() -> None:
    check_each(product(POLICIES, SEEDS), check_disabled)


def check_disabled(policy: str, seed: int) -> None:
    start = start_of(seed)
    text = schedule(policy, task="close+20m")
    world = World(text, start, takes=MINUTE)
    world.run(2 * DAY)
    off = world.clock.now()
    world.edit(text + "\nenabled = false")
    world.run(9 * DAY)
    world.edit(text)
    on = world.clock.now()
    world.run(5 * DAY)
    due = dues("close+20m", exchange_sessions(), start, world.clock.now() - HOUR)
    wanted = {slot for moment, slot in due if not off < moment < on}
    ran = world.ran("task")
    assert wanted <= set(ran)
    assert not {slot for moment, slot in due if off < moment < on} & set(ran)
    assert all(count == 1 for count in ran.values())


def transitions(zone: str, year: int) -> list[date]:
    """The days of a year on which the zone's clock changes."""
    local = ZoneInfo(zone)
    found = []
    for number in range(366):
        day = date(year, 1, 1) + timedelta(days=number)
        offsets = {datetime.combine(day + timedelta(days=n), time(12), local).utcoffset() for n in (-1, 0)}
        found += [day] if len(offsets) > 1 and day.year == year else []
    return found


def test_the_days_the_clock_changes_have_one_run_of_each_task() -> None:
    check_each(product(ZONES, YEARS, (0, 1)), check_clock_change)


@pytest.mark.slow
def test_the_days_the_clock_changes_in_other_years_have_one_run_of_each_task() -> None:
    check_each(product(ZONES, MORE_YEARS, (0, 1)), check_clock_change)


def check_clock_change(zone: str, year: int, which: int) -> None:
    days = transitions(zone, year)
    assert len(days) == 2
    day = days[which]
    calendar = weekday_sessions(day - timedelta(days=20), day + timedelta(days=40), zone=zone)
    triggers = {"gap": "daily 02:30", "fold": "daily 01:30", "midnight": "daily 00:10", "cycle": "close+20m"}
    text = schedule("all", **triggers).replace("America/New_York", zone)
    local = ZoneInfo(zone)
    start = datetime.combine(day - timedelta(days=4), time(12), local).astimezone(UTC)
    world = World(text, start, calendar, takes=MINUTE)
    world.run(8 * DAY)
    dates = [(day + timedelta(days=n)).isoformat() for n in range(-3, 4)]
    for task in ("gap", "fold", "midnight"):
        assert {slot: world.ran(task)[slot] for slot in dates} == dict.fromkeys(dates, 1)
    sessions = [one for one in dates if calendar.is_session(date.fromisoformat(one))]
    assert {slot: world.ran("cycle")[slot] for slot in sessions} == dict.fromkeys(sessions, 1)


def test_holidays_have_no_run_and_half_days_have_theirs_after_the_early_close() -> None:
    check_each(product(POLICIES, range(2015, 2026)), check_holidays)


def check_holidays(policy: str, year: int) -> None:
    calendar = exchange_sessions()
    start = datetime(year, 11, 18, tzinfo=UTC)
    world = World(schedule(policy, cycle="close+20m"), start, takes=MINUTE)
    world.run(45 * DAY, pulse=DAY)
    sessions = calendar.between(start.date(), date(year, 12, 31))
    assert list(world.ran("cycle")) == [day.isoformat() for day in sessions if day <= date(year, 12, 31)]
    half = [day for day in sessions if calendar.close_at(day) - calendar.open_at(day) < 6 * HOUR]
    assert half
    began = {job.slot: job.due_at for job in world.hands.begun}
    assert all(began[day.isoformat()] == calendar.close_at(day) + 20 * MINUTE for day in half)


def test_ten_months_off_cost_less_than_a_second_to_work_out() -> None:
    world = World(schedule("last", task="every 30m while open"), at("2024-01-03T12:00"), takes=MINUTE)
    world.run(DAY)
    world.kill()
    world.sleep(300 * DAY)
    world.begin()
    started = process_time()
    world.turn()
    assert process_time() - started < 1
    assert len(world.hands.hands) == 1
    assert 0 < len(world.states("task", "skipped")) <= 500
    (reason, *_) = (one.reason for one in world.events if one.state == "skipped" and "before the window" in one.reason)
    assert " UTC, before the window of 24 h" in reason
