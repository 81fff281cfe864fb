"""Moves an older system's records into the lake: staged, landed verbatim, derived by the same stages, and reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from lake.contract import Table
from lake.runs import is_published, last_cycle
from lake.store import Lake
from lake.tables.imports import IMPORTED_PREDICTIONS, IMPORTED_TRADES, RAW_IMPORTS
from lake.tables.market import INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS, RAW_PRICES
from lake.tables.news import NEWS_ARTICLES, RAW_NEWS
from pipeline.engine import work
from pipeline.engine.failures import record_failures
from pipeline.engine.runner import Runner
from pipeline.engine.stage import Stage
from pipeline.engine.stages import IMPORT
from pipeline.engine.work import Progress, Work, silent
from pipeline.ingestion.imports.chunks import Delivery, Known, correct, deliver, read_landed_lines
from pipeline.ingestion.imports.dry_run import DryRun
from pipeline.ingestion.imports.mapping import Mapping
from pipeline.ingestion.imports.old_system import Store
from pipeline.ingestion.imports.spool import DaySpan, Spooled, spans, staged
from pipeline.ingestion.prices.cross_check import AGREES
from pipeline.ingestion.sources.errors import SourceError
from pipeline.market.currencies import main_currency

TARGETS: dict[str, Table] = {
    "prices": MARKET_PRICES,
    "news": NEWS_ARTICLES,
    "predictions": IMPORTED_PREDICTIONS,
    "trades": IMPORTED_TRADES,
}
RAW: dict[str, Table] = {"prices": RAW_PRICES, "news": RAW_NEWS, "predictions": RAW_IMPORTS, "trades": RAW_IMPORTS}
STAGES_OF: dict[str, frozenset[str]] = {
    "prices": frozenset({"land_prices", "instruments", "prices", "quarantine", "restatements"}),
    "news": frozenset({"land_news", "articles", "quarantine", "score", "sentiment"}),
    "predictions": frozenset({"land_imports", "imported_predictions", "quarantine"}),
    "trades": frozenset({"land_imports", "imported_trades", "quarantine"}),
}


@dataclass(frozen=True)
class DeliveryOutcome:
    """What became of a delivery."""

    accepted: dict[str, int]
    """Kind -> rows that are new in its table."""
    aside: pl.DataFrame
    """Rows of `quarantined_rows` for what was set aside."""


@dataclass
class Account:
    """What became of the rows of one kind: every row read is in one of the counts."""

    kind: str
    table: str
    read: int = 0
    unchanged: int = 0
    """Imported before as they are."""
    compared: int = 0
    """Bars that are only compared with those of another source, and do not disagree; they are used for nothing else."""
    accepted: int = 0
    """Rows that are new in the table, or a further revision there."""
    quarantined: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Rule -> how many rows break it, and the first of them."""

    @property
    def known(self) -> int:
        """Rows that say what the table says already: the same values, or the same story once more."""
        set_aside = sum(count for count, _ in self.quarantined.values())
        return self.read - self.unchanged - self.compared - self.accepted - set_aside


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do."""

    source: str
    dry: bool
    first: date
    last: date
    accounts: tuple[Account, ...]
    settled: date | None = None
    """The last session that a cycle had decided on before: then bars were only compared."""

    @property
    def written(self) -> int:
        """Rows that are new in the canonical tables."""
        return sum(account.accepted for account in self.accounts)


def import_system(
    runner: Runner, store: Store, mapping: Mapping, at: datetime, *, dry: bool = False, progress: Progress = silent
) -> ImportReport:
    """Import what a mapping names, or with `dry` only say what would come of it, writing nothing.

    Rows are read once, in portions, and landed by stretches of sessions, each published at once: an import that is cut
    short goes on where it was. Importing the same file again adds nothing; a changed file adds what changed. Once
    cycles have run, bars are only compared with the lake's: no fact changes under a decision.

    Args:
        runner: of the lake, under its own configuration.
        store: the older system.
        mapping: what means what there.
        at: the time of the import, UTC.
        dry: True judges without writing.
        progress: told what is being done.

    Raises:
        SourceError: if the store cannot be read, the mapping does not fit it, prices are in another currency than the
            book, or news come after cycles have run; nothing of it is written then.
        BusyError: if another process is writing.
        StageFailedError: if a stage raises; what was published before stays.
    """
    _refuse_other_currency(mapping, runner.settings.currency)
    with TemporaryDirectory(prefix="nextgen-import-") as folder:
        parts = _spool_all(runner, store, mapping, Path(folder), progress)
        with ExitStack() as stack:
            if not dry:
                with record_failures(runner.lake, _unbegun(runner, mapping, at)):
                    stack.enter_context(runner.lake.lock(f"import of {mapping.name}"))
                    runner.recover()
            return _Import(runner, mapping, parts, at, dry).run(progress)


def _refuse_other_currency(mapping: Mapping, currency: str) -> None:
    if mapping.currency and main_currency(mapping.currency) != currency:
        raise SourceError(
            f"the mapping {mapping.name} says that prices are in {mapping.currency}, and the book of this lake is kept"
            f" in {currency}; correct `currency` in the mapping, or import into a lake with market.currency ="
            f' "{main_currency(mapping.currency)}"'
        )


def _unbegun(runner: Runner, mapping: Mapping, at: datetime) -> Work:
    """The import as a whole, before it is known which sessions it brings."""
    session = runner.calendar.last_closed(at)
    return work.import_from(mapping.name, IMPORT, session, session, f"{at:%Y%m%dT%H%M%S}")


def _spool_all(runner: Runner, store: Store, mapping: Mapping, folder: Path, progress: Progress) -> list[Spooled]:
    parts = []
    for number, section in enumerate(mapping.sections):

        def report_progress(rows: int, kind: str = section.kind, number: int = number) -> None:
            progress(f"reading {kind}: {rows:,} rows", number, len(mapping.sections))

        parts.append(staged(store, mapping, section, folder / section.kind, runner.calendar, report_progress))
    return parts


class _Import:
    """One import at work."""

    def __init__(self, runner: Runner, mapping: Mapping, parts: Sequence[Spooled], at: datetime, dry: bool) -> None:
        self.runner, self.mapping, self.parts, self.at, self.dry = runner, mapping, parts, at, dry
        self.lake: Lake = runner.lake
        self.calendar = runner.calendar
        self.until = self.calendar.last_closed(at)
        self.settled = last_cycle(runner.lake)
        self.accounts = {
            part.section.kind: Account(part.section.kind, TARGETS[part.section.kind].name, part.rows) for part in parts
        }
        self.dry_run = DryRun(runner)

    def run(self, progress: Progress) -> ImportReport:
        """Land and judge stretch by stretch; corrected bars come last, as later knowledge."""
        filled = [part for part in self.parts if part.rows]
        self._refuse_late_news(filled)
        cut = spans(filled, self.calendar, self.until)
        corrections = []
        for number, span in enumerate(cut):
            progress(f"sessions {span.since} to {span.session}", number, len(cut))
            delivery = deliver(self.mapping, filled, span, self._read_known(span, filled), self.calendar, self.at)
            corrections.append(delivery.corrections)
            self._take(delivery, progress)
        changed = pl.concat(corrections)
        if changed.height:
            progress(f"{changed.height:,} corrected bars", len(cut), len(cut))
            self._take(self._land_corrections(changed, filled), progress)
        progress("done", len(cut), len(cut))
        accounts = tuple(self.accounts.values())
        return ImportReport(self.mapping.source, self.dry, cut[0].since, cut[-1].session, accounts, self.settled)

    def _refuse_late_news(self, parts: Iterable[Spooled]) -> None:
        """What was public then would have counted, and now can count no more: no fact changes under a decision."""
        if self.settled is not None and any(part.section.kind == "news" for part in parts):
            raise SourceError(
                f"cycles have run to {self.settled}, and news of earlier sessions would change what they decided on; "
                "leave [news] out of the mapping, or import into a new lake and replay"
            )

    def _take(self, delivery: Delivery, progress: Progress) -> None:
        for kind, count in delivery.unchanged.items():
            self.accounts[kind].unchanged += count
        outcome = self._try(delivery) if self.dry else self._commit(delivery, progress)
        for kind, count in outcome.accepted.items():
            self.accounts[kind].accepted += count
        by_rule = outcome.aside.group_by("target", "rule", maintain_order=True).agg(pl.len(), pl.col("row").first())
        for target, rule, count, first in by_rule.sort("target", "rule").iter_rows():
            broken = self._account(target).quarantined
            before, shown = broken.get(rule, (0, first))
            broken[rule] = (before + count, shown)
        if delivery.compared:
            apart = outcome.aside.filter(pl.col("rule") == AGREES).height
            self.accounts["prices"].compared += delivery.compared - apart

    def _account(self, target: str) -> Account:
        """A listing that is refused counts with the prices that it was made from."""
        kind = next((kind for kind, table in TARGETS.items() if table.name == target), "prices")
        return self.accounts[kind]

    def _try(self, delivery: Delivery) -> DeliveryOutcome:
        """Try the stages over the delivery without writing."""
        for table, rows in (
            (RAW_PRICES, delivery.price_rows),
            (RAW_NEWS, delivery.news_rows),
            (RAW_IMPORTS, delivery.imports),
        ):
            self.dry_run.land(table, rows)
        kinds = {kind for kind, rows in _rows_of(delivery).items() if rows}
        given = self.dry_run.run(_stages(kinds), delivery.since, delivery.session)
        self.dry_run.forget((RAW_PRICES, RAW_NEWS, RAW_IMPORTS, *TARGETS.values()), delivery.session)
        mine = pl.col("payload_id").is_in(delivery.payloads)
        accepted = {kind: given[TARGETS[kind].name].filter(mine).height for kind in kinds}
        return DeliveryOutcome(accepted, given.get(QUARANTINED_ROWS.name, QUARANTINED_ROWS.empty()).filter(mine))

    def _commit(self, delivery: Delivery, progress: Progress) -> DeliveryOutcome:
        """Run the stages over the delivery, unless they have been, and read back what they made of it."""
        kinds = {kind for kind, rows in _rows_of(delivery).items() if rows} | self._kinds_underived(delivery)
        wanted = work.import_from(
            self.mapping.name, _stages(kinds), delivery.since, delivery.session, self._digest(delivery)
        )
        if kinds and (delivery.payloads or not is_published(self.lake, wanted.cycle_id)):
            unpublished = replace(wanted, cycle_id=self._free_id(wanted.cycle_id))
            Runner(self.lake, self.runner.settings, delivery).run_import(unpublished, progress)
        return self._outcome(delivery)

    def _kinds_underived(self, delivery: Delivery) -> set[str]:
        """The kinds that were landed before in these sessions: an import cut short may have left them underived."""
        return {kind for kind in self.accounts if self._payloads(RAW[kind], delivery)}

    def _digest(self, delivery: Delivery) -> str:
        """Of all that is landed of these sessions: the same landings are derived once."""
        tables = {RAW[kind].name: RAW[kind] for kind in self.accounts}
        landed = {one for table in tables.values() for one in self._payloads(table, delivery)}
        return sha256("".join(sorted(landed | set(delivery.payloads))).encode()).hexdigest()[:8]

    def _free_id(self, cycle_id: str) -> str:
        """A name that is free: what was recovered of an import cut short before all was landed has the first one."""
        names = (cycle_id, *(f"{cycle_id}-{number}" for number in range(2, 100)))
        return next(name for name in names if not is_published(self.lake, name))

    def _payloads(self, table: Table, delivery: Delivery) -> list[str]:
        mine = pl.col("source") == self.mapping.source
        since, until = delivery.since, delivery.session
        rows = self.lake.read(table, since=since, until=until, where=mine, columns=("payload_id",))
        return rows["payload_id"].to_list()

    def _outcome(self, delivery: Delivery) -> DeliveryOutcome:
        """What the tables hold of the delivery's payloads."""
        mine = pl.col("payload_id").is_in(delivery.payloads)
        kinds = [kind for kind, rows in _rows_of(delivery).items() if rows]
        tables = {kind: TARGETS[kind] for kind in kinds}
        accepted = {kind: self.lake.read(of, where=mine, columns=of.key).height for kind, of in tables.items()}
        if not kinds:
            return DeliveryOutcome({}, QUARANTINED_ROWS.empty())
        at = delivery.session
        return DeliveryOutcome(accepted, self.lake.read(QUARANTINED_ROWS, since=at, until=at, where=mine))

    def _land_corrections(self, lines: pl.DataFrame, parts: Iterable[Spooled]) -> Delivery:
        """Land them after every session this system was landed at: a value that stood then cannot change then."""
        landed = self.lake.read(RAW_PRICES, where=pl.col("source") == self.mapping.source, columns=("session",))
        last = landed["session"].max()
        after = self.calendar.next(last) if isinstance(last, date) else self.until
        part = next(part for part in parts if part.section.kind == "prices")
        first = self.calendar.at_or_after(lines["day"].min())  # type: ignore[arg-type]
        delivery = correct(self.mapping, part, lines, max(after, self.until), self.calendar.exchange, self.at)
        return replace(delivery, since=first)

    # ---- what the lake holds already

    def _read_known(self, span: DaySpan, parts: Iterable[Spooled]) -> Known:
        kinds = [part.section.kind for part in parts]
        landed = {kind: read_landed_lines(self._raw(kind, span), kind) for kind in kinds}
        others = pl.DataFrame(schema={"ticker": pl.String, "session": pl.Date})
        if "prices" in kinds:
            interval = next(part.section.interval for part in parts if part.section.kind == "prices")
            standing = self.lake.read(
                MARKET_PRICES,
                since=span.first,
                until=span.last,
                where=pl.col("interval") == interval,
                columns=(*MARKET_PRICES.key, "session", "source"),
                every_revision=False,
            )
            others = standing.filter(pl.col("source") != self.mapping.source).select("ticker", "session").unique()
        listed = self.lake.read(INSTRUMENTS, columns=("ticker",))["ticker"].to_list()
        return Known(landed, others, frozenset(listed), self.settled is not None)

    def _raw(self, kind: str, span: DaySpan) -> pl.DataFrame:
        """What was landed of a kind for days of the span; a correction lies at a later session than its bars."""
        table = RAW[kind]
        mine = pl.col("source") == self.mapping.source
        if kind == "prices":
            mine = mine & pl.col("kind").is_in(["bars", "check"])
        elif table is RAW_IMPORTS:
            mine = mine & (pl.col("kind") == kind)
        if span.last is not None:
            asked_from = pl.col("request").str.extract(r'"since": ?"(\d{4}-\d{2}-\d{2})"')
            mine = mine & (asked_from <= span.last.isoformat()).fill_null(True)
        return self.lake.read(table, since=span.first, where=mine)


def _rows_of(delivery: Delivery) -> dict[str, int]:
    imports = {kind: delivery.imports.filter(kind=kind).height for kind in ("predictions", "trades")}
    return {"prices": delivery.price_rows.height, "news": delivery.news_rows.height, **imports}


def _stages(kinds: Iterable[str]) -> tuple[Stage, ...]:
    wanted = frozenset[str]().union(*(STAGES_OF[kind] for kind in kinds))
    return tuple(stage for stage in IMPORT if stage.name in wanted)
