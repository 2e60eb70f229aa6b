"""Which mentions need an answer, and from which brand. Decisions only, no database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from store.triage import ConcernedBrand, PendingMention

INTENTS = ("complaint", "enquiry", "suggestion", "praise", "other")
"""The order of ``Understanding.intent_probabilities``."""

SUBJECT_LENGTH = 200
_JOINERS = "\u200c\u200d"  # Persian words and composed emoji need them


@dataclass(frozen=True, slots=True)
class TriageRules:
    """What opens a ticket.

    ``urgent_from``: an urgency (0 to 3) that opens one whatever the intent. ``needs_answer``: the
    least probability that a post is a complaint or an enquiry when the model's first choice is
    something else; ``needs_answer_unsure`` when the model says that it is not sure: then a person
    had better look. ``reopen_within``: how long after it was resolved a ticket opens again.
    """

    suggestions: bool = False
    urgent_from: int = 2
    needs_answer: float = 0.5
    needs_answer_unsure: float = 0.35
    reopen_within: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A post that needs an answer. ``reason`` is intent, urgency or unsure."""

    brand: ConcernedBrand
    category: str
    reason: str


def judge(mention: PendingMention, rules: TriageRules) -> Verdict | None:
    """Whether a post opens a ticket, of which class, for which brand, and why; None when not.

    Never for our own posts, a competitor's, deleted ones, bare reposts, or posts that concern no
    own brand.
    """
    said = mention.understanding
    if mention.by_competitor:
        return None
    if mention.direction != "inbound" or mention.deleted_at or mention.kind == "repost":
        return None
    brand = owning_brand(mention)
    if said is None or brand is None:
        return None
    intent = brand.intent or said.intent
    if intent in ("complaint", "enquiry") or (intent == "suggestion" and rules.suggestions):
        return Verdict(brand, intent, "intent")
    if said.urgency >= rules.urgent_from:
        return Verdict(brand, intent, "urgency")
    corrected = intent != said.intent
    if corrected:
        return None
    complaint, enquiry = said.intent_probabilities[:2]
    least = rules.needs_answer_unsure if said.unsure else rules.needs_answer
    if complaint + enquiry >= least:
        return Verdict(brand, "complaint" if complaint >= enquiry else "enquiry", "unsure")
    return None


def owning_brand(mention: PendingMention) -> ConcernedBrand | None:
    """The own brand that answers: the account addressed, else the lowest brand priority.

    The account is the one it came through; where that serves no single brand, the one whose
    handle stands in the text.
    """
    own = sorted(
        (brand for brand in mention.brands if brand.kind == "own"),
        key=lambda brand: (brand.priority, brand.id),
    )
    for brand in own:
        if brand.id == mention.addressed_brand_id:
            return brand
    for brand in own:
        if _names(mention.text, brand.handles):
            return brand
    return own[0] if own else None


def praises(mention: PendingMention) -> bool:
    """Whether a post is nothing but thanks, and the model is sure of it."""
    said = mention.understanding
    if said is None or said.urgency >= 2:
        return False
    corrected = {brand.intent for brand in mention.brands} - {None, said.intent}
    return said.intent == "praise" and not said.unsure and not corrected


def subject_from(title: str, text: str) -> str:
    """A ticket's subject: the title or the first words, on one line, without invisible signs."""
    words = " ".join(_visible(title.strip() or text).split())
    if len(words) <= SUBJECT_LENGTH:
        return words
    return words[: SUBJECT_LENGTH - 1].rstrip() + "…"


def _visible(text: str) -> str:
    """Without control and direction signs, which could make a line read as something else."""
    return "".join(
        " " if c.isspace() else c
        for c in text
        if c.isspace() or c in _JOINERS or unicodedata.category(c)[0] != "C"
    )


def _names(text: str, handles: Sequence[str]) -> bool:
    lowered = text.casefold()
    return any(
        re.search(rf"@{re.escape(handle.lstrip('@').casefold())}(?![\w.-]*\w)", lowered)
        for handle in handles
        if handle.strip("@ ")
    )
