"""What the operator tells the console to do: shown first, sent once, never from the past or where it may only look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from textual import work
from textual.app import App, SystemCommand
from textual.notifications import SeverityLevel
from textual.screen import Screen

from lake.errors import LakeError
from lake.remote.address import name_lake
from lake.sql.statement import SqlError
from lake.store import Lake
from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.console.answers.answer_page import MAX_ROWS, AnswerPage, SqlAnswer, question_of
from nextgen_tui.console.answers.answer_screen import AnswerScreen
from nextgen_tui.console.dialogs import ConfirmScreen
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.operator import command_parser, what_if
from nextgen_tui.console.operator.decide_process import record_decision
from nextgen_tui.console.operator.doctor_page import look
from nextgen_tui.console.operator.other_lakes import find_lake
from nextgen_tui.console.operator.own_notes import record_note
from nextgen_tui.console.page import Action, Detail
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.time_travel import AsOf, parse_as_of
from nextgen_tui.console.typed_line import TypingScreen
from nextgen_tui.remembered.preferences import Preferences
from nextgen_tui.remembered.typed_history import SQL
from nextgen_tui.text.safe_text import remove_unsafe, safe_text
from pipeline.control.operator.requests import submit
from pipeline.reading.daemon import Activity
from pipeline.reading.sql.child import ask

RECORDING = 5.0
"""Seconds for which it is said that a decision is being put on record, which takes a child process some."""
MAX_NOTICE = 400
"""Characters of what is said beside the screens."""


class CommandApp(App[None]):
    """Understands what is typed after the colon or asked for by a key, and sends what the operator confirmed."""

    lake_path: Path
    view: LakeView | None
    at: AsOf | None
    read_only: bool
    activity: Activity

    if TYPE_CHECKING:

        def stand_at(self, at: AsOf | None) -> None: ...
        def open_lake(self, path: Path) -> None: ...
        def open_detail(self, job: Callable[[LakeView], Detail | None]) -> None: ...
        async def action_page(self, name: str) -> None: ...
        def action_other_theme(self) -> None: ...
        def action_help(self) -> None: ...

    def __init__(self, *, read_only: bool, preferences: Preferences | None = None) -> None:
        super().__init__()
        self.preferences = preferences or Preferences()
        """What is kept for the operator."""
        self.read_only = read_only
        self.sent_requests: dict[str, str] = {}
        """The requests sent from here: id -> what was asked, to tell the operator what became of them."""

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Say something beside the screens: whatever it is made of, as safe text and never as markup."""
        del markup
        words, above = safe_text(message, MAX_NOTICE), safe_text(title, 60)
        super().notify(words, title=above, severity=severity, timeout=timeout, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy it without what would steer the terminal it is pasted into; lines and columns stay apart."""
        lines = ("\t".join(remove_unsafe(part) for part in line.split("\t")) for line in text.split("\n"))
        super().copy_to_clipboard("\n".join(lines))

    # ---- understood

    def command(self, words: str) -> None:
        """Carry out what was typed after the colon."""
        self._carry_out(words, "")

    def action_pause(self) -> None:
        """Ask for the reason to pause trading."""
        self.command("pause")

    def act(self, act: Action) -> None:
        """Show what an act would do, and let the operator send it."""
        self.act_on([act])

    def act_on(self, acts: Sequence[Action]) -> None:
        """Show what an act on several rows would do, and let the operator send it to all of them."""
        if acts:
            self._carry_out(acts[0].command, acts[0].about, acts[1:])

    def _carry_out(self, words: str, about: str, others: Sequence[Action] = ()) -> None:
        try:
            found = command_parser.parse(words, command_parser.now(), safe_text(about, 200))
            more = [command_parser.parse(one.command, command_parser.now(), one.about) for one in others]
        except command_parser.CommandError as error:
            self._warn(error)
            return
        if isinstance(found, command_parser.Local):
            self._run_local(found)
        elif not self._refuse():
            # Here, with the rules of the book: nothing is asked for before there is something to read.
            from pipeline.reading.foresight.consequences import rehearse_requests

            also = tuple(one for one in more if isinstance(one, command_parser.PendingRequest))
            lake = self.view.lake if self.view else None
            rehearse = partial(rehearse_requests, lake, [one.request for one in (found, *also)]) if lake else None
            self.push_screen(ConfirmScreen(found, self.activity.daemon, rehearse, also), partial(self._send, also))

    def _refuse(self) -> bool:
        """Whether nothing can be done, with the reason told."""
        if self.read_only:
            self._warn("This console is read-only (started with --read-only).")
        elif self.at is not None:
            self._warn("Requests cannot be made from the past; `:live` returns to now.")
        elif not self.activity.writable:
            self._warn(f"The lake at {self.lake_path} cannot be written to; this console is read-only.")
        else:
            return False
        return True

    def may_write(self) -> bool:
        """Whether anything can be put on record from here; says why not."""
        return not self._refuse()

    # ---- done here

    def _run_local(self, local: command_parser.Local) -> None:
        argument = local.argument.strip()
        if local.name == "at":
            self._stand_at_text(argument)
        elif local.name == "go":
            self._go_to_screen(*argument.lower().split(" ", 1))
        elif local.name == "what-if":
            self._ask_what_if(argument)
        elif local.name == "doctor":
            self.notify("Looking at everything ...", title="doctor", timeout=3)
            size = self.size
            self.open_detail(lambda view: look(view.path, size.width, size.height))
        elif local.name == "filter":
            self._use_filter(argument)
        elif local.name in ("lake", "branch"):
            self._go_to_lake(local.name, argument)
        elif local.name == "sql":
            self._ask_sql(argument)
        elif local.name == "export" and isinstance(self.screen, PageScreen):
            self.screen.write(argument) if argument else self.screen.action_export()
        else:
            actions = {
                "live": lambda: self.stand_at(None),
                "theme": self.action_other_theme,
                "daemon": self._start_daemon,
                "quit": self.exit,
            }
            actions.get(local.name, self.bell)()

    def action_what_if(self) -> None:
        """Open the line to ask what the book would have been."""
        if isinstance(self.screen, TypingScreen):
            self.screen.action_line("command", "what-if trading.")

    def _ask_what_if(self, words: str) -> None:
        if not self._refuse():
            if words:
                self.notify("The book is decided and filled again; that takes some seconds.", title="what if")
            self._answer_what_if(words)

    @work(thread=True, exit_on_error=False, group="what-if", exclusive=True)
    def _answer_what_if(self, words: str) -> None:
        try:
            detail = what_if.ask(self.lake_path, words)
        except (what_if.WhatIfError, OSError) as error:
            self.call_from_thread(self._warn, error)
        else:
            self.call_from_thread(self.open_detail, lambda _: detail)

    def _use_filter(self, words: str) -> None:
        """Set, save, forget or list filters by name."""
        screen, (verb, _, name) = self.screen, words.partition(" ")
        kept = self.preferences
        try:
            if not words:
                told = "; ".join(f"{one}: {kept.find_filter(one)}" for one in sorted(kept.filters()))
                self.notify(told or "No filter is saved; `:filter save NAME` keeps the one that is set.")
            elif verb == "save":
                kept.save_filter(name.strip(), screen.filter_words if isinstance(screen, TypingScreen) else "")
                self.notify(f"Saved as {name.strip()}; `:filter {name.strip()}` sets it on any sheet.")
            elif verb == "forget":
                kept.forget_filter(name.strip())
                self.notify(f"{name.strip()} is forgotten.")
            elif isinstance(screen, TypingScreen):
                screen.filtered(kept.find_filter(words))
        except ValueError as error:
            self._warn(error)

    def _go_to_lake(self, name: str, words: str) -> None:
        """Show another lake, or a branch of this one; without a name, list those that were opened."""
        if not words and name == "lake":
            self.notify(
                "; ".join(name_lake(Path(one)) for one in self.preferences.lakes()) or "No other lake was opened yet.",
                title="lakes",
            )
            return
        try:
            path = find_lake(self.lake_path, name, words)
        except LakeError as error:
            self._warn(error)
        else:
            self.open_lake(path)

    def _ask_sql(self, text: str) -> None:
        if text:
            self.notify("Asking the tables of the moment shown ...", title="sql", timeout=2)
        self._answer_sql(text)

    @work(thread=True, exit_on_error=False, group="sql", exclusive=True)
    def _answer_sql(self, text: str) -> None:
        if (view := self.view) is None:
            return
        typed = self.preferences.history.texts()
        before = tuple(one.removeprefix(SQL) for one in typed if one.startswith(SQL))
        try:
            rows = ask(self.lake_path, question_of(view, text)) if text else pl.DataFrame()
        except (SqlError, OSError) as error:
            self.call_from_thread(self._warn, error)
            return
        moment = f" as of {view.at.words}" if view.at is not None else ""
        shown = SqlAnswer(text, rows.head(MAX_ROWS), rows.height > MAX_ROWS, moment, before[::-1])
        self.call_from_thread(self._show_answer, shown, view.at)

    def _show_answer(self, found: SqlAnswer, at: AsOf | None) -> None:
        """Show an answer in the place of the last one, unless time was left meanwhile."""
        if at == self.at:
            if isinstance(self.screen, AnswerScreen):
                self.pop_screen()
            self.push_screen(AnswerScreen(AnswerPage(found), found, at))

    def _stand_at_text(self, words: str) -> None:
        try:
            self.stand_at(parse_as_of(self.view.every_run, words) if self.view else None)
        except ValueError as error:
            self._warn(error)

    def _go_to_screen(self, words: str, sheet: str = "") -> None:
        by_key = {page.number.lower(): page.name.lower() for page in PAGES}
        try:
            name = by_key.get(words) or command_parser.find_name(words, tuple(by_key.values()), "screen")
        except command_parser.CommandError as error:
            self._warn(error)
        else:
            self.call_later(self._show_sheet, name, sheet)

    async def _show_sheet(self, name: str, sheet: str) -> None:
        """Show a screen, and of its sheets the one that was asked for."""
        await self.action_page(name)
        if sheet and isinstance(self.screen, PageScreen):
            self.screen.turn_to(sheet)

    def _start_daemon(self) -> None:
        if self._refuse():
            return
        if self.activity.daemon:
            self.notify("A daemon is already running.", markup=False)
        else:
            self._launch_daemon()

    @work(thread=True, exit_on_error=False, group="submit")
    def _launch_daemon(self) -> None:
        try:
            command_parser.start_daemon(self.lake_path)
        except OSError as error:
            self.call_from_thread(self._warn, error)
        else:
            text = "A daemon was started; it keeps running after the console ends."
            self.call_from_thread(self.notify, text, markup=False)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers."""
        for page in PAGES:
            yield SystemCommand(
                f"{page.number} {page.name}", page.question, partial(self._go_to_screen, page.name.lower())
            )
        for name, words in command_parser.REQUEST_COMMANDS.items():
            if name in ("cycle", "train", "maintain"):
                yield SystemCommand(f"Request: {name}", words.split("  ")[-1].strip(), partial(self.command, name))
        yield SystemCommand("Live", "return to now", partial(self.stand_at, None))
        yield SystemCommand("Theme", "switch between dark and light", self.action_other_theme)
        yield SystemCommand("Help", "the keys valid here", self.action_help)
        del screen

    # ---- sent

    def _send(
        self, also: tuple[command_parser.PendingRequest, ...], pending: command_parser.PendingRequest | None
    ) -> None:
        """Send what was confirmed, and with the same reason what was chosen together with it."""
        if pending is not None:
            for one in (pending, *(other.with_reason(pending.request.reason) for other in also)):
                request = one.request
                doing = "Recording" if one.immediate else "Sending"
                self.notify(f"{doing}: {request.action} {request.target} ...".replace("  ", " "), timeout=RECORDING)
                self._submit(one)

    @work(thread=True, exit_on_error=False, group="submit")
    def _submit(self, pending: command_parser.PendingRequest) -> None:
        request = pending.request
        try:
            if pending.immediate:
                text = record_decision(self.lake_path, request)
            else:
                submit(Lake.open(self.lake_path), request)
                text = f"Queued: {request.action} (screen 8 shows its progress)."
                self.sent_requests[request.request_id] = f"{request.action} {request.target}".strip()
        except BaseException as error:  # whatever it is has to become a sentence, or nobody would know it was not done
            self.call_from_thread(self._warn, error if isinstance(error, ValueError) else describe_error(error)[1])
        else:
            self.call_from_thread(self.notify, safe_text(text, 300), markup=False)

    def write_note(self, target: str, words: str) -> None:
        """Put a note on record."""
        self.notify(f"Recording a note on {target} ...", timeout=RECORDING)
        self._record_note(target, words)

    @work(thread=True, exit_on_error=False, group="submit")
    def _record_note(self, target: str, words: str) -> None:
        try:
            said = record_note(self.lake_path, target, words)
        except (ValueError, OSError) as error:
            self.call_from_thread(self._warn, error)
        else:
            self.call_from_thread(self.notify, said)

    def _warn(self, words: object) -> None:
        self.notify(str(words), severity="warning")
