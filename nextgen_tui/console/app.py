"""The console's application: which screens there are, where it stands in time, and how it follows the lake."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from textual import work
from textual.binding import Binding
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input

from lake.access import follow_access
from lake.remote.address import name_lake
from lake.store import Lake
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.console.answers.answer_screen import AnswerScreen
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.dialogs import HelpScreen, list_keys
from nextgen_tui.console.lake_view import Clock, LakeView, read_runs, utc_now
from nextgen_tui.console.lineage.lineage_screen import LineageScreen
from nextgen_tui.console.operator.opening import OpeningApp
from nextgen_tui.console.page import PageState, build_state
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.pages.health import HealthData
from nextgen_tui.console.runtime.change_detection import ChangeToken, change_token, log_folders, refuse_without_runs
from nextgen_tui.console.runtime.lifeline import Lifeline
from nextgen_tui.console.runtime.shutdown import ConsoleExecutor
from nextgen_tui.console.screens import PAGES, PageEntry, load_ahead
from nextgen_tui.console.time_travel import AsOf, parse_as_of, step_as_of
from nextgen_tui.remembered.preferences import Preferences
from nextgen_tui.text.safe_text import safe_text
from pipeline.reading.alerts import Alert, AlertFacts, find_alerts, read_alert_facts, verdict_alert
from pipeline.reading.daemon import Activity, read_activity
from pipeline.reading.health_verdict import Health

SECONDS_BETWEEN_LOOKS = 1.0
"""How often the lake is asked for something new where no file event comes; it costs a listing of a few folders."""
SECONDS_TO_ANSWER = 10.0
"""A read that takes longer is waiting for a disk that is asleep, or gone."""
SECONDS_PER_STEP = 1.5
"""Between two sessions when time runs."""
FOLLOW_DAEMON = 5.0
"""Seconds between two looks at the daemon's sign of life, on the screens that show it."""
HEALTH = "health"
DAEMON_PAGES = (HEALTH, "schedule")


@dataclass(eq=False)
class LakeChecked(Message):
    """A look at the lake is over: what was found, if anything is new, or what went wrong."""

    token: ChangeToken | None
    view: LakeView | None = None
    trouble: str = ""
    alerts: tuple[Alert, ...] = ()
    activity: Activity = field(default_factory=Activity)


@dataclass(eq=False)
class PageLoaded(Message):
    """A page was read."""

    name: str
    view: LakeView
    state: PageState


def open_screen(entry: PageEntry) -> PageScreen:
    """The screen of a page."""
    return PageScreen(entry.page)


def bind_pages(pages: Iterable[PageEntry]) -> list[Binding]:
    """The keys that lead to the pages."""
    return [
        Binding(page.number, f"page('{page.name.lower()}')", page.name, show=False, priority=True) for page in pages
    ]


class ConsoleApp(OpeningApp):
    """Reads the lake in threads, when something new is published, and shows it."""

    TITLE = "nextgen"
    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = True
    MODES = {entry.name.lower(): partial(open_screen, entry) for entry in PAGES}
    DEFAULT_MODE = "health"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    BINDINGS = [
        *bind_pages(PAGES),
        Binding("less_than_sign", "step(-1)", "Previous session", show=False, key_display="<", id="earlier"),
        Binding("greater_than_sign", "step(1)", "Next session", show=False, key_display=">", id="later"),
        Binding("p", "play", "Play", show=False, id="play"),
        Binding("r", "look_again", "Reload", show=False, id="reload"),
        Binding("d", "other_theme", "Switch between dark and light", show=False, id="theme"),
        Binding("w", "what_if", "Ask what the book would have been", show=False, id="what-if"),
        Binding("exclamation_mark", "pause", "Pause trading", show=False, key_display="!", id="pause-trading"),
        Binding("question_mark", "help", "Help", key_display="?", id="help"),
        Binding("q", "quit", "Quit", id="quit"),
    ]

    def __init__(
        self,
        lake_path: Path,
        *,
        light: bool = False,
        at: str = "",
        read_only: bool = False,
        clock: Clock = utc_now,
        lifeline: Lifeline | None = None,
        preferences: Preferences | None = None,
        keymap: Mapping[str, str] | None = None,
    ) -> None:
        self.pages = {page.name.lower(): page for page in PAGES}
        super().__init__(read_only=read_only, preferences=preferences)
        self.lake_path, self.lake_name = lake_path, name_lake(lake_path)
        self.view: LakeView | None = None
        self.at: AsOf | None = None
        self.trouble = ""
        self.read_at: datetime | None = None
        self.theme = "textual-light" if light else "textual-dark"
        self.clock = clock
        self._lifeline = lifeline
        self.set_keymap(dict(keymap or {}))
        self._first_at = at
        self._lake: Lake | None = None
        self._token: ChangeToken | None = None
        self._looking = self._look_due = self._anew = False
        self._moved = asyncio.Event()
        """Set when another lake is shown: the files of the one before are watched no longer."""
        self._look_began = 0.0
        self._states: dict[str, PageState] = {}
        self._wanted: tuple[str, LakeView] | None = None
        self._playing: Any = None
        self.activity = Activity()
        self.health: Health | None = None
        self._known: AlertFacts | None = None
        self._reported_late: set[str] = set()
        self._loaded_ahead = False

    def open_lake(self, path: Path) -> None:
        """Show another lake from now on: nothing of the one before stays on screen."""
        self.preferences.note_lake(self.lake_path)
        self.preferences.note_lake(path)
        follow_access(path)
        self._moved.set()
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.lake_path, self.lake_name = path, name_lake(path)
        self.view, self.at, self.trouble, self.health = None, None, "", None
        self._lake, self._token, self._known, self._wanted = None, None, None, None
        self._anew = self._looking  # a look that is under way is at the lake before
        self._states.clear()
        self._reported_late.clear()
        self.activity = Activity()
        self.refresh_screen()
        self.look()

    # ---- following the lake

    def on_mount(self) -> None:
        """Look now, whenever a file event tells of something new, and every second in any case."""
        if not self.is_headless:
            asyncio.get_running_loop().set_default_executor(ConsoleExecutor())
        if self._lifeline is not None:
            # A hangup ends the process at once, as it should: with its terminal gone it could not even leave in order.
            loop = asyncio.get_running_loop()
            self._lifeline.leave_by(partial(loop.call_soon_threadsafe, self.exit, None, exit_codes.INTERRUPTED))
        self.set_interval(SECONDS_BETWEEN_LOOKS, self.look)
        self.set_interval(FOLLOW_DAEMON, self._follow_daemon)
        self.look()
        self._watch()

    def look(self) -> None:
        """Look for something new: once more after a look that is under way, which may have missed it."""
        self._look_due = self._looking
        if not self._looking:
            self._looking, self._look_began = True, monotonic()
            self._look(self._token)
        elif monotonic() - self._look_began > SECONDS_TO_ANSWER and not self.trouble:
            self.trouble = (
                f"The disk of {safe_text(self.lake_path)} does not respond; the figures shown were read before."
            )
            self.refresh_screen()

    @work(thread=True, exit_on_error=False, group="look")
    def _look(self, known: ChangeToken | None) -> None:
        try:
            if self._lake is not None:
                self._lake.exchange.refresh()  # another machine's changes are no changes of files here before that
            found, doing = change_token(self.lake_path), read_activity(self.lake_path, self.clock())
            if found == known:
                self.post_message(LakeChecked(found, activity=doing))
                return
            with self._reading:
                if self._lake is None or known is None or known[0] != found[0]:
                    self._lake = Lake.open(self.lake_path)
                refuse_without_runs(self.lake_path)
                view = LakeView(self._lake, read_runs(self._lake), clock=self.clock)
                before, self._known = self._known, read_alert_facts(self._lake, view.every_run)
            news = find_alerts(before, self._known, self.sent_requests) if before else ()
            self.post_message(LakeChecked(found, view, alerts=news, activity=doing))
        except BaseException as error:  # whatever it is has to become a sentence, or the screen would just stand still
            self._lake = None
            doing = Activity(writable=os.access(self.lake_path, os.W_OK))
            self.post_message(LakeChecked(None, trouble=describe_error(error)[1], activity=doing))

    def on_lake_checked(self, message: LakeChecked) -> None:
        """Take what was found to the screen in front."""
        self._looking, self._token = False, None if self._anew else message.token
        self._anew = False
        troubled, doing = message.trouble != self.trouble, message.activity != self.activity
        self.trouble, self.activity = message.trouble, message.activity
        self._show_alerts(message.alerts, message.activity)
        if message.view is not None:
            self.read_at = self.clock()
            self._stand(message.view)
        elif troubled:
            self.refresh_screen()
        elif doing and isinstance(front := self.front, PageScreen):
            front.show_frame()
        if self._look_due:
            self.look()

    def _stand(self, now: LakeView) -> None:
        """Take up the standpoint again in what was read anew."""
        if self._first_at:
            words, self._first_at = self._first_at, ""
            try:
                self.at = parse_as_of(now.runs, words)
            except ValueError as error:
                self.notify(safe_text(error), severity="warning", markup=False)
        self.view = LakeView(now.lake, now.every_run, self.at, self.clock) if self.at else now
        self.load_front()
        self.refresh_screen()

    def _show_alerts(self, news: Iterable[Alert], doing: Activity) -> None:
        """Say what happened; what is late is said once."""
        late = [Alert(words, "warning") for name, words in doing.late if name not in self._reported_late]
        self._reported_late = {name for name, _ in doing.late}
        for alert in (*news, *late[:1]):
            self.notify(safe_text(alert.words, 400), severity=alert.severity, markup=False)

    @work(exit_on_error=False, group="watch")
    async def _watch(self) -> None:
        """Look at once when a log grows; without file events the clock does it."""
        from watchfiles import awatch

        while self.is_running:
            self._moved.clear()
            folders = await asyncio.to_thread(log_folders, self.lake_path)
            if not folders:
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
                continue
            try:
                async for _ in awatch(*folders, debounce=100, step=50, recursive=False, stop_event=self._moved):
                    self.look()
            except (OSError, RuntimeError):
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)

    def _follow_daemon(self) -> None:
        if self.view is not None:
            for name in {HEALTH, self.current_mode if self.current_mode in DAEMON_PAGES else HEALTH}:
                self._load(name)

    # ---- reading pages

    def page_state(self, name: str) -> PageState:
        """What is known of a page."""
        return self._states.get(name, PageState())

    def load_front(self) -> None:
        """Read the page in front, unless what is known of it is still so."""
        name = self.current_mode
        if self.view is not None and self._wanted != (name, self.view):
            self._wanted = (name, self.view)
            self._load(name)
            if name != HEALTH and self.health is None:
                self._load(HEALTH)  # the bar at the top repeats its verdict on every screen

    @work(thread=True, exit_on_error=False, group="load")
    def _load(self, name: str) -> None:
        """It is not handed the view: a worker holds what it was given until rubbish is sought, frames and all."""
        page, known, view = self.pages[name].page, self._states.get(name, PageState()), self.view
        if view is None:
            return
        try:
            if known.data is None:
                with self._reading:
                    quick_load = page.quick_load(view)
                if quick_load is not None:
                    self.post_message(
                        PageLoaded(name, view, replace(build_state(page, quick_load, view.at), incomplete=True))
                    )
            page.prepare(view)
            with self._reading:
                if view is not self.view:
                    return  # the operator has gone on
                versions = (hash(view.at), *(view.version(table) for table in page.tables))
                # Where a daemon stands is no table's version, so those pages are always read again.
                if versions == known.versions and name not in DAEMON_PAGES and not known.trouble:
                    return
                data = page.load(view)
            state = replace(build_state(page, data, view.at), versions=versions)
            self.post_message(PageLoaded(name, view, state))
            for sheet in state.sheets.values():
                sheet.prepare_filter()
        except BaseException as error:  # as above
            self.post_message(
                PageLoaded(name, view, replace(known, trouble=describe_error(error)[1], versions=(), at=view.at))
            )

    def on_page_loaded(self, message: PageLoaded) -> None:
        """Show the page if it is still in front and the console still stands there."""
        if message.view is self.view:
            self._states[message.name] = message.state
            self._take_verdict(message)
            self.refresh_screen()
            if not (self._loaded_ahead or message.state.incomplete):
                self._loaded_ahead = True
                self._load_ahead()

    @work(thread=True, exit_on_error=False, group="ahead")
    def _load_ahead(self) -> None:
        load_ahead()

    def _take_verdict(self, message: PageLoaded) -> None:
        """Keep the verdict of now for the bar at the top, and alert to it where it turned to failure."""
        data = message.state.data
        if message.view.at is None and isinstance(data, HealthData):
            before, self.health = self.health, data.health
            if (alert := verdict_alert(before, data.health)) is not None:
                self.notify(safe_text(alert.words, 400), severity=alert.severity, markup=False)

    def refresh_screen(self) -> None:
        """Let the screen in front show what is known now."""
        if isinstance(front := self.front, PageScreen):
            front.update_from_app()

    # ---- going places

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A screen's key goes there before any other key is looked at, unless something is being typed or asked."""
        del parameters
        typing = isinstance(self.focused, Input) or isinstance(self.screen, ModalScreen)
        return not (action == "page" and typing)

    async def action_page(self, name: str) -> None:
        """Show a screen."""
        await self.switch_mode(name)
        self.load_front()

    def clear_selection(self) -> None:
        """Unmark text. From Python 3.12 on the line to type on asks for it before the first screen is up."""
        if self.screen_stack:
            super().clear_selection()

    def delay_update(self, delay: float = 0.05) -> None:
        """Paint at once: the library hides a change of screens for a while, and for good where its timer is late."""

    # ---- going through time

    @property
    def shown_at(self) -> AsOf | None:
        """Where in time that is from which the screen in front shows: what was asked for follows when it is read."""
        state = self.page_state(self.current_mode)
        return self.at if state.data is None else state.at

    @property
    def playing(self) -> bool:
        """Whether time runs."""
        return self._playing is not None

    def stand_at(self, at: AsOf | None) -> None:
        """Show everything as of then; None is now. What was opened by now was read elsewhere in time, and is left."""
        if self.view is None:
            return
        while isinstance(self.screen, DetailScreen | AnswerScreen | LineageScreen):
            self.pop_screen()
        self.at = at
        self.view = LakeView(self.view.lake, self.view.every_run, at, self.clock)
        self.load_front()
        self.refresh_screen()

    def action_step(self, step: int) -> None:
        """Go a session back or on."""
        if self.view is not None:
            self.stand_at(step_as_of(self.view.every_run, self.at, step))

    def action_play(self) -> None:
        """Let time run forward to now; again to stop."""
        if self._playing is not None:
            self._playing.stop()
            self._playing = None
        elif self.at is not None:
            self._playing = self.set_interval(SECONDS_PER_STEP, self._play_step)
        self.refresh_screen()

    def _play_step(self) -> None:
        self.action_step(1)
        if self.at is None:
            self.action_play()

    # ---- the rest

    def action_look_again(self) -> None:
        """Read the lake again, whether or not anything is new."""
        self._token, self._anew = None, self._looking  # a look that is under way would bring back what it knew
        self._states = {name: replace(known, trouble="", versions=()) for name, known in self._states.items()}
        self.look()

    def action_other_theme(self) -> None:
        """Swap dark and light."""
        self.theme = "textual-dark" if self.theme == "textual-light" else "textual-light"

    def action_help(self) -> None:
        """Say which keys do what here."""
        keys = list(list_keys(self.screen))
        screens = [(page.number, page.name, page.question) for page in self.pages.values()]
        self.push_screen(HelpScreen(keys, screens))
