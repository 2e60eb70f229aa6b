"""Signing in: passwords, sessions, the first administrator, and what slows guessing down.

Passwords are hashed with Argon2id (pwdlib's recommended parameters). A wrong address and a wrong
password give the same answer after the same work, and lock alike, so that nobody can learn who
has an account.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pwdlib import PasswordHash
from sqlalchemy.orm import Session

from store import audit, sessions, users
from store.clock import Clock
from store.database import Store
from store.models import User
from store.sessions import ABSOLUTE

COOKIE = "groundswell_session"
COOKIE_SECONDS = int(ABSOLUTE.total_seconds())
LOCK_AFTER = 5
LOCK_FOR = timedelta(minutes=5)
MIN_PASSWORD = 10
MAX_PASSWORD = 256

Reason = Literal["wrong", "locked", "weak", "long", "bad_token", "bad_email"]


class SignInError(Exception):
    """Why somebody did not get in. ``until`` is the end of a lock."""

    def __init__(self, reason: Reason, until: datetime | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.until = until


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as it stands in the database at this moment."""

    id: int
    email: str
    name: str
    role: str
    language: str
    all_brands: bool
    token_hash: str

    @property
    def shown(self) -> str:
        """The name shown on the desk."""
        return self.name or self.email.partition("@")[0]


class Throttle:
    """Counts wrong tries by address and by client in memory, over a sliding window.

    It works for addresses that do not exist too. The lock in the database stands beside it and
    outlives a restart.
    """

    def __init__(self, limit: int, window: timedelta, capacity: int = 10_000) -> None:
        self._limit, self._window, self._capacity = limit, window, capacity
        self._tries: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def blocked_until(self, key: str, now: datetime) -> datetime | None:
        """When this key may try again, or None when it may now."""
        with self._lock:
            tries = self._recent(key, now)
            return tries[-1] + self._window if len(tries) >= self._limit else None

    def note(self, key: str, now: datetime) -> None:
        """Count one wrong try."""
        with self._lock:
            tries = self._recent(key, now)
            tries.append(now)
            self._tries[key] = tries
            self._tries.move_to_end(key)
            while len(self._tries) > self._capacity:
                self._tries.popitem(last=False)

    def forget(self, key: str) -> None:
        """A right try clears the count."""
        with self._lock:
            self._tries.pop(key, None)

    def _recent(self, key: str, now: datetime) -> deque[datetime]:
        tries = self._tries.get(key, deque(maxlen=self._limit))
        while tries and now - tries[0] >= self._window:
            tries.popleft()
        return tries


@functools.cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@functools.cache
def _nobodys_hash() -> str:
    return _hasher().hash("nobody has this password")


def hash_password(password: str) -> str:
    """Argon2id hash of a password. Raises SignInError("weak") or ("long")."""
    if len(password) < MIN_PASSWORD:
        raise SignInError("weak")
    if len(password) > MAX_PASSWORD:
        raise SignInError("long")
    return _hasher().hash(password)


class SignIn:
    """What the sign-in pages and the guard ask. One per process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._by_email = Throttle(LOCK_AFTER, LOCK_FOR)
        self._by_client = Throttle(30, LOCK_FOR)

    def sign_in(self, email: str, password: str, client: str) -> str:
        """Give a session token. Raises SignInError("wrong") or ("locked")."""
        now = self._clock.now()
        email = users.normal_email(email)[:254]
        for throttle, key in ((self._by_email, email), (self._by_client, client)):
            until = throttle.blocked_until(key, now)
            if until is not None:
                raise SignInError("locked", until)
        with self._store.read() as session:
            user = users.by_email(session, email)
        if user is not None and user.locked_until is not None and user.locked_until > now:
            raise SignInError("locked", user.locked_until)
        known = user.password_hash if user is not None and user.active else _nobodys_hash()
        right, better_hash = _hasher().verify_and_update(password[:MAX_PASSWORD], known)
        if not right or user is None or not user.active:
            raise self._refuse(user, email, client, now)
        self._by_email.forget(email)
        return self._store.transact(lambda s: self._let_in(s, user, better_hash, now))

    def _refuse(self, user: User | None, email: str, client: str, now: datetime) -> SignInError:
        self._by_email.note(email, now)
        self._by_client.note(client, now)
        until = self._by_email.blocked_until(email, now)
        if user is not None:
            user_id, lock_until = user.id, now + LOCK_FOR
            stored = self._store.transact(
                lambda s: users.note_failure(
                    s, user_id, lock_after=LOCK_AFTER, lock_until=lock_until
                )
            )
            until = until or stored
        return SignInError("locked", until) if until and until > now else SignInError("wrong")

    def _let_in(self, session: Session, user: User, better_hash: str | None, now: datetime) -> str:
        users.note_success(session, user.id)
        if better_hash is not None:
            users.replace_hash(session, user.id, better_hash)
        sessions.forget_old(session, now)
        audit.record(
            session, at=now, user_id=user.id, action="signed_in", object_type="user",
            object_id=user.id,
        )  # fmt: skip
        return sessions.open_session(session, user.id, now)

    def who(self, token: str | None) -> Person | None:
        """The person of a token, looked up anew each time; notes that the session is in use."""
        if not token or len(token) > 128:
            return None
        return self.still(sessions.hash_token(token))

    def still(self, token_hash: str) -> Person | None:
        """The person of an earlier ``Person.token_hash``, as the database has them now."""
        now = self._clock.now()
        with self._store.read() as session:
            found = sessions.find_hashed(session, token_hash, now)
        if found is None:
            return None
        if found.wants_touch:
            self._store.transact(lambda s: sessions.touch(s, found.token_hash, now))
        user = found.user
        return Person(
            user.id, user.email, user.name, user.role, user.language, user.all_brands,
            found.token_hash,
        )  # fmt: skip

    def sign_out(self, token: str) -> None:
        """End the session of this token."""
        now = self._clock.now()

        def work(session: Session) -> None:
            user_id = sessions.revoke(session, token, now)
            if user_id is not None:
                audit.record(
                    session, at=now, user_id=user_id, action="signed_out", object_type="user",
                    object_id=user_id,
                )  # fmt: skip

        self._store.transact(work)

    def needs_set_up(self) -> bool:
        """Whether no administrator exists yet."""
        with self._store.read() as session:
            return not users.any_administrator(session)

    def set_up_is_open(self, token: str) -> bool:
        """Whether this one-time token opens the set-up page."""
        with self._store.read() as session:
            return users.setup_token_is_good(session, token)

    def set_up(self, token: str, email: str, name: str, password: str, language: str) -> str:
        """Make the first administrator and sign them in; gives the session token.

        Raises SignInError("bad_token"), ("weak"), ("long") or ("bad_email").
        """
        now = self._clock.now()
        if not self.set_up_is_open(token):
            raise SignInError("bad_token")
        hashed = hash_password(password)

        def work(session: Session) -> str:
            if not users.use_setup_token(session, token, now):
                raise SignInError("bad_token")
            try:
                user = users.create(
                    session,
                    users.NewUser(email, "administrator", hashed, name=name, language=language),
                    now,
                )
            except users.UserError as error:
                raise SignInError("bad_email") from error
            audit.record(
                session, at=now, user_id=user.id, action="created", object_type="user",
                object_id=user.id, detail={"role": "administrator", "by": "set-up token"},
            )  # fmt: skip
            return sessions.open_session(session, user.id, now)

        return self._store.transact(work)
