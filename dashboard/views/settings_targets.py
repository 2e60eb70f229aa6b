"""The tab Notifications: which places are told of alerts, and whether they were reached."""

from __future__ import annotations

import re

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions, parts, state, terms, theme
from dashboard.desk import Desk
from dashboard.hostile import escape, one_line
from dashboard.views import settings_parts as shared
from dashboard.words import LANGUAGES, N_
from notify.base import NotifyError
from notify.wording import test_message
from store import notifications
from store.models import NotificationTarget
from store.notifications import DeliveryLine, TargetError
from store.secrets import SecretsError

_WEBHOOK = N_("Webhook")
_KINDS = {
    "json": _WEBHOOK, "jsons": _WEBHOOK, "form": _WEBHOOK, "forms": _WEBHOOK, "xml": _WEBHOOK,
    "xmls": _WEBHOOK, "mailto": N_("E-mail"), "mailtos": N_("E-mail"), "slack": "Slack",
    "wecombot": N_("WeCom"), "dingtalk": N_("DingTalk"), "feishu": N_("Feishu"),
    "lark": N_("Feishu"), "tgram": "Telegram", "https": N_("Web address"),
    "http": N_("Web address"),
}  # fmt: skip
_STATUSES = {
    "pending": N_("Waits"),
    "sending": N_("On its way"),
    "sent": N_("Sent"),
    "failed": N_("Failed"),
}
# Errors with a figure in them, and one that the store writes; those of notify are known by name.
_ERRORS = (
    N_("The other side could not take the message now (HTTP {status})."),
    N_(
        "The other side refused the message (HTTP {status}): check the address and its password "
        "or token."
    ),
    N_("The target was switched off before this was sent."),
)
_STATUS = re.compile(r"HTTP (\d{3})")


def show(desk: Desk) -> None:
    """Draw the tab."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(
            f"<p>{escape(desk.t('These are told when an incident reaches their level.'))}</p>",
            width="content",
        )
        st.space("stretch")
        if desk.may("edit_settings"):
            key = f"add-target-{actions.serial()}"
            with st.popover(desk.t("Add a target"), icon=":material/add:", type="primary", key=key):
                _form(desk, None)
    with desk.store.read() as session:
        found = [one for one in notifications.targets(session) if shared.sees(desk, one.brand_id)]
        failed = notifications.failed_counts(session)
        lines = {
            one.id: notifications.last_deliveries(session, one.id, desk.all_brand_ids)
            for one in found
        }
    if not found:
        parts.empty(
            desk.t("Nobody is told yet"),
            desk.t("Here you will see the webhooks, mailboxes and chats that alerts go to."),
            desk.t("Add a target with the button above.")
            if desk.may("edit_settings")
            else desk.t("An administrator can add one."),
        )
    for target in found:
        _card(desk, target, failed.get(target.id, 0), lines[target.id])


def _card(desk: Desk, target: NotificationTarget, failed: int, lines: list[DeliveryLine]) -> None:
    with st.container(border=True, key=f"target-{target.id}"):
        kind, problem = _kind(desk, target)
        level = desk.t(theme.LEVEL_WORDS[target.min_level])
        tags = [parts.chip(kind, "tag")]
        if not target.active:
            tags.append(parts.chip(desk.t("Switched off"), "off"))
        about = " · ".join(
            escape(words)
            for words in (
                shared.brand_name(desk, target.brand_id),
                desk.t("from {level}", level=level),
                terms.language(desk, target.language),
            )
        )
        st.html(
            f"<p><strong><bdi>{escape(target.name)}</bdi></strong> {' '.join(tags)}<br>{about}</p>"
        )
        if problem:
            parts.notice(problem, "warning")
        if shared.changes(desk, "edit_settings", target.brand_id):
            _buttons(desk, target, failed)
        with st.expander(desk.t("Last deliveries")):
            _ledger(desk, lines)


def _kind(desk: Desk, target: NotificationTarget) -> tuple[str, str]:
    """What sort of place it is, told by the beginning of its address, and what is wrong with it."""
    if target.kind == "console":
        return desk.t("Console"), ""
    try:
        address = str(state.installed().services.secrets.unseal(target.address).get("url", ""))
    except SecretsError:
        return desk.t("Address"), desk.t(
            "The address cannot be read with the key file of this machine. Restore the key file, "
            "or enter the address again under Change."
        )
    scheme = address.partition("://")[0].strip().lower() if "://" in address else ""
    return (desk.t(_KINDS[scheme]) if scheme in _KINDS else scheme or desk.t("Address")), ""


def _buttons(desk: Desk, target: NotificationTarget, failed: int) -> None:
    with st.container(horizontal=True):
        key = str(target.id)
        if st.button(desk.t("Send a test"), key=f"test-{key}", icon=":material/send:"):
            _test(desk, target)
        if failed and st.button(
            desk.nt("Try {n} failed one again", "Try {n} failed ones again", failed),
            key=f"retry-{key}", icon=":material/replay:",
        ):  # fmt: skip
            _retry(desk, target)
        label = desk.t("Switch off") if target.active else desk.t("Switch on")
        icon = ":material/pause:" if target.active else ":material/play_arrow:"
        if st.button(label, key=f"switch-{key}", icon=icon):
            _switch(desk, target)
        serial = actions.serial()
        edit = st.popover(
            desk.t("Change"), icon=":material/edit:", key=f"edit-target-{key}-{serial}",
            on_change="rerun",
        )  # fmt: skip
        if edit.open:
            with edit:
                _form(desk, target)
        with st.popover(
            desk.t("Remove"), icon=":material/delete:", key=f"remove-target-{key}-{serial}"
        ):
            st.write(desk.t("Alerts will no longer go there, and its deliveries are forgotten."))
            if st.button(desk.t("Yes, remove it"), key=f"remove-{key}", type="primary"):
                _remove(desk, target)


def _ledger(desk: Desk, lines: list[DeliveryLine]) -> None:
    if not lines:
        st.caption(desk.t("Nothing was sent there yet. Send a test to see whether it arrives."))
        return
    head = "".join(
        f"<th>{escape(name)}</th>"
        for name in (
            desk.t("When"), desk.t("Incident"), desk.t("Level"), desk.t("Outcome"),
            desk.t("Message"),
        )
    )  # fmt: skip
    rows = "".join(
        f"<tr><td>{parts.when(desk, line.created_at)}</td>"
        f"<td><bdi>{escape(' '.join((line.brand, line.incident)).strip() or '–')}</bdi></td>"
        f"<td>{escape(desk.t(theme.LEVEL_WORDS[line.level])) if line.level else '–'}</td>"
        f"<td>{escape(desk.t(_STATUSES.get(line.status, line.status)))}</td>"
        f"<td>{escape(_message(desk, line))}</td></tr>"
        for line in lines
    )
    st.html(f'<table class="plain"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')


def _message(desk: Desk, line: DeliveryLine) -> str:
    told = error_sentence(desk, one_line(line.error, 300)) if line.error else ""
    if line.status == "pending" and line.attempts and line.next_attempt_at is not None:
        again = desk.t(
            "We try again at {time}.", time=desk.formats.short(line.next_attempt_at, desk.now)
        )
        return f"{told} {again}".strip()
    return told


def error_sentence(desk: Desk, text: str) -> str:
    """An error of a delivery in the reader's language; in English where we have no words for it."""
    found = _STATUS.search(text)
    if found is None:
        return desk.t(text)
    known = text.replace(found[0], "HTTP {status}")
    return desk.t(known).replace("HTTP {status}", found[0])


def _form(desk: Desk, target: NotificationTarget | None) -> None:
    console = target is not None and target.kind == "console"
    with st.form(f"target-form-{target.id if target else 'new'}-{actions.serial()}", border=False):
        name = st.text_input(desk.t("Name"), target.name if target else "", max_chars=120)
        address = ""
        if not console:
            address = st.text_input(
                desk.t("Address"), type="password", autocomplete="new-password",
                placeholder=desk.t("stored; fill in only to change it") if target else None,
                help=desk.t(
                    "As apprise writes it, for example {webhook} for a webhook or {mail} for "
                    "e-mail. It is kept encrypted and not shown again.",
                    webhook="`jsons://hooks.example.com/alerts`",
                    mail="`mailtos://user:password@mail.example.com?to=pr@example.com`",
                ),
            )  # fmt: skip
        brand_id = shared.brand_input(desk, target.brand_id if target else None, new=not target)
        level = st.selectbox(
            desk.t("From which level"), list(theme.LEVELS),
            format_func=lambda one: desk.t(theme.LEVEL_WORDS[one]),
            index=theme.LEVELS.index(target.min_level if target else "yellow"),
        )  # fmt: skip
        known = list(LANGUAGES)
        current = target.language if target else desk.words.language
        language = st.selectbox(
            desk.t("Language"), known, format_func=lambda one: terms.language(desk, one),
            index=known.index(current) if current in known else 0,
        )  # fmt: skip
        if not st.form_submit_button(desk.t("Save"), type="primary"):
            return
    address = address.strip()
    if not console and (address or target is None):
        problem = _unusable(desk, address)
        if problem:
            parts.notice(problem, "error")
            return
    sealed = state.installed().services.secrets.seal({"url": address}) if address else None
    values: dict[str, object] = {
        "name": name,
        "brand_id": brand_id,
        "min_level": level,
        "language": language,
    }
    _save(desk, target, values, sealed)


def _unusable(desk: Desk, address: str) -> str:
    """Why an address cannot be told anything; empty when it can."""
    if not address:
        return desk.t("Please fill in: {fields}", fields=desk.t("Address"))
    services = state.installed().services
    try:
        services.notifier("apprise", services.secrets.seal({"url": address}))
    except NotifyError as error:
        return error_sentence(desk, str(error))
    return ""


def _save(
    desk: Desk, target: NotificationTarget | None, values: dict[str, object], sealed: bytes | None
) -> None:
    name, brand = str(values["name"]), values["brand_id"]
    brand_id = brand if isinstance(brand, int) else None
    level, language = str(values["min_level"]), str(values["language"])

    def work(session: Session) -> None:
        shared.allow(desk, "edit_settings", brand_id)
        if target is None:
            target_id = notifications.add_target(
                session, name=name, kind="apprise", address=sealed, now=desk.clock_now(),
                brand_id=brand_id, min_level=level, language=language,
            )  # fmt: skip
            shared.note(desk, session, "target.added", "target", target_id)
            return
        shared.allow(desk, "edit_settings", _row(desk, session, target.id).brand_id)
        notifications.update_target(
            session, target.id, name=name, brand_id=brand_id, min_level=level,
            language=language, address=sealed,
        )  # fmt: skip
        fields = [key for key, value in values.items() if getattr(target, key) != value]
        fields += ["address"] if sealed else []
        shared.note(desk, session, "target.changed", "target", target.id, {"fields": fields})

    said = (
        desk.t("Saved.")
        if target
        else desk.t("Saved. Send a test to see whether it arrives there.")
    )
    shared.save(desk, "edit_settings", _told(desk, work), said)


def _told(desk: Desk, work: actions.Work) -> actions.Work:
    """The same work; what the store refuses becomes a sentence."""

    def translated(session: Session) -> object:
        try:
            return work(session)
        except TargetError as error:
            sentence = {
                "empty": desk.t("A target needs a name."),
                "long": desk.t("This is too long."),
                "taken": desk.t("A target with this name is already there. Choose another name."),
                "gone": desk.t("Somebody has removed this target meanwhile."),
            }.get(error.reason, str(error))
            raise LookupError(sentence) from error

    return translated


def _row(desk: Desk, session: Session, target_id: int) -> NotificationTarget:
    row = session.get(NotificationTarget, target_id)
    if row is None:
        raise LookupError(desk.t("Somebody has removed this target meanwhile."))
    shared.allow(desk, "edit_settings", row.brand_id)
    return row


def _test(desk: Desk, target: NotificationTarget) -> None:
    found: list[tuple[str, bytes | None]] = []

    def work(session: Session) -> None:
        row = _row(desk, session, target.id)
        found[:] = [(row.kind, row.address)]
        shared.note(desk, session, "target.tested", "target", target.id)

    if not actions.do(desk, "edit_settings", work):
        st.rerun()
    services = state.installed().services
    message = test_message(target.language, f"test:{target.id}:{desk.clock_now().isoformat()}")
    name = one_line(target.name, 60)
    try:
        with st.spinner(desk.t("Sending a test …")):
            services.notifier(*found[0]).send(message)
    except NotifyError as error:
        reason = error_sentence(desk, str(error))
        actions.say(
            desk.t("The test did not reach {target}. {reason}", target=name, reason=reason), "error"
        )
    except SecretsError:
        actions.say(_kind(desk, target)[1], "error")
    else:
        actions.say(
            desk.t("The test was written to the log of the service.")
            if target.kind == "console"
            else desk.t("The test was taken by {target}. Look there whether it came.", target=name)
        )
    st.rerun()


def _retry(desk: Desk, target: NotificationTarget) -> None:
    def work(session: Session) -> None:
        _row(desk, session, target.id)
        notifications.retry_failed(session, target.id, desk.clock_now())
        shared.note(desk, session, "target.retried", "target", target.id)

    actions.do(desk, "edit_settings", work, desk.t("They are sent again within a few seconds."))
    st.rerun()


def _switch(desk: Desk, target: NotificationTarget) -> None:
    active = not target.active

    def work(session: Session) -> None:
        _row(desk, session, target.id)
        notifications.set_target_active(session, target.id, active)
        shared.note(desk, session, "target.changed", "target", target.id, {"active": active})

    name = one_line(target.name, 60)
    said = (
        desk.t("{target} is told of alerts again.", target=name)
        if active
        else desk.t("{target} is told of nothing until it is switched on.", target=name)
    )
    actions.do(desk, "edit_settings", _told(desk, work), said)
    st.rerun()


def _remove(desk: Desk, target: NotificationTarget) -> None:
    def work(session: Session) -> None:
        _row(desk, session, target.id)
        notifications.remove_target(session, target.id)
        shared.note(desk, session, "target.removed", "target", target.id)

    said = desk.t("{target} is removed.", target=one_line(target.name, 60))
    actions.do(desk, "edit_settings", work, said)
    st.rerun()
