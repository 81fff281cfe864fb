"""What keeps a language model from answering anything: by kind, in plain words, with how to mend it."""

from __future__ import annotations

import re
from typing import NamedTuple


class Outage(NamedTuple):
    """A refusal that no other request escapes."""

    kind: str
    """In a word or two."""
    words: str
    """What it is and what mends it; the reason of a request that was not answered begins with it."""
    hours: float
    """For how long nobody is asked again with the same key, server, model and form."""


BALANCE = Outage("no balance", "the account has no balance left: top it up", 1.0)
KEY = Outage("key refused", "the server refuses the key: set OPENAI_API_KEY to one that is valid", 12.0)
ACCESS = Outage("access refused", "the key may not use this model: allow it, or set ingestion.news.model.name", 12.0)
MODEL = Outage(
    "no such model", "the server has no such model or address: check ingestion.news.model (name, base_url, api)", 12.0
)
FORM = Outage(
    "form not supported",
    "the model cannot answer in the form asked for: choose another one, or the other ingestion.news.model.api",
    12.0,
)
OUTAGES = (BALANCE, KEY, ACCESS, MODEL, FORM)

BALANCE_CODES = ("insufficient_quota", "insufficient_balance", "billing_hard_limit_reached", "billing_not_active")
MODEL_CODES = ("model_not_found", "model_deprecated", "unknown_model", "invalid_model", "model_not_supported")
KEY_CODES = ("invalid_api_key", "account_deactivated", "invalid_issuer")
NO_BALANCE = re.compile(r"exceeded your current quota|insufficient (balance|credit)|credit balance is too low", re.I)
NO_MODEL = re.compile(
    r"\bmodel\b.{0,120}(does not exist|not found|deprecated|decommissioned|retired|no longer)", re.I | re.S
)
NO_FORM = re.compile(r"response_format|text\.format|json_schema|structured output|max_(completion|output)_tokens", re.I)


def classify(status: int, code: str, message: str) -> Outage | None:
    """The outage that an error of a server is about; None if another request may well be answered.

    Args:
        status: of HTTP.
        code: of the error as the server names it, or empty.
        message: its words, with the parameter that it complains about.
    """
    told = status in (400, 403, 404, 410, 422, 429)
    if status == 402 or code in BALANCE_CODES or (told and NO_BALANCE.search(message)):
        return BALANCE
    if status == 401 or code in KEY_CODES:
        return KEY
    if status in (404, 410) or code in MODEL_CODES or (told and NO_MODEL.search(message)):
        return MODEL
    if status == 403:
        return ACCESS
    return FORM if status in (400, 422) and NO_FORM.search(message) else None


def find_outage(reason: str) -> Outage | None:
    """The outage a stored reason begins with."""
    return next((outage for outage in OUTAGES if reason.startswith(outage.words)), None)
