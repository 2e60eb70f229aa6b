"""The page Settings in a real Chromium: targets, standard wording, service levels."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from store import notifications
from store.models import AuditEvent, BusinessCalendar, CannedResponse, NotificationTarget, SlaPolicy
from tests.dashboard.conftest import Dashboard, enter, settled
from tests.dashboard.test_browser import _NO_SIDEWAYS, _english
from tests.notify.test_apprise import Hook, hook

__all__ = ["hook"]

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def _open(page: Page, dashboard: Dashboard, email: str, tab: str) -> None:
    enter(page, dashboard, email, "/settings")
    page.get_by_role("tab", name=tab).click()
    settled(page)


def _card(page: Page, kind: str, words: str) -> Locator:
    return page.locator(f"[class*=st-key-{kind}-]", has_text=words).first


def _last_act(dashboard: Dashboard) -> tuple[str, dict[str, object]]:
    with dashboard.store.read() as session:
        act = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.action != "signed_in")
            .order_by(AuditEvent.id.desc())
        ).first()
    assert act is not None
    return act.action, dict(act.detail)


def test_a_webhook_is_added_tested_and_its_address_never_shown_again(
    page: Page, dashboard: Dashboard, hook: Hook
) -> None:
    received: list[str] = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda frame: received.append(str(frame))),
    )
    _open(page, dashboard, "administrator@example.com", "Notifications")
    page.get_by_role("button", name="Add a target").click()
    page.get_by_role("textbox", name="Name").fill("Press desk")
    page.get_by_role("textbox", name="Address").fill("pigeon://loft/s3cret")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("not one that apprise knows")
    page.get_by_role("textbox", name="Address").fill(hook.address)
    page.get_by_role("button", name="Save").click()
    card = _card(page, "target", "Press desk")
    expect(card).to_contain_text("Webhook")
    expect(card).to_contain_text("All brands · from Yellow · English")
    assert _last_act(dashboard) == ("target.added", {})
    settled(page)
    card.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("The test was taken by Press desk.")).to_be_visible()
    ((path, headers, body),) = hook.got
    assert path.startswith("/alerts")
    assert body["title"] == "Groundswell: a test"
    assert headers["X-Groundswell-Delivery"].startswith("test:")
    hook.status = 403
    settled(page)
    card.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The test did not reach Press desk. The other side refused the message (HTTP 403): check "
        "the address and its password or token."
    )
    settled(page)
    card.get_by_role("button", name="Change").click()
    expect(page.get_by_role("textbox", name="Address")).to_have_value("")
    page.reload()
    settled(page)
    expect(_card(page, "target", "Press desk")).to_be_visible()
    sent_to_the_page = "".join(received)
    assert "Press desk" in sent_to_the_page
    assert "s3cret" not in sent_to_the_page + page.content()
    assert str(hook.server.server_port) not in page.content()
    with dashboard.store.read() as session:
        row = notifications.target_named(session, "Press desk")
    assert row is not None
    assert b"s3cret" not in (row.address or b"")


def test_a_target_is_changed_switched_off_and_removed(page: Page, dashboard: Dashboard) -> None:
    _open(page, dashboard, "administrator@example.com", "Notifications")
    page.get_by_role("button", name="Add a target").click()
    page.get_by_role("textbox", name="Name").fill("Night desk")
    page.get_by_role("textbox", name="Address").fill("json://127.0.0.1:9/x")
    page.get_by_role("button", name="Save").click()
    card = _card(page, "target", "Night desk")
    expect(card).to_be_visible()
    with dashboard.store.read() as session:
        before = notifications.target_named(session, "Night desk")
    assert before is not None
    settled(page)
    card.get_by_role("button", name="Change").click()
    page.get_by_role("textbox", name="Name").fill("Day desk")
    page.get_by_role("combobox", name="From which level").click()
    page.get_by_role("option", name="Red").click()
    page.get_by_role("button", name="Save").click()
    card = _card(page, "target", "Day desk")
    expect(card).to_contain_text("from Red")
    action, detail = _last_act(dashboard)
    assert (action, detail["fields"]) == ("target.changed", ["name", "min_level"])
    settled(page)
    card.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Day desk is told of nothing until it is switched on.")).to_be_visible()
    with dashboard.store.read() as session:
        row = session.get_one(NotificationTarget, before.id)
    assert (row.name, row.min_level, row.active, row.address) == (
        "Day desk", "red", False, before.address,
    )  # fmt: skip
    settled(page)
    card.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Yes, remove it").click()
    expect(page.get_by_text("Day desk is removed.")).to_be_visible()
    with dashboard.store.read() as session:
        assert session.get(NotificationTarget, before.id) is None


def test_failed_deliveries_are_listed_and_tried_again(page: Page, dashboard: Dashboard) -> None:
    now = datetime.now(UTC)
    with dashboard.store.write() as session:
        target = notifications.add_target(
            session, name="Lost desk", kind="apprise", address=b"of another key", now=now
        )
        notifications.add(
            session, key="lost", kind="incident", level="orange", brand_id=1, incident_id=1,
            content={}, now=now,
        )  # fmt: skip
        notifications.set_target_active(session, target, False)
    _open(page, dashboard, "administrator@example.com", "Notifications")
    card = _card(page, "target", "Lost desk")
    expect(card).to_contain_text("Switched off")
    expect(card).to_contain_text("The address cannot be read with the key file of this machine.")
    card.get_by_text("Last deliveries").click()
    cells = card.locator("tbody tr").first.locator("td")
    expect(cells.nth(1)).to_contain_text("Northwind Kettles INC-")
    expect(cells.nth(2)).to_have_text("Orange")
    expect(cells.nth(3)).to_have_text("Failed")
    expect(cells.nth(4)).to_have_text("The target was switched off before this was sent.")
    card.get_by_role("button", name="Try 1 failed one again").click()
    expect(page.get_by_text("They are sent again within a few seconds.")).to_be_visible()
    expect(card.get_by_role("button", name="Try 1 failed one again")).to_have_count(0)
    with dashboard.store.read() as session:
        (line,) = notifications.last_deliveries(session, target, [1])
    assert (line.status, line.attempts, line.error) == ("pending", 0, "")
    settled(page)
    card.get_by_role("button", name="Send a test").click()
    expect(page.locator("[role=alert], .notice.error").first).to_contain_text(
        "The address cannot be read with the key file of this machine."
    )
    with dashboard.store.write() as session:
        notifications.remove_target(session, target)


def test_a_manager_edits_wording_and_changes_nothing_else(page: Page, dashboard: Dashboard) -> None:
    _open(page, dashboard, "manager@example.com", "Notifications")
    expect(page.get_by_role("button", name="Add a target")).to_have_count(0)
    page.get_by_role("tab", name="Standard wording").click()
    card = _card(page, "wording", "Thanks for the idea")
    settled(page)
    card.get_by_role("button", name="Change").click()
    text = page.get_by_role("textbox", name="Text")
    text.fill("Hi {custmer}")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert")).to_contain_text("{custmer} is no placeholder.")
    text.fill("Hi {customer}, noted as {ticket}.")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text(re.compile(r"Hi Ann Reed, noted as GS-\d{4}-000123\."))).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. The composer offers it at once.")).to_be_visible()
    with dashboard.store.read() as session:
        row = session.scalars(
            select(CannedResponse).where(CannedResponse.title == "Thanks for the idea")
        ).one()
    assert (row.body, row.language, row.category) == (
        "Hi {customer}, noted as {ticket}.", "en", "suggestion",
    )  # fmt: skip
    assert _last_act(dashboard) == ("wording.changed", {"fields": ["body"]})
    page.get_by_role("tab", name="Service levels").click()
    expect(page.get_by_text("All brands", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Change")).to_have_count(0)


def test_wording_is_added_and_deleted_after_a_question(page: Page, dashboard: Dashboard) -> None:
    _open(page, dashboard, "manager@example.com", "Standard wording")
    page.get_by_role("button", name="Add wording").click()
    page.get_by_role("textbox", name="Title").fill("Opening hours")
    page.get_by_role("textbox", name="Text").fill("We open at nine.")
    page.get_by_role("button", name="Save").click()
    card = _card(page, "wording", "Opening hours")
    expect(card).to_contain_text("We open at nine.")
    settled(page)
    card.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes, delete it").click()
    expect(page.get_by_text("“Opening hours” is deleted.")).to_be_visible()
    with dashboard.store.read() as session:
        left = session.scalars(
            select(CannedResponse.id).where(CannedResponse.title == "Opening hours")
        ).all()
    assert left == []


@pytest.mark.parametrize("role", ["agent", "analyst"])
def test_others_cannot_open_the_page(page: Page, dashboard: Dashboard, role: str) -> None:
    enter(page, dashboard, f"{role}@example.com", "/settings")
    names = page.locator("[data-testid=stSidebarNav] a").all_inner_texts()
    assert "Settings" not in {name.split("\n")[-1] for name in names}
    expect(page.get_by_role("tab", name="Standard wording")).to_have_count(0)


def test_limits_are_stored_for_a_brand_and_taken_back(page: Page, dashboard: Dashboard) -> None:
    _open(page, dashboard, "administrator@example.com", "Service levels")
    card = page.locator(".st-key-levels-1")
    expect(card).to_contain_text("The limits of all brands hold here.")
    settled(page)
    card.get_by_role("button", name="Set limits of its own").click()
    first = page.get_by_role("spinbutton", name="First response, in working minutes")
    resolution = page.get_by_role("spinbutton", name="Resolution, in working minutes")
    expect(first).to_have_value("60")
    first.fill("90")
    resolution.fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Resolution: it cannot be due before")
    resolution.fill("135")
    page.get_by_role("button", name="Save").click()
    expect(card.locator("tbody tr")).to_have_count(1)
    expect(card.locator("tbody tr td").nth(1)).to_have_text("1 h 30 min")
    expect(card.locator("tbody tr td").nth(2)).to_have_text("2 h 15 min")
    own = select(SlaPolicy).where(SlaPolicy.brand_id == 1)
    with dashboard.store.read() as session:
        row = session.scalars(own).one()
    assert (row.category, row.first_response_minutes, row.resolution_minutes) == (
        "complaint", 90, 135,
    )  # fmt: skip
    settled(page)
    card.get_by_role("button", name="Take back").click()
    page.get_by_role("button", name="Yes, take it back").click()
    expect(card).to_contain_text("The limits of all brands hold here.")
    with dashboard.store.read() as session:
        assert session.scalars(own).all() == []


def test_a_calendar_is_stored_and_a_wrong_span_refused_with_its_day_and_fix(
    page: Page, dashboard: Dashboard
) -> None:
    _open(page, dashboard, "administrator@example.com", "Service levels")
    page.get_by_role("button", name="Add a calendar").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name="Name").fill("Shop floor")
    monday = form.get_by_role("textbox", name="Monday")
    monday.fill("9-18")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_have_text(
        "Monday: “9-18” is no working time. Write it like 09:00-18:00, with times from 00:00 to "
        "24:00 and a comma between two spans."
    )
    monday.fill("09:00-12:00,11:00-18:00")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("Monday: the spans in")
    monday.fill("09：00-12：00，13:00-18:00")
    form.get_by_role("textbox", name="Own closed days, one per line").fill("2026-13-24")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("“2026-13-24” is no date.")
    form.get_by_role("textbox", name="Own closed days, one per line").fill("2026-12-24")
    form.get_by_role("button", name="Save").click()
    card = _card(page, "calendar", "Shop floor")
    expect(card).to_contain_text("Mon–Fri 09:00–12:00, 13:00–18:00")
    with dashboard.store.read() as session:
        row = session.scalars(
            select(BusinessCalendar).where(BusinessCalendar.name == "Shop floor")
        ).one()
    assert row.weekly == {str(day): "09:00-12:00,13:00-18:00" for day in range(5)}
    assert (row.time_zone, row.closed_days) == ("Asia/Shanghai", ["2026-12-24"])
    settled(page)
    card.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Yes, remove it").click()
    expect(page.get_by_text("Shop floor is removed.")).to_be_visible()


def test_the_chinese_settings_have_no_english_left(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "leser@example.com", "/settings")
    english = {}
    for tab, button in (
        ("通知", "添加通知对象"),
        ("标准话术", "添加标准话术"),
        ("服务时限", "添加工作日历"),
    ):
        page.get_by_role("tab", name=tab).click()
        settled(page)
        page.get_by_role("button", name=button).click()
        settled(page)
        english[tab] = _english(page)
        page.keyboard.press("Escape")
    assert {word for found in english.values() for word in found} == set(), english


def test_the_settings_do_not_scroll_sideways(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "administrator@example.com", "/settings")
    for tab in ("Notifications", "Standard wording", "Service levels"):
        page.get_by_role("tab", name=tab).click()
        settled(page)
        for width in (1440, 1024):
            page.set_viewport_size({"width": width, "height": 768})
            page.wait_for_function(_NO_SIDEWAYS, timeout=8_000)
