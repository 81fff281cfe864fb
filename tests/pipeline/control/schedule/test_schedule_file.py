"""A schedule that cannot be kept is refused when it is read, with the line and the fix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config.settings import MarketParams, Settings
from pipeline.control.schedule.preview import preview
from pipeline.control.schedule.schedule_file import load_schedule, parse_schedule
from pipeline.control.schedule.task import Schedule
from pipeline.control.schedule.toml_lines import ScheduleError, find_line_numbers
from pipeline.control.schedule.trigger import GRAMMAR, TriggerError, parse_duration, parse_trigger
from pipeline.market.sessions import exchange_sessions
from tests.pipeline.control.world import check_each

NOW = datetime(2025, 11, 24, tzinfo=UTC)
GOOD = '[tasks.cycle]\nrun = "cycle"\ntrigger = "close+20m"\n'


def read(text: str) -> Schedule:
    return parse_schedule(text, "schedules.toml", NOW)


def test_the_schedule_that_comes_with_the_program_can_be_used() -> None:
    manifest = load_schedule(Path(__file__).parents[4] / "schedules.toml", NOW)
    assert {"cycle", "retrain"} <= {task.name for task in manifest.tasks}
    assert manifest.task("cycle").catch_up == "all"  # type: ignore[union-attr]


BAD = {
    "an unknown stage": (GOOD.replace('"cycle"\n', '"sentment"\n'), 2, "did you mean 'sentiment'"),
    "an unknown key": (GOOD + 'timout = "1h"', 4, "did you mean 'timeout'"),
    "an unknown top key": ("zoen = 'UTC'\n" + GOOD, 1, "did you mean 'zone'"),
    "a numeric weekday": (GOOD.replace("close+20m", "weekly 1 08:00"), 3, "write mon ... sun"),
    "numeric weekdays in a list": (GOOD.replace("close+20m", "daily 08:00 on 1-5"), 3, "write mon ... sun"),
    "a trigger that never fires": (GOOD.replace("close+20m", "close+20m on sat"), 3, "never fires on XNYS"),
    "a trigger nobody can read": (GOOD.replace("close+20m", "0 9 * * 1"), 3, "write one of: close+20m"),
    "an interval that is too short": (GOOD.replace("close+20m", "every 1s"), 3, "shortest interval"),
    "an offset beyond the calendar": (GOOD.replace("close+20m", "close+99999999999d"), 3, "longer than 3650d"),
    "no trigger": ('[tasks.cycle]\nrun = "cycle"\n', 1, "write for example trigger"),
    "an unknown exchange": (GOOD + 'exchange = "NYSE2"', 4, "ISO 10383"),
    "an unknown zone": (GOOD + 'zone = "America/Newyork"', 4, "did you mean 'America/New_York'"),
    "an unknown dependency": (GOOD + 'after = ["cycel"]', 4, "there is no task 'cycel'; did you mean 'cycle'"),
    "an unknown group": ("[groups.lake]\n" + GOOD + 'group = "lakes"', 5, "did you mean 'lake'"),
    "an unknown table": (GOOD + 'outputs = [{ table = "predictons" }]', 4, "did you mean 'predictions'"),
    "an unknown setting": (GOOD + 'settings = { "models.lstm.epoch" = 3 }', 4, "did you mean 'models.lstm.epochs'"),
    "a setting out of range": (GOOD + 'settings = { "runtime.seed" = "x" }', 4, "runtime.seed"),
    "a number for a length": (GOOD + "timeout = 20", 4, "a string in quotes"),
    "too little memory": (GOOD + 'memory = "12MB"', 4, "at least 256MB"),
    "all without a window": (GOOD + 'catch_up = "all"', 4, "needs a window"),
    "a stopped line that is passed over": (GOOD + 'on_failure = "stop"', 4, "contradicts catch_up"),
    "another source for what fetches nothing": (
        GOOD.replace('"cycle"\n', '"train"\n') + 'on_failure = "source:files"',
        4,
        "fetches nothing",
    ),
    "an unknown source": (GOOD + 'on_failure = "source:yahoo2"', 4, "write source:NAME with one of simulated"),
    "back-off without retries": (GOOD + 'back_off = "5m"', 4, "no effect with retries = 0"),
    "pauses longer than the window": (GOOD + 'retries = 9\nback_off = "3h"', 4, "longer than the window"),
    "an order among many at once": ("[groups.g]\nat_once = 2\nin_order = true\n" + GOOD, 3, "contradicts at_once"),
    "an action among stages": (GOOD.replace('"cycle"\n', '["cycle", "score"]\n'), 2, "cannot be combined"),
    "a dependency that is off": (
        GOOD + "enabled = false\n" + GOOD.replace("cycle]", "b]") + 'after = ["cycle"]',
        8,
        "is disabled",
    ),
}


def test_bad_input_is_refused_with_its_line_and_the_fix() -> None:
    def check(case: str) -> None:
        text, line, fix = BAD[case]
        with pytest.raises(ScheduleError) as refusal:
            read(text)
        first = str(refusal.value).splitlines()[0]
        assert first.startswith(f"schedules.toml:{line}: "), first
        assert fix in first, first

    check_each(((case,) for case in BAD), check)


def test_old_names_of_settings_still_work_and_are_named_where_they_are_wrong() -> None:
    outputs = 'outputs = [{{ table = "predictions", {} = {} }}]\n'
    old = read(GOOD + 'failover = "retry"\n' + outputs.format("minimum_rows", 5)).tasks[0]
    assert old == read(GOOD + 'on_failure = "retry"\n' + outputs.format("min_rows", 5)).tasks[0]
    with pytest.raises(ScheduleError, match=r":4: tasks\.cycle\.failover: there is no policy 'retyr'; did you mean"):
        read(GOOD + 'failover = "retyr"')
    with pytest.raises(ScheduleError, match=r":5: tasks\.cycle\.failover: is the old name of 'on_failure'"):
        read(GOOD + 'on_failure = "skip"\nfailover = "skip"')
    with pytest.raises(ScheduleError, match=r":4: tasks\.cycle\.outputs: minimum_rows must be 0 or more, got -1"):
        read(GOOD + outputs.format("minimum_rows", -1))


def test_a_schedule_follows_the_exchange_of_the_lake_unless_it_names_another() -> None:
    other = GOOD.replace("cycle]", "japan]") + 'exchange = "XTKS"\n'
    london, japan = parse_schedule(
        GOOD + other, "schedules.toml", NOW, settings=Settings(market=MarketParams(exchange="XLON"))
    ).tasks
    assert (london.exchange, london.zone) == ("XLON", "Europe/London")
    assert (japan.exchange, japan.zone) == ("XTKS", "Asia/Tokyo")


def test_tasks_that_wait_for_each_other_in_a_circle_are_refused_by_name() -> None:
    tasks = "".join(
        GOOD.replace("cycle]", f"{name}]") + f'after = ["{after}"]\n' for name, after in zip("abc", "bca", strict=True)
    )
    with pytest.raises(
        ScheduleError,
        match=r"in a circle: (a after b after c after a|b after c after a after b|c after a after b after c)",
    ):
        read(tasks)


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() -> None:
    with pytest.raises(ScheduleError) as refusal:
        read('[tasks.a]\nrun = "x"\ntrigger = "y"\nretries = -1\n')
    assert [int(line.split(":")[1]) for line in str(refusal.value).splitlines()] == [2, 3, 4]


def test_what_is_not_valid_toml_is_refused_with_the_parsers_line() -> None:
    with pytest.raises(ScheduleError, match="line 2"):
        read("[tasks.a]\nrun = \n")


def test_lines_are_found_below_lists_and_strings_that_look_like_keys() -> None:
    text = 'a = "x = [1"\n[t]\nlist = [\n  { b = 1 },\n]\n"c d" = 2  # e = 3\n[t.u]\nf.g = 1\n'
    assert find_line_numbers(text) == {"a": 1, "t": 2, "t.list": 3, "t.c d": 6, "t.u": 7, "t.u.f.g": 8}


def test_a_preview_lists_every_run_to_come_in_order() -> None:
    manifest = read(GOOD + '[tasks.retrain]\nrun = "train"\ntrigger = "weekly sat 08:00"\nafter = ["cycle"]\n')
    planned = preview(manifest, NOW, 10)
    assert planned == sorted(planned)
    # Thanksgiving has no session, and the day after closes at one.
    assert [one.slot for one in planned if one.task == "cycle"] == [
        f"2025-{day}" for day in ("11-24", "11-25", "11-26", "11-28", "12-01", "12-02", "12-03")
    ]
    assert {f"{one.due_at:%H:%M}" for one in planned if one.slot == "2025-11-28"} == {"18:20"}
    assert [one.slot for one in planned if one.task == "retrain"] == ["2025-W48"]


def test_a_trigger_finds_each_of_its_slots_again_by_its_key() -> None:
    check_each(((text,) for text in GRAMMAR.split(", ")), check_trigger)


def check_trigger(text: str) -> None:
    made = parse_trigger(text, exchange_sessions(), "America/New_York")
    slots = list(made.slots(NOW, NOW + timedelta(days=40)))
    assert slots == sorted(slots)
    assert len({slot.key for slot in slots}) == len(slots) > 0
    assert all(made.slot(slot.key) == slot for slot in slots)
    halves = [
        *made.slots(NOW, slots[0].due_at),
        *made.slots(slots[0].due_at + timedelta(microseconds=1), NOW + timedelta(days=40)),
    ]
    assert halves == slots, "a range in two parts has the same slots"


def test_a_duration_is_read_or_refused() -> None:
    read = {text: parse_duration(text).total_seconds() for text in ("90s", "1h30m", "2d", "1w")}
    assert read == {"90s": 90, "1h30m": 5_400, "2d": 172_800, "1w": 604_800}
    for text in ("", "20", "m", "1.5h", "-20m", "20 m"):
        with pytest.raises(TriggerError, match="is not a duration"):
            parse_duration(text)
