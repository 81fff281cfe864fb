"""The books, exact to the cent: ledger, positions, what they are worth, and the portfolios they are compared with."""

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.vocabulary import (
    SESSION,
    TICKER,
    count,
    currency,
    day,
    flag,
    instant,
    local_money,
    money,
    number,
    price,
    rate,
    text,
)

ACCOUNTS = "cash|positions|receivable|capital|realised|exchange|dividends|commission|rounding|interest|borrow"
"""`exchange`: what exchange rates added to the gain on what was sold; `borrow`: what borrowed shares cost."""

POSITION_ENDS = Table(
    name="position_ends",
    domain="trading",
    doc="Held names whose bars stopped without a word and that were written off: since when, and at what value.",
    key=("ticker", "last_session", "revision"),
    entity=("ticker", "last_session"),
    mode="append",
    owner="position_ends",
    clock="session",
    available="available_at",
    withdrawal="withdrawn",
    columns={
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "last_session": day("the session of its last close").refer_to("market_prices.session"),
        "revision": Column(pl.Int32(), "count", "0 for the first statement, then what was heard since"),
        "session": SESSION,
        "ended_on": day("the session before whose open it is written off"),
        "amount": number("currency per share", "what a share is written off at"),
        "fraction": number(
            "fraction",
            "of its last close that it is written off at; null where older programs wrote none",
            nullable=True,
        ),
        "withdrawn": flag("something was heard of it since; readers of last revisions do not see it"),
        "reason": text("why", max_length=200),
        "available_at": instant("when it could be known"),
        "carried": number(
            "currency per share",
            "what a share was held at for want of a bar, on the shares of the last session; null where a bar says it",
            nullable=True,
        ),
    },
)

LEDGER_ENTRIES = Table(
    name="ledger_entries",
    domain="trading",
    doc="Double entry: the legs of each event sum to zero; debits are positive, credits negative.",
    key=("entry_id",),
    mode="append",
    owner="ledger",
    clock="session",
    columns={
        "entry_id": text("event and leg number", unit="id", max_length=130),
        "event_id": text("the event whose legs balance", unit="id", max_length=120),
        "session": SESSION.refer_to("corporate_actions.ex_date"),
        "ts": instant("when it took effect"),
        "sequence": count("count", "order of the entry within the session"),
        "kind": Column(
            pl.String(),
            "name",
            "what happened",
            pattern="fund|interest|borrow|buy|sell|short|cover|commission|split|cash_in_lieu|dividend|return_of_capital"
            "|rights|dividend_paid|spin_off|merger|delisting|rename|write_off|redenomination|reversal|correction",
        ),
        "account": Column(pl.String(), "name", "the account", pattern=ACCOUNTS),
        "ticker": Column(
            pl.String(), "symbol", "the security concerned", nullable=True, pattern=TICKER.pattern, max_length=20
        ).refer_to("corporate_actions.ticker"),
        "amount": money("debit positive, credit negative"),
        "shares": count("shares", "change in shares held; only on the positions account"),
        "reference": text("trade_id, or the action or charge it stems from", unit="id", max_length=90).refer_to(
            "executed_trades.trade_id", "financing.charge_id"
        ),
        "due": day("receivable: when it is paid", nullable=True),
        "effective": day(
            "the session that it would have been posted at, had all been known; null in entries of earlier programs",
            nullable=True,
        ),
        "revision": Column(
            pl.Int32(), "count", "revision of the action that it follows; null for fills", nullable=True
        ),
        "corrects": text(
            "reversal and correction: the event that was posted first", unit="id", nullable=True, max_length=100
        ),
        "currency": currency("what the name is quoted in"),
        "rate": rate("what the amount was converted at; null in reversals"),
        "local_amount": local_money(
            "the amount in that currency before it was converted; null for commission and what is paid later"
        ),
    },
    rules={
        "shares move only on positions": Rule(
            (pl.col("account") == "positions") | (pl.col("shares") == 0), "put shares on the positions leg"
        ),
        "the legs of an event sum to zero": Rule(
            pl.col("amount").sum().over("event_id") == 0, "balance the event: debits equal credits"
        ),
    },
)

FINANCING = Table(
    name="financing",
    domain="trading",
    doc="What the nights before a session cost or brought: interest on cash, and fees for borrowed shares.",
    key=("session", "item"),
    mode="append",
    owner="financing",
    clock="session",
    root="the terms of bank and lender, on what the book stated at the close before",
    columns={
        "session": SESSION,
        "stated_on": day("the close before, on whose statement it is reckoned").recall("portfolio_value.session"),
        "item": text("cash, collateral, debt, or the ticker that is short", unit="name", max_length=20),
        "charge_id": text("session, kind and item", unit="id", max_length=60),
        "kind": Column(pl.String(), "name", "what it is", pattern="interest|borrow"),
        "base": money("what it is reckoned on, as stated at the close before; negative for what is owed"),
        "rate": number("fraction per year", "simple interest, a year of 365 days"),
        "days": count("days", "from the session before to this one"),
        "amount": money("base x rate x days / 365, rounded half to even; negative for a cost"),
    },
)

BOOK_OPENINGS = Table(
    name="book_openings",
    domain="trading",
    doc="Whether a session's books go on from the balances of the session before, told once for all that keep them.",
    key=("session",),
    mode="append",
    owner="book_openings",
    clock="session",
    columns={
        "session": SESSION.refer_to("corporate_actions.ex_date", "market_prices.session", "position_ends.ended_on"),
        "unchanged": flag("nothing was learned of the past since those balances"),
        "reason": text("why the books are added up anew; empty where they go on", max_length=200),
        "actions": text("hash of what is known of actions up to the session", unit="id", max_length=64),
    },
)

BALANCES = Table(
    name="balances",
    domain="trading",
    doc="What the ledger adds up to after each session, so that the next one goes on from it.",
    key=("session", "account", "item"),
    mode="append",
    owner="balances",
    clock="session",
    columns={
        "session": SESSION.refer_to("ledger_entries.session"),
        "account": Column(pl.String(), "name", "the account", pattern=ACCOUNTS).refer_to("ledger_entries.account"),
        "item": text("positions: the ticker; receivable: the claim's reference; else empty", unit="id", max_length=90),
        "amount": money("debit positive, credit negative; of a position what it cost"),
        "ticker": Column(
            pl.String(), "symbol", "the security concerned", nullable=True, pattern=TICKER.pattern, max_length=20
        ),
        "shares": count("shares", "held, negative where sold short; only on positions"),
        "local_amount": local_money("what a foreign position cost"),
        "opened": day("positions: session of the first buy", nullable=True),
        "due": day("receivable: when it is paid", nullable=True),
        "carried": flag("taken from the balances before: nothing was learned of the past in the session"),
        "facts": text(
            "hash of what was known of the past; empty where balances cannot be carried on", unit="id", max_length=64
        ),
    },
)

PORTFOLIO_HOLDINGS = Table(
    name="portfolio_holdings",
    domain="trading",
    doc="Positions after each session's events, folded from the ledger.",
    key=("session", "ticker"),
    mode="append",
    owner="holdings",
    clock="session",
    columns={
        "session": SESSION.refer_to("ledger_entries.session"),
        "ticker": TICKER.refer_to("ledger_entries.ticker", "market_prices.ticker"),
        "sector": text("sector", unit="name", max_length=60),
        "shares": count("shares", "shares held; negative where they are owed"),
        "cost": money("what they cost, commission apart; of a short position what selling them brought, negative"),
        "close": price("last close known, as quoted"),
        "close_session": day("the session of that close; earlier than `session` if it did not trade").refer_to(
            "market_prices.session"
        ),
        "market_value": money("shares x close, rounded half to even; of a foreign name local_value x rate"),
        "unrealised": money("market value less cost"),
        "weight": number("fraction of NAV", "market value over portfolio value"),
        "opened": day("session of the position's first buy"),
        "held_sessions": count("sessions", "sessions since then"),
        "currency": currency("what close, local_cost and local_value are in"),
        "rate": rate("what that was worth at the session"),
        "rate_session": day("the day of that rate: the last one before the session", nullable=True),
        "local_cost": local_money("what they cost"),
        "local_value": local_money("shares x close, rounded half to even"),
        "exchange_gain": money(
            "the part of `unrealised` that rates brought: local_cost x rate less cost", nullable=True
        ),
    },
    rules={"a holding has shares": Rule(pl.col("shares") != 0, "leave out what is no longer held")},
)

BASELINE_HOLDINGS = Table(
    name="baseline_holdings",
    domain="trading",
    doc="What equal weight, the benchmark and top-k dropout hold after each session, and what they traded in it.",
    key=("session", "portfolio", "asset"),
    mode="append",
    owner="baselines",
    clock="session",
    columns={
        "session": SESSION.refer_to("ticker_universe.session", "market_prices.session", "predictions.target_session"),
        "portfolio": Column(pl.String(), "name", "which baseline", pattern="equal_weight|benchmark|top_k"),
        "asset": Column(
            pl.String(), "symbol", "the ticker held, or cash", pattern=f"{TICKER.pattern}|cash", max_length=20
        ).refer_to("market_prices.ticker", "corporate_actions.ticker"),
        "shares": number("shares", "shares held, fractions too; 0 where sold in this session; cash: the amount"),
        "close": number("currency per share", "last close known, restated for splits and dividends since; cash: 1"),
        "close_session": day("the session of that close; earlier than `session` where it did not trade"),
        "value": number("currency", "shares x close"),
        "traded": number("currency", "bought (positive) or sold (negative) at this close; of top_k at this open"),
        "cost": number(
            "currency",
            "half-spread and commission of what was traded; taken from the value of top_k, not of the others",
        ),
        "impact": number(
            "currency", "square-root impact of what was traded, as `cost`; null from earlier programs", nullable=True
        ),
    },
    rules={
        "a baseline is not short": Rule((pl.col("shares") >= 0) | (pl.col("asset") == "cash"), "sell what is held"),
    },
)

PORTFOLIO_VALUE = Table(
    name="portfolio_value",
    domain="trading",
    doc="The portfolio's value after each session, with its reconciliation, equal weight and the benchmark.",
    key=("session",),
    mode="append",
    owner="value",
    clock="session",
    columns={
        "session": SESSION.refer_to(
            "portfolio_holdings.session", "ledger_entries.session", "baseline_holdings.session"
        ),
        "cash": money("cash"),
        "receivable": money("dividends due but not paid, less those owed on short positions"),
        "positions_value": money("holdings at the close"),
        "nav": money("cash + receivable + positions"),
        "capital": money("paid in so far"),
        "realised": money("gains taken so far; commission, dividends and what exchange rates brought apart"),
        "unrealised": money("market value less cost"),
        "dividends": money("dividends earned so far, less those owed on short positions"),
        "commission": money("commission paid so far"),
        "spread_cost": money("half-spreads paid so far (inside the fill prices)"),
        "impact_cost": money("impact paid so far (inside the fill prices)"),
        "unexplained": money("nav less what fills and facts as known today give, reconciled apart; 0 unless in error"),
        "positions": count("positions", "number of positions"),
        "exposure": number("fraction of NAV", "positions value over NAV"),
        "turnover": number("fraction of NAV", "value traded this session over NAV"),
        "session_return": number("fraction", "change of NAV over the previous session, restatements left out"),
        "peak": money("highest NAV so far"),
        "drawdown": number("fraction", "fall from the peak, 0 or more"),
        "equal_weight": number("currency", "the same capital in an equal-weight universe, total return, no costs"),
        "benchmark": number("currency", "the same capital in the benchmark, total return", nullable=True),
        "equal_weight_turnover": number(
            "fraction of its value", "value that equal weight traded this session over its value", nullable=True
        ),
        "equal_weight_cost": number(
            "currency",
            "half-spreads and commissions of its trades so far; not taken from `equal_weight`",
            nullable=True,
        ),
        "restated": money(
            "value at the close before, as known now, less as it was stated: not part of session_return", nullable=True
        ),
        "difference": text(
            "first event in which the ledger and the reconciliation differ, and how many do; null where none does",
            nullable=True,
            max_length=500,
        ),
        "exchange": money("gains taken so far that exchange rates brought; null where there were none", nullable=True),
        "unrealised_exchange": money("the part of `unrealised` that rates brought; null as above", nullable=True),
        "interest": money(
            "interest on cash so far, less what debts cost; null where nothing was ever charged, as the next two",
            nullable=True,
        ),
        "borrow_cost": money("what borrowed shares cost so far", nullable=True),
        "short_value": money("what short positions are worth at the close, negative", nullable=True),
        "cash_alone": number(
            "currency",
            "the same capital left in cash, with interest where set; null from earlier programs, as all that follow",
            nullable=True,
        ),
        "equal_weight_net": number(
            "currency", "the same capital in equal weight, less what its trades cost", nullable=True
        ),
        "equal_weight_net_cost": number(
            "currency", "half-spread, impact and commission taken from it so far", nullable=True
        ),
        "benchmark_net": number(
            "currency", "the same capital in the benchmark, less what its trades cost", nullable=True
        ),
        "benchmark_net_cost": number(
            "currency", "half-spread, impact and commission taken from it so far", nullable=True
        ),
        "top_k": number(
            "currency", "the same capital in the best k names by the book's forecasts, after costs", nullable=True
        ),
        "top_k_cost": number("currency", "half-spread, impact and commission taken from it so far", nullable=True),
    },
)
