"""What every page is handed: who reads it, in which words, which brands and which period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from dashboard import state, words
from dashboard.formats import Formats
from dashboard.periods import Period
from dashboard.rights import Right, may
from dashboard.words import Words
from service.signin import COOKIE, Person
from store import users
from store.database import Store
from store.models import ALL_BRANDS

ALL = "all"


@dataclass(frozen=True, slots=True)
class BrandChoice:
    """A brand the reader may see."""

    id: int
    name: str
    kind: str
    realm: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Scope:
    """The brands a page is about. ``rollup_keys`` is what charts read for the same brands."""

    key: str
    brand_ids: tuple[int, ...]
    rollup_keys: tuple[int, ...]
    time_zone: str


@dataclass(frozen=True, slots=True)
class Desk:
    """One rerun of a page for one reader."""

    person: Person
    words: Words
    formats: Formats
    brands: Sequence[BrandChoice]
    scope: Scope
    period: Period
    now: datetime

    @property
    def store(self) -> Store:
        """The database of this process."""
        return state.installed().services.store

    @property
    def undo_seconds(self) -> int:
        """How long a reply can be taken back."""
        return state.installed().services.settings.undo_seconds

    def clock_now(self) -> datetime:
        """This moment; ``now`` is when the page began to be drawn."""
        return state.installed().services.clock.now()

    def t(self, text: str, /, **values: object) -> str:
        """A text of the interface in the reader's language."""
        return self.words.t(text, **values)

    def nt(self, one: str, many: str, n: int, /, **values: object) -> str:
        """A text for ``n`` things in the reader's language; ``{n}`` is written as they write it."""
        return self.words.nt(one, many, n, **{"n": self.formats.number(n), **values})

    def may(self, right: Right) -> bool:
        """Whether the reader's role holds a right."""
        return may(self.person, right)

    def brand(self, brand_id: int) -> BrandChoice | None:
        """A brand the reader may see, by id."""
        return next((one for one in self.brands if one.id == brand_id), None)

    @property
    def all_brand_ids(self) -> tuple[int, ...]:
        """Every brand the reader may see, whatever the switch says."""
        return tuple(one.id for one in self.brands)

    @property
    def cache_key(self) -> tuple[object, ...]:
        """What figures depend on besides their filter: a cache must never cross these."""
        return (self.all_brand_ids, self.scope.rollup_keys)

    def still_signed_in(self) -> bool:
        """Asked at the start of every fragment and before every action.

        An open page outlives a sign-out elsewhere, a lost role and a lost brand; so all three are
        looked up again.
        """
        person = state.installed().sign_in.still(self.person.token_hash)
        if person is None or person.role != self.person.role:
            return False
        return {one.id for one in brands_of(person)} >= set(self.all_brand_ids)


def who() -> Person | None:
    """The person behind this page's cookie, as the database has it now."""
    return state.installed().sign_in.who(st.context.cookies.get(COOKIE))


def brands_of(person: Person) -> list[BrandChoice]:
    """The brands a person may see, own ones first."""
    with state.installed().services.store.read() as session:
        user = users.by_id(session, person.id)
        found = users.permitted_brands(session, user) if user is not None else []
    return [BrandChoice(one.id, one.name, one.kind, one.realm, one.time_zone) for one in found]


def scopes(person: Person, brands: Sequence[BrandChoice]) -> dict[str, Scope]:
    """The choices of the brand switch: all real brands together, then each brand.

    Demo and drill brands are never part of "all brands". Who sees every brand reads the total in
    which a mention of two brands counts once; others read the sum over their brands.
    """
    real = [one for one in brands if one.realm == "real"]
    own = [one for one in real if one.kind == "own"] or real
    found: dict[str, Scope] = {}
    if len(real) > 1:
        ids = tuple(one.id for one in real)
        keys = (ALL_BRANDS,) if person.all_brands else ids
        found[ALL] = Scope(ALL, ids, keys, own[0].time_zone)
    for one in brands:
        found[str(one.id)] = Scope(str(one.id), (one.id,), (one.id,), one.time_zone)
    return found or {ALL: Scope(ALL, (), (), "UTC")}


def formats_for(language: str, time_zone: str) -> Formats:
    """How this reader sees figures and moments."""
    return Formats(words.of(language).language, time_zone)
