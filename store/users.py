"""Staff: who they are, what they may see, and the one-time token of the first administrator."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from store.models import Brand, SetupToken, User, UserBrand, UserSession

ROLES = ("agent", "manager", "analyst", "administrator")


class UserError(Exception):
    """A change of staff that cannot be made; the text says why.

    ``reason`` is bad_email, bad_role, taken or last_administrator.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class NewUser:
    """What is needed to add a member of staff. ``brand_ids`` None means every brand."""

    email: str
    role: str
    password_hash: str
    name: str = ""
    language: str = "en"
    brand_ids: Collection[int] | None = None


def normal_email(email: str) -> str:
    """The form in which an address is stored and looked up."""
    return email.strip().casefold()


def create(session: Session, new: NewUser, now: datetime) -> User:
    """Add a member of staff. Raises UserError for a bad address, a taken one or no such role."""
    email = normal_email(new.email)
    local, _, domain = email.partition("@")
    if (
        not local
        or ("." not in domain and domain != "localhost")
        or " " in email
        or len(email) > 254
    ):
        raise UserError("That is not an e-mail address.", "bad_email")
    if new.role not in ROLES:
        raise UserError(
            f"There is no role {new.role!r}; choose one of {', '.join(ROLES)}.", "bad_role"
        )
    if by_email(session, email) is not None:
        raise UserError("Somebody with this e-mail address is already there.", "taken")
    user = User(
        email=email,
        name=new.name.strip()[:120],
        role=new.role,
        password_hash=new.password_hash,
        language=new.language,
        active=True,
        all_brands=new.brand_ids is None,
        failed_sign_ins=0,
        created_at=now,
    )
    session.add(user)
    session.flush()
    if new.brand_ids is not None:
        set_brands(session, user.id, new.brand_ids)
    return user


def by_email(session: Session, email: str) -> User | None:
    """The person with this address, active or not."""
    return session.scalar(select(User).where(User.email == normal_email(email)))


def by_id(session: Session, user_id: int) -> User | None:
    """The person with this id, active or not."""
    return session.get(User, user_id)


def all_users(session: Session) -> list[User]:
    """Everybody, active ones first, by address."""
    return list(session.scalars(select(User).order_by(User.active.desc(), User.email)))


def names(session: Session) -> dict[int, str]:
    """Id to the name shown on the desk (the part before the @ where no name was given)."""
    rows = session.execute(select(User.id, User.name, User.email))
    return {row.id: row.name or row.email.partition("@")[0] for row in rows}


def assignable(session: Session) -> list[User]:
    """Active people who may work on tickets."""
    return list(
        session.scalars(
            select(User)
            .where(User.active, User.role.in_(("agent", "manager", "administrator")))
            .order_by(User.name, User.email)
        )
    )


def any_administrator(session: Session) -> bool:
    """Whether an active administrator exists, so that the set-up page stays shut."""
    found = session.scalar(
        select(func.count()).select_from(User).where(User.active, User.role == "administrator")
    )
    return bool(found)


def set_password(
    session: Session, user_id: int, password_hash: str, *, keep_session: str = ""
) -> None:
    """Store a new password hash, lift a lock and end the person's sessions.

    ``keep_session`` is the token hash of the one session that stays, for a person who changes
    their own password.
    """
    replace_hash(session, user_id, password_hash)
    session.execute(
        delete(UserSession).where(
            UserSession.user_id == user_id, UserSession.token_hash != keep_session
        )
    )


def replace_hash(session: Session, user_id: int, password_hash: str) -> None:
    """Store another hash of the same password and lift a lock."""
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(password_hash=password_hash, failed_sign_ins=0, locked_until=None)
    )


def set_language(session: Session, user_id: int, language: str) -> None:
    """Remember the language a person reads."""
    session.execute(update(User).where(User.id == user_id).values(language=language))


def set_role(session: Session, user_id: int, role: str) -> None:
    """Give another role. Raises UserError when the last administrator would be gone."""
    if role not in ROLES:
        raise UserError(f"There is no role {role!r}; choose one of {', '.join(ROLES)}.", "bad_role")
    if role != "administrator":
        _keep_an_administrator(session, user_id)
    session.execute(update(User).where(User.id == user_id).values(role=role))


def set_active(session: Session, user_id: int, active: bool) -> None:
    """Let a person in or keep them out. Raises UserError for the last administrator."""
    if not active:
        _keep_an_administrator(session, user_id)
    session.execute(update(User).where(User.id == user_id).values(active=active))


def _keep_an_administrator(session: Session, user_id: int) -> None:
    administrators = session.scalars(
        select(User.id)
        .where(User.active, User.role == "administrator")
        .order_by(User.id)
        .with_for_update()
    ).all()
    if list(administrators) == [user_id]:
        raise UserError(
            "This is the only administrator. Make somebody else one first.", "last_administrator"
        )


def set_brands(session: Session, user_id: int, brand_ids: Collection[int] | None) -> None:
    """Limit a person to these brands; None lets them see every brand."""
    session.execute(delete(UserBrand).where(UserBrand.user_id == user_id))
    session.execute(update(User).where(User.id == user_id).values(all_brands=brand_ids is None))
    session.add_all(
        UserBrand(user_id=user_id, brand_id=brand) for brand in sorted(set(brand_ids or ()))
    )
    session.flush()


def permitted_brands(session: Session, user: User) -> list[Brand]:
    """The brands this person may see: own before competitors, by priority and name."""
    wanted = select(Brand).order_by(Brand.kind.desc(), Brand.priority, Brand.name)
    if not user.all_brands:
        own = select(UserBrand.brand_id).where(UserBrand.user_id == user.id)
        wanted = wanted.where(Brand.id.in_(own))
    return list(session.scalars(wanted))


def note_failure(
    session: Session, user_id: int, *, lock_after: int, lock_until: datetime
) -> datetime | None:
    """Count a wrong password and lock from the ``lock_after``-th in a row; gives the lock's end."""
    user = session.scalar(select(User).where(User.id == user_id).with_for_update())
    if user is None:
        return None
    user.failed_sign_ins += 1
    if user.failed_sign_ins >= lock_after:
        user.locked_until = lock_until
    session.flush()
    return user.locked_until


def note_success(session: Session, user_id: int) -> None:
    """Forget the wrong passwords before a right one."""
    session.execute(
        update(User).where(User.id == user_id).values(failed_sign_ins=0, locked_until=None)
    )


# The first administrator


def make_setup_token(session: Session, now: datetime) -> str:
    """Replace any earlier set-up token by a new one and give it; only its hash is kept."""
    token = secrets.token_urlsafe(24)
    session.execute(delete(SetupToken))
    session.add(SetupToken(token_hash=_hash(token), created_at=now))
    session.flush()
    return token


def setup_token_is_good(session: Session, token: str) -> bool:
    """Whether this token still opens the set-up page."""
    if any_administrator(session):
        return False
    row = session.get(SetupToken, _hash(token))
    return row is not None and row.used_at is None


def use_setup_token(session: Session, token: str, now: datetime) -> bool:
    """Use up the token, once. False when it was used, is unknown, or nobody needs it any more."""
    if any_administrator(session):
        return False
    used = session.execute(
        update(SetupToken)
        .where(SetupToken.token_hash == _hash(token), SetupToken.used_at.is_(None))
        .values(used_at=now)
        .returning(SetupToken.token_hash)
    )
    return used.first() is not None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
