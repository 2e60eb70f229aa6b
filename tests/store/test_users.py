"""Staff, their rights on brands, and sessions, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store import audit, sessions, users
from store.clock import SetClock
from store.database import Store
from store.users import NewUser, UserError
from tests.dashboard import seed


def _add(store: Store, clock: SetClock, email: str, role: str = "agent", **more: object) -> int:
    with store.write() as session:
        return users.create(session, NewUser(email, role, "hash", **more), clock.now()).id


def test_an_address_is_taken_once_whatever_its_case(store: Store, clock: SetClock) -> None:
    _add(store, clock, "Ada@Example.com")
    with pytest.raises(UserError, match="already there"):
        _add(store, clock, " ada@example.COM ")
    for bad in ("ada", "@example.com", "a b@example.com", ""):
        with pytest.raises(UserError, match="not an e-mail"):
            _add(store, clock, bad)
    with pytest.raises(UserError, match="no role"):
        _add(store, clock, "b@example.com", "king")


def test_the_last_administrator_stays(store: Store, clock: SetClock) -> None:
    first = _add(store, clock, "a@example.com", "administrator")
    with store.write() as session:
        with pytest.raises(UserError, match="only administrator"):
            users.set_role(session, first, "agent")
        with pytest.raises(UserError, match="only administrator"):
            users.set_active(session, first, False)
    _add(store, clock, "b@example.com", "administrator")
    with store.write() as session:
        users.set_role(session, first, "agent")
        assert users.any_administrator(session)


def test_a_person_sees_their_brands_only(store: Store, clock: SetClock) -> None:
    with store.write() as session:
        one = seed.add_brand(session, "One", clock.now()).id
        two = seed.add_brand(session, "Two", clock.now(), kind="competitor").id
    who = _add(store, clock, "a@example.com", brand_ids=[two])
    with store.write() as session:
        user = users.by_id(session, who)
        assert user is not None
        assert [brand.id for brand in users.permitted_brands(session, user)] == [two]
        users.set_brands(session, who, None)
        session.refresh(user)
        assert [brand.id for brand in users.permitted_brands(session, user)] == [one, two]
        users.set_brands(session, who, [])
        session.refresh(user)
        assert users.permitted_brands(session, user) == []


def test_a_session_is_found_by_its_token_until_it_is_revoked(store: Store, clock: SetClock) -> None:
    who = _add(store, clock, "a@example.com")
    with store.write() as session:
        token = sessions.open_session(session, who, clock.now())
        other = sessions.open_session(session, who, clock.now())
    with store.write() as session:
        found = sessions.find(session, token, clock.now())
        assert found is not None
        assert (found.user.id, found.wants_touch) == (who, False)
        assert sessions.find(session, token + "x", clock.now()) is None
        assert sessions.revoke(session, token, clock.now()) == who
        assert sessions.revoke(session, token, clock.now()) is None
        assert sessions.find(session, token, clock.now()) is None
        assert sessions.find(session, other, clock.now()) is not None


def test_a_session_in_use_lasts_and_an_idle_one_ends(store: Store, clock: SetClock) -> None:
    who = _add(store, clock, "a@example.com")
    with store.write() as session:
        token = sessions.open_session(session, who, clock.now())
        later = clock.advance(timedelta(hours=11))
        found = sessions.find(session, token, later)
        assert found is not None
        assert found.wants_touch
        sessions.touch(session, found.token_hash, later)
        assert sessions.find(session, token, later + timedelta(hours=11)) is not None
        assert sessions.find(session, token, later + timedelta(hours=12)) is None


def test_leaving_and_a_new_password_end_sessions(store: Store, clock: SetClock) -> None:
    who = _add(store, clock, "a@example.com")
    with store.write() as session:
        kept = sessions.open_session(session, who, clock.now())
        ended = sessions.open_session(session, who, clock.now())
        users.set_password(session, who, "new", keep_session=sessions.hash_token(kept))
        assert sessions.find(session, ended, clock.now()) is None
        assert sessions.find(session, kept, clock.now()) is not None
        users.set_active(session, who, False)
        assert sessions.find(session, kept, clock.now()) is None


def test_a_set_up_token_is_used_once_and_replaced_by_the_next(
    store: Store, clock: SetClock
) -> None:
    with store.write() as session:
        old = users.make_setup_token(session, clock.now())
        new = users.make_setup_token(session, clock.now())
        assert not users.use_setup_token(session, old, clock.now())
        assert users.setup_token_is_good(session, new)
        assert users.use_setup_token(session, new, clock.now())
        assert not users.use_setup_token(session, new, clock.now())


def test_the_log_says_who_did_what(store: Store, clock: SetClock) -> None:
    who = _add(store, clock, "a@example.com", name="Ada")
    with store.write() as session:
        audit.record(
            session, at=clock.now(), user_id=who, action="changed", object_type="source",
            object_id=7, detail={"fields": ["url"]},
        )  # fmt: skip
        audit.record(session, at=clock.now(), user_id=None, action="removed", object_type="brand")
    with store.read() as session:
        lines = audit.latest(session)
    assert [(one.who, one.action, one.object_id) for one in lines] == [
        ("", "removed", ""),
        ("Ada", "changed", "7"),
    ]
