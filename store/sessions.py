"""Signed-in browsers: the cookie carries a random token, the table its SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from store.models import User, UserSession

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
TOUCH_EVERY = timedelta(minutes=1)
"""A page reruns many times a minute; the row is written at most this often."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that is good now, and whether it is time to note that it was used."""

    user: User
    token_hash: str
    wants_touch: bool


def hash_token(token: str) -> str:
    """What the table keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(session: Session, user_id: int, now: datetime) -> str:
    """Start a session and give its token. The token is stored nowhere."""
    token = secrets.token_urlsafe(32)
    session.add(
        UserSession(
            token_hash=hash_token(token),
            user_id=user_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + ABSOLUTE,
        )
    )
    session.flush()
    return token


def find(session: Session, token: str, now: datetime) -> OpenSession | None:
    """The session of this token and its person, unless revoked, expired or the person left."""
    return find_hashed(session, hash_token(token), now)


def find_hashed(session: Session, hashed: str, now: datetime) -> OpenSession | None:
    """The same by what the table keeps of the token."""
    row = session.execute(
        select(UserSession, User)
        .join(User, User.id == UserSession.user_id)
        .where(
            UserSession.token_hash == hashed,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            UserSession.last_seen_at > now - IDLE,
            User.active,
        )
    ).first()
    if row is None:
        return None
    signed_in, user = row
    return OpenSession(user, hashed, wants_touch=now - signed_in.last_seen_at >= TOUCH_EVERY)


def touch(session: Session, token_hash: str, now: datetime) -> None:
    """Note that a session was used, which puts its idle end off."""
    session.execute(
        update(UserSession).where(UserSession.token_hash == token_hash).values(last_seen_at=now)
    )


def revoke(session: Session, token: str, now: datetime) -> int | None:
    """End one session. Gives the person's id, or None when there was nothing to end."""
    return session.scalar(
        update(UserSession)
        .where(UserSession.token_hash == hash_token(token), UserSession.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(UserSession.user_id)
    )


def revoke_all(session: Session, user_id: int, now: datetime, *, except_hash: str = "") -> None:
    """End every session of a person, but for the one they are using right now."""
    session.execute(
        update(UserSession)
        .where(
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.token_hash != except_hash,
        )
        .values(revoked_at=now)
    )


def forget_old(session: Session, now: datetime) -> None:
    """Delete sessions that ended more than a month ago."""
    month = now - timedelta(days=30)
    session.execute(
        delete(UserSession).where(
            or_(UserSession.expires_at < month, UserSession.revoked_at < month)
        )
    )
