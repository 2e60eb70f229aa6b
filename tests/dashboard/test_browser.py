"""The dashboard as people meet it: a real Chromium against a real server."""

from __future__ import annotations

import csv
import io
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect
from sqlalchemy import func, select, update
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from store import users
from store.database import Store
from store.models import (
    AuditEvent,
    Incident,
    Mention,
    MentionBrand,
    Override,
    Reply,
    Source,
    Ticket,
    User,
    UserSession,
)
from tests.dashboard import seed
from tests.dashboard.conftest import Dashboard, enter, serving, settled, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_ENGLISH = re.compile(r"[A-Za-z]{2,}")
# What is a name in every language: ours, platforms, brands, people, formats, currencies, zones.
_NAMES = {
    "groundswell", "bluesky", "english", "northwind", "kettles", "borealis", "home", "csv", "xlsx",
    "rss", "atom", "leser", "imap", "smtp", "utc", "us", "inc", "gs", "kol", "import", "example",
    "li", "wu", "xu", "zhao", "ng", "com", "and", "or", "not", "https", "fixed",
}  # fmt: skip


def test_the_first_administrator_is_made_once_by_the_set_up_link(
    page: Page, migrated_file: Path, tmp_path: Path
) -> None:
    shutil.copy(migrated_file, tmp_path / "new.db")
    store = Store(f"sqlite:///{tmp_path / 'new.db'}")
    with store.write() as session:
        token = users.make_setup_token(session, datetime.now(UTC))
    with serving(store) as dashboard:
        page.goto(dashboard.url)
        expect(page.get_by_text("Nobody can sign in yet.")).to_be_visible()
        page.goto(f"{dashboard.url}/set-up?token={token}")
        page.fill("#name", "Ada")
        page.fill("#email", "ada@example.com")
        page.fill("#password", "short")
        page.fill("#again", "short")
        page.click("form button[type=submit]")
        expect(page.get_by_role("alert")).to_have_text("A password needs at least 10 characters.")
        page.fill("#password", seed.PASSWORD)
        page.fill("#again", seed.PASSWORD)
        page.click("form button[type=submit]")
        settled(page)
        expect(page.get_by_text("No tickets yet")).to_be_visible()
        page.goto(f"{dashboard.url}/set-up?token={token}")
        expect(page.get_by_role("alert")).to_contain_text("has been used")
    with store.read() as session:
        assert [(one.email, one.role) for one in users.all_users(session)] == [
            ("ada@example.com", "administrator")
        ]
    store.close()


def test_a_refresh_keeps_you_in_and_signing_out_ends_the_session(
    page: Page, context: BrowserContext, dashboard: Dashboard
) -> None:
    sign_in(page, dashboard, "manager@example.com")
    settled(page)
    cookie = next(one for one in context.cookies() if one["name"] == "groundswell_session")
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    page.reload()
    settled(page)
    assert page.url.startswith(dashboard.url)
    assert "/sign-in" not in page.url
    page.goto(f"{dashboard.url}/sign-out")
    page.click("form button[type=submit]")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    context.add_cookies([cookie])  # a kept copy of the cookie opens nothing any more
    page.goto(f"{dashboard.url}/trends")
    assert page.url == f"{dashboard.url}/sign-in?next=%2Ftrends"


def test_a_wrong_password_says_so_and_keeps_the_address(page: Page, dashboard: Dashboard) -> None:
    sign_in(page, dashboard, "analyst@example.com", "not the password")
    expect(page.get_by_role("alert")).to_have_text(
        "The e-mail address or the password is not right."
    )
    assert page.input_value("#email") == "analyst@example.com"
    assert page.input_value("#password") == ""


def test_signing_in_leads_to_the_page_that_was_asked_for(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.url}/alerts")
    page.fill("#email", "manager@example.com")
    page.fill("#password", seed.PASSWORD)
    page.click("form button[type=submit]")
    settled(page)
    assert page.url.split("?")[0] == f"{dashboard.url}/alerts"


def test_a_websocket_is_refused_without_a_cookie_and_from_another_site(
    page: Page, context: BrowserContext, dashboard: Dashboard
) -> None:
    address = f"ws://127.0.0.1:{dashboard.port}/_stcore/stream"
    with pytest.raises(InvalidStatus) as refused:
        connect(address, origin=dashboard.url)
    assert refused.value.response.status_code == 403
    sign_in(page, dashboard, "manager@example.com")
    settled(page)
    value = next(one["value"] for one in context.cookies() if one["name"] == "groundswell_session")
    headers = {"Cookie": f"groundswell_session={value}"}
    with pytest.raises(InvalidStatus) as refused:
        connect(address, origin="https://evil.example", additional_headers=headers)
    assert refused.value.response.status_code == 403
    with connect(address, origin=dashboard.url, additional_headers=headers) as opened:
        assert opened.response is not None
        assert opened.response.status_code == 101


def test_an_agent_reads_a_ticket_and_answers_it_once(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "agent@example.com", "/inbox")
    page.locator("button.row").nth(2).click()
    number = page.locator(".ticket-head h1").inner_text()
    assert re.fullmatch(r"GS-\d{4}-\d{6}", number)
    expect(page.locator(".st-key-composer .rules")).to_have_text("Public reply on Bluesky")
    page.keyboard.press("r")
    expect(page.locator(".st-key-composer textarea")).to_be_focused()
    page.keyboard.type("Hello 👨‍👩‍👧, I am looking into it.")
    expect(page.locator(".st-key-composer .left")).to_have_text("270 characters left")
    page.locator(".st-key-composer textarea").press("Control+Enter")
    expect(page.locator(".post.ours .words").last).to_have_text(
        "Hello 👨‍👩‍👧, I am looking into it."
    )
    expect(page.locator(".st-key-composer textarea")).to_have_value("")
    with dashboard.store.read() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.number == number)).one()
        replies = session.scalars(select(Reply).where(Reply.ticket_id == ticket.id)).all()
        agent = session.scalars(select(User).where(User.email == "agent@example.com")).one()
    assert [(one.status, one.channel, one.user_id) for one in replies] == [
        ("approved", "bluesky", agent.id)
    ]
    assert ticket.assignee_id == agent.id


def test_a_reply_can_be_taken_back_within_its_seconds(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "agent@example.com", "/inbox")
    page.locator("button.row").nth(4).click()
    number = page.locator(".ticket-head h1").inner_text()
    page.locator(".st-key-composer textarea").fill("Too early, sorry.")
    page.locator(".st-key-composer button", has_text="Send").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("took a reply back")).to_be_visible()
    with dashboard.store.read() as session:
        statuses = session.scalars(
            select(Reply.status).join(Ticket).where(Ticket.number == number)
        ).all()
    assert statuses == ["draft"]


def test_a_reply_that_is_too_long_cannot_be_sent(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "agent@example.com", "/inbox")
    page.locator("button.row").nth(5).click()
    page.locator(".st-key-composer textarea").fill("x" * 301)
    expect(page.locator(".st-key-composer .left")).to_have_text("-1 characters left")
    expect(page.locator(".st-key-composer button", has_text="Send")).to_be_disabled()


def test_a_draft_outlives_a_refresh(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "agent@example.com", "/inbox")
    page.locator("button.row").nth(6).click()
    page.locator(".st-key-composer textarea").fill("Half a sentence")
    page.reload()
    page.locator("button.row").nth(6).click()
    expect(page.locator(".st-key-composer textarea")).to_have_value("Half a sentence")


def test_keys_move_take_and_resolve(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "agent@example.com", "/inbox")
    page.locator("button.row").nth(7).click()
    expect(page.locator(".ticket-head h1")).to_be_visible()
    first = page.locator(".ticket-head h1").inner_text()
    page.keyboard.press("j")
    expect(page.locator(".ticket-head h1")).not_to_have_text(first)
    number = page.locator(".ticket-head h1").inner_text()
    page.keyboard.press("a")
    expect(page.get_by_text("Li took the ticket")).to_be_visible()
    page.keyboard.press("e")
    expect(page.get_by_text("Li resolved the ticket")).to_be_visible()
    with dashboard.store.read() as session:
        ticket = session.scalars(select(Ticket).where(Ticket.number == number)).one()
    assert ticket.status == "resolved"


def test_a_manager_acknowledges_an_incident(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "manager@example.com", "/alerts")
    card = page.locator("[class*=st-key-incident-]").first
    expect(card.locator(".level")).to_have_text("Orange")
    expect(card.locator(".sentence")).to_contain_text(
        "48 negative mentions in 15 minutes, usually about 4 (12.0 times as many)"
    )
    expect(card.get_by_text("81% of it is negative; 24% is usual.")).to_be_visible()
    card.get_by_role("button", name="Acknowledge").click()
    expect(card.get_by_role("button", name="Acknowledge")).to_have_count(0)
    with dashboard.store.read() as session:
        incident = session.scalars(select(Incident)).one()
        manager = session.scalars(select(User).where(User.email == "manager@example.com")).one()
    assert (incident.status, incident.acknowledged_by) == ("acknowledged", manager.id)


def test_an_export_equals_the_chart_and_the_rows(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "analyst@example.com", "/trends?brand=1&period=30d")
    shown = int(page.locator(".figure .value").first.inner_text().replace(",", ""))
    with page.expect_download() as coming:
        page.get_by_role("button", name="CSV", exact=True).click()
    table = list(csv.reader(io.StringIO(coming.value.path().read_text("utf-8-sig"))))
    about = {row[0]: row[1] for row in table if len(row) == 2}
    assert about["Brand"] == "Northwind Kettles"
    assert about["Time zone"] == "Asia/Shanghai"
    start = table.index([]) + 1
    assert table[start][:3] == ["From", "Mentions", "Negative"]
    rows = table[start + 1 :]
    with page.expect_download() as coming:
        page.get_by_role("button", name="XLSX", exact=True).click()
    sheet = load_workbook(io.BytesIO(coming.value.path().read_bytes())).active
    cells = [row for row in sheet.iter_rows(values_only=True) if isinstance(row[1], int)]
    with dashboard.store.read() as session:
        counted = session.scalar(
            select(func.count()).select_from(MentionBrand).where(MentionBrand.brand_id == 1)
        )
    assert sum(int(row[1]) for row in rows) == shown == counted == int(about["Mentions"])
    assert [[row[0], *map(int, row[1:])] for row in rows] == [list(row) for row in cells]
    assert len(rows) == 30


def test_an_agent_has_no_export_no_set_up_and_no_alert_buttons(
    page: Page, dashboard: Dashboard
) -> None:
    enter(page, dashboard, "agent@example.com", "/inbox")
    names = page.locator("[data-testid=stSidebarNav] a").all_inner_texts()
    assert [name.split("\n")[-1] for name in names] == ["Inbox", "Alerts", "Mentions", "Trends"]
    page.goto(f"{dashboard.url}/trends")
    expect(page.get_by_text("The same in figures")).to_be_visible()
    expect(page.get_by_role("button", name="CSV", exact=True)).to_have_count(0)
    page.goto(f"{dashboard.url}/alerts")
    expect(page.locator("[class*=st-key-incident-]")).to_have_count(1)
    expect(page.get_by_role("button", name="Not a crisis")).to_have_count(0)


def test_rights_end_at_the_brand(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "limited@example.com", "/mentions?period=90d&brand=1")
    expect(page.locator("ul.levels .name")).to_have_text(["Borealis Home"])
    expect(page.locator(".post").first).to_be_visible()
    with dashboard.store.read() as session:
        allowed = set(
            session.scalars(
                select(Mention.external_id).join(MentionBrand).where(MentionBrand.brand_id == 2)
            )
        )
    links = page.locator(".post .head a").evaluate_all("all => all.map(one => one.href)")
    assert links
    assert {link.rsplit("/", 1)[1] for link in links} <= allowed
    page.goto(f"{dashboard.url}/alerts")
    expect(page.get_by_text("All calm")).to_be_visible()


def test_a_role_taken_away_holds_in_an_open_page(page: Page, dashboard: Dashboard) -> None:
    with dashboard.store.write() as session:
        who = seed.add_user(session, "leaver@example.com", "manager", datetime.now(UTC)).id
    sign_in(page, dashboard, "leaver@example.com")
    settled(page)
    page.locator("button.row").first.click()
    expect(page.locator(".ticket-head h1")).to_be_visible()
    with dashboard.store.write() as session:
        users.set_active(session, who, False)
    page.get_by_role("button", name="Resolve", exact=True).click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    expect(page.locator(".ticket-head")).to_have_count(0)
    with dashboard.store.read() as session:
        done = session.scalars(select(AuditEvent).where(AuditEvent.user_id == who)).all()
    assert [one.action for one in done] == ["signed_in"]


def test_a_hostile_post_is_plain_text(page: Page, dashboard: Dashboard) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    enter(page, dashboard, "manager@example.com", "/inbox")
    page.locator("button.row", has_text="<script>").first.click()
    _expect_plain(page)
    for address in ("alerts", "mentions"):
        page.goto(f"{dashboard.url}/{address}")
        _expect_plain(page)
    assert {url for url in asked if "evil.example" in url} == set()


def _expect_plain(page: Page) -> None:
    words = page.locator(".words", has_text="window.hacked=1").first
    expect(words).to_contain_text("<script>window.hacked=1</script><img src=x onerror=")
    expect(words).to_contain_text("[click](javascript:alert(1)) ![pic](evil.example/x.png)")
    assert "\u202e" not in words.inner_text()
    assert words.locator("img, script").count() == 0
    links = words.locator("a").evaluate_all("all => all.map(one => [one.href, one.rel])")
    assert [href for href, _ in links] == [
        "https://evil.example/x.png",
        "http://evil.example/",
        "https://evil.example/a",
    ]
    assert all("noopener" in rel for _, rel in links)
    assert page.evaluate("window.hacked") is None


def test_a_correction_moves_the_figures(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "agent@example.com", "/mentions?period=30d&brand=2&sentiment=negative")
    card = page.locator("[class*=st-key-mention-]").first
    card.get_by_role("button", name="Correct").click()
    page.get_by_role("combobox", name="Sentiment").last.click()
    page.get_by_role("option", name="Positive").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Corrected.")).to_be_visible()
    with dashboard.store.read() as session:
        made = session.scalars(select(Override)).all()
    assert [(one.brand_id, one.field, one.new_value) for one in made] == [
        (2, "sentiment", "positive")
    ]


def test_a_source_says_what_is_wrong_and_runs_again_on_request(
    page: Page, dashboard: Dashboard
) -> None:
    enter(page, dashboard, "manager@example.com", "/sources")
    card = page.locator("[class*=st-key-source-]", has_text="Care mailbox").first
    expect(card).to_contain_text("Care mailbox has not answered since")
    expect(card).to_contain_text("mail.example did not answer within 20 seconds.")
    card.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("Care mailbox runs within a few seconds.")).to_be_visible()
    with dashboard.store.read() as session:
        source = session.scalars(select(Source).where(Source.name == "Care mailbox")).one()
    assert (source.state, source.consecutive_failures, source.last_error) == ("new", 0, None)
    with dashboard.store.write() as session:
        session.execute(update(Source).where(Source.id == source.id).values(state="failing"))


def test_the_chinese_page_has_no_english_left(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "leser@example.com", "/inbox")
    page.locator("button.row").first.click()
    expect(page.locator(".ticket-head h1")).to_be_visible()
    page.locator(".st-key-ticket-actions").get_by_role("button", name="修改").click()
    english = {"inbox": _english(page)}
    for address in ("alerts", "mentions", "trends", "brands", "sources", "team"):
        page.goto(f"{dashboard.url}/{address}")
        settled(page)
        expect(page.locator("h1").first).to_be_visible()
        english[address] = _english(page)
    assert {word for found in english.values() for word in found} == set(), english


def test_the_sign_in_page_speaks_chinese(browser: Browser, dashboard: Dashboard) -> None:
    page = browser.new_page(locale="zh-CN")
    page.goto(f"{dashboard.url}/sign-in")
    expect(page.get_by_role("heading")).to_have_text("登录")
    words = page.locator("main").inner_text()
    page.close()
    assert {word for word in _ENGLISH.findall(words) if word.lower() not in _NAMES} == set()


def _english(page: Page) -> set[str]:
    page.wait_for_timeout(500)
    shown = str(page.evaluate(_SHOWN_WORDS))
    for name in ("Northwind on Bluesky", "Care mailbox"):
        shown = shown.replace(name, "")
    return {word for word in _ENGLISH.findall(shown) if word.lower() not in _NAMES}


# Everything a reader sees, but for what other people wrote.
_SHOWN_WORDS = """() => {
  const quoted = '.words, .who, .said, bdi, code, .subject, .holder, style, script, '
    + '[data-testid=stIconMaterial], .post .head, svg, canvas, [data-testid=stDataFrame], '
    + '.notice.warning, a[href^="#"]';
  const read = (root) => [...root.childNodes].map((node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.textContent;
    if (node.nodeType !== Node.ELEMENT_NODE || node.matches(quoted)) return '';
    return ' ' + read(node) + (node.shadowRoot ? read(node.shadowRoot) : '') + ' ';
  }).join('');
  return read(document.querySelector('[data-testid=stApp]'));
}"""


def test_no_page_scrolls_sideways(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "manager@example.com", "/inbox")
    page.locator("button.row").first.click()
    too_wide = []
    for address in ("inbox", "alerts", "mentions", "trends", "sources"):
        if address != "inbox":
            page.goto(f"{dashboard.url}/{address}")
            settled(page)
        for width in (1440, 1024):
            page.set_viewport_size({"width": width, "height": 768})
            try:  # charts take a moment to fit themselves anew
                page.wait_for_function(_NO_SIDEWAYS, timeout=8_000)
            except TimeoutError:
                too_wide.append((address, width))
    assert too_wide == []


_NO_SIDEWAYS = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return main.scrollWidth <= main.clientWidth
    && document.documentElement.scrollWidth <= innerWidth;
}"""


def test_the_language_switch_is_remembered(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "analyst@example.com", "/inbox")
    page.get_by_role("radio", name="中文").or_(page.get_by_role("button", name="中文")).click()
    expect(page.locator("[data-testid=stSidebarNav]").get_by_text("收件箱")).to_be_visible()
    with dashboard.store.read() as session:
        who = session.scalars(select(User).where(User.email == "analyst@example.com")).one()
    assert who.language == "zh"
    with dashboard.store.write() as session:
        users.set_language(session, who.id, "en")


def test_sessions_are_kept_as_hashes_only(page: Page, dashboard: Dashboard) -> None:
    enter(page, dashboard, "agent@example.com", "/inbox")
    value = next(
        one["value"] for one in page.context.cookies() if one["name"] == "groundswell_session"
    )
    with dashboard.store.read() as session:
        hashes = session.scalars(select(UserSession.token_hash)).all()
    assert value not in hashes
    assert all(len(one) == 64 for one in hashes)


def test_a_new_colleague_signs_in_with_the_password_that_was_shown(
    page: Page, context: BrowserContext, dashboard: Dashboard
) -> None:
    enter(page, dashboard, "administrator@example.com", "/team")
    page.get_by_role("button", name="Add a person").click()
    page.get_by_role("textbox", name="E-mail").fill("newcomer@example.com")
    page.get_by_role("button", name="Save").click()
    notice = page.locator(".notice", has_text="newcomer@example.com can sign in now")
    expect(notice).to_be_visible()
    shown = re.search(r"password (\S+)\. Give", notice.inner_text())
    assert shown is not None
    context.clear_cookies()
    sign_in(page, dashboard, "newcomer@example.com", shown.group(1))
    settled(page)
    assert "/sign-in" not in page.url
