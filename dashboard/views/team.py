"""Team: who may sign in, as what, for which brands; and what was changed lately."""

from __future__ import annotations

import secrets

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, parts, terms
from dashboard.desk import Desk
from dashboard.hostile import escape, one_line, to_markdown
from service.signin import MIN_PASSWORD, SignInError, hash_password
from store import audit, sessions, users
from store.models import User
from store.users import NewUser, UserError


def show(desk: Desk) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(desk.t("Team"))
        st.space("stretch")
        key = f"add-user-{actions.serial()}"
        with st.popover(
            desk.t("Add a person"), icon=":material/person_add:", type="primary", key=key
        ):
            _add(desk)
    actions.show_said()
    with desk.store.read() as session:
        everybody = users.all_users(session)
        brands = {one.id: users.permitted_brands(session, one) for one in everybody}
        log = audit.latest(session, 30)
    for user in everybody:
        _card(desk, user, [brand.id for brand in brands[user.id]])
    with st.expander(desk.t("Latest changes")):
        _log(desk, log)


def _card(desk: Desk, user: User, brand_ids: list[int]) -> None:
    with st.container(border=True, key=f"user-{user.id}"):
        left, right = st.columns([3, 2], vertical_alignment="center")
        seen = (
            desk.t("All brands")
            if user.all_brands
            else ", ".join(one.name for one in desk.brands if one.id in brand_ids)
            or desk.t("No brand yet")
        )
        tags = [parts.chip(terms.word(desk, terms.ROLES, user.role), "tag")]
        if not user.active:
            tags.append(parts.chip(desk.t("Cannot sign in"), "paused"))
        left.html(
            f"<p><strong><bdi>{escape(user.name or user.email)}</bdi></strong> {' '.join(tags)}<br>"
            f"<bdi>{escape(user.email)}</bdi> · {escape(seen)}</p>"
        )
        with right, st.container(horizontal=True, horizontal_alignment="right"):
            with st.popover(desk.t("Change"), icon=":material/edit:"):
                _change(desk, user, brand_ids)
            with st.popover(desk.t("New password"), icon=":material/key:"):
                _password(desk, user)


def _roles(desk: Desk, current: str) -> str:
    return st.selectbox(
        desk.t("Role"),
        list(users.ROLES),
        format_func=lambda one: terms.word(desk, terms.ROLES, one),
        index=users.ROLES.index(current),
    )


def _brands(desk: Desk, all_brands: bool, chosen: list[int]) -> list[int] | None:
    every = st.toggle(desk.t("May see every brand"), all_brands)
    names = {one.id: one.name for one in desk.brands}
    some = st.multiselect(
        desk.t("Otherwise only these"), list(names), [one for one in chosen if one in names],
        format_func=lambda one: to_markdown(names[one]), placeholder=desk.t("Choose brands"),
    )  # fmt: skip
    return None if every else some


def _add(desk: Desk) -> None:
    with st.form(f"add-user-form-{actions.serial()}", border=False):
        email = st.text_input(desk.t("E-mail"))
        name = st.text_input(desk.t("Name"), max_chars=120)
        role = _roles(desk, "agent")
        brand_ids = _brands(desk, True, [])
        password = st.text_input(
            desk.t("First password"), _suggested("new"), help=_hint(desk)
        )  # fmt: skip
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return

    def work(session: Session) -> None:
        now = desk.clock_now()
        new = NewUser(email, role, _hashed(desk, password), name, desk.person.language, brand_ids)
        user = users.create(session, new, now)
        _note(desk, session, "user.added", user.id, {"role": role})

    said = desk.t(
        "{who} can sign in now with the password {password}. Give it to them in person; it is "
        "not shown again.",
        who=one_line(email, 80),
        password=password,
    )
    _saved(desk, work, said)


def _change(desk: Desk, user: User, brand_ids: list[int]) -> None:
    with st.form(f"change-{user.id}", border=False):
        role = _roles(desk, user.role)
        brands = _brands(desk, user.all_brands, brand_ids)
        active = st.toggle(desk.t("May sign in"), user.active)
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return

    def work(session: Session) -> None:
        users.set_role(session, user.id, role)
        users.set_brands(session, user.id, brands)
        users.set_active(session, user.id, active)
        if not active:
            sessions.revoke_all(session, user.id, desk.clock_now())
        _note(desk, session, "user.changed", user.id, {"role": role, "active": active})

    _saved(desk, work, desk.t("Saved. It holds at once, in open pages too."))


def _password(desk: Desk, user: User) -> None:
    with st.form(f"password-{user.id}-{actions.serial()}", border=False):
        password = st.text_input(desk.t("New password"), _suggested(str(user.id)), help=_hint(desk))
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return

    def work(session: Session) -> None:
        kept = desk.person.token_hash if user.id == desk.person.id else ""
        users.set_password(session, user.id, _hashed(desk, password), keep_session=kept)
        _note(desk, session, "user.password_set", user.id, {})

    said = desk.t(
        "The password is now {password}. Open sessions of this person have ended; give them the "
        "new password in person, it is not shown again.",
        password=password,
    )
    _saved(desk, work, said)


def _saved(desk: Desk, work: actions.Work, said: str) -> None:
    def translated(session: Session) -> None:
        try:
            work(session)
        except UserError as error:
            raise LookupError(_sentence(desk, error)) from error

    if actions.do(desk, "edit_team", translated, said):
        st.rerun()
    actions.show_said()


def _sentence(desk: Desk, error: UserError) -> str:
    return {
        "bad_email": desk.t("That is not an e-mail address."),
        "taken": desk.t("Somebody with this e-mail address is already there."),
        "last_administrator": desk.t(
            "This is the only administrator. Make somebody else one first."
        ),
    }.get(error.reason, str(error))


def _hashed(desk: Desk, password: str) -> str:
    try:
        return hash_password(password)
    except SignInError as error:
        raise LookupError(_hint(desk)) from error


def _hint(desk: Desk) -> str:
    return desk.nt(
        "A password needs at least {n} character.",
        "A password needs at least {n} characters.",
        MIN_PASSWORD,
    )


def _suggested(of: str) -> str:
    # Kept until it is used: a new one at every rerun would replace what the reader sees.
    kept: dict[str, str] = st.session_state.setdefault("suggested", {})
    return kept.setdefault(f"{of}-{actions.serial()}", secrets.token_urlsafe(12))


def _note(
    desk: Desk, session: Session, action: str, user_id: int, detail: dict[str, object]
) -> None:
    audit.record(
        session, at=desk.clock_now(), user_id=desk.person.id, action=action, object_type="user",
        object_id=user_id, detail=detail,
    )  # fmt: skip


def _log(desk: Desk, log: list[audit.AuditLine]) -> None:
    rows = "".join(
        f"<tr><td>{parts.when(desk, line.at)}</td><td><bdi>{escape(line.who or '–')}</bdi></td>"
        f"<td><code>{escape(line.action)}</code></td>"
        f"<td><code>{escape(one_line(f'{line.object_type} {line.object_id}', 60))}</code></td></tr>"
        for line in log
    )
    head = "".join(
        f"<th>{escape(name)}</th>"
        for name in (desk.t("When"), desk.t("Who"), desk.t("What"), desk.t("Of"))
    )
    st.html(f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')
