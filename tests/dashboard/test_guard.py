"""The guard and the pages before sign-in, without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboard.guard import Guard
from dashboard.pages import SignInPages
from service.signin import COOKIE, SignIn
from store import users
from store.clock import SetClock
from store.database import Store
from tests.dashboard import seed

HTML = {"accept": "text/html"}


@dataclass(frozen=True)
class Settings:
    host: str = "127.0.0.1"
    port: int = 8501
    resolved_base_url: str = "https://desk.example"
    undo_seconds: int = 5


async def _secret(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("inside")


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("inside")
    await websocket.close()


@pytest.fixture
def client(sqlite_store: Store, clock: SetClock) -> Iterator[TestClient]:
    with sqlite_store.write() as session:
        seed.add_user(session, "ada@example.com", "agent", clock.now())
    sign_in = SignIn(sqlite_store, clock)
    app = Starlette(
        routes=[
            *SignInPages(sign_in, clock, secure=True).routes(),
            Route("/inbox", _secret),
            WebSocketRoute("/_stcore/stream", _stream),
        ],
        middleware=[Middleware(Guard, sign_in=sign_in, settings=Settings())],
    )
    with TestClient(app, base_url="https://desk.example", follow_redirects=False) as opened:
        yield opened


def _sign_in(client: TestClient, password: str = seed.PASSWORD, **headers: str) -> int:
    answer = client.post(
        "/sign-in",
        data={"email": "Ada@Example.com ", "password": password},
        headers={"origin": "https://desk.example", **headers},
    )
    return answer.status_code


def test_a_page_sends_a_stranger_to_sign_in_and_back(client: TestClient) -> None:
    answer = client.get("/inbox?ticket=3", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=%2Finbox%3Fticket%3D3",
    )
    assert client.get("/inbox").status_code == 401  # what is no page gets no redirect
    assert _sign_in(client) == 303
    assert client.get("/inbox").text == "inside"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient) -> None:
    answer = client.post(
        "/sign-in?next=https://evil.example/",
        data={"email": "ada@example.com", "password": seed.PASSWORD},
        headers={"origin": "https://desk.example"},
    )
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Secure", "Path=/", "Max-Age=604800"):
        assert part in cookie
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "javascript:x", "/\\evil.example", "x"]
)
def test_signing_in_never_leads_to_another_site(client: TestClient, target: str) -> None:
    answer = client.post(
        "/sign-in",
        params={"next": target},
        data={"email": "ada@example.com", "password": seed.PASSWORD},
        headers={"origin": "https://desk.example"},
    )
    assert answer.headers["location"] == "/"


def test_a_form_from_another_site_does_nothing(client: TestClient, sqlite_store: Store) -> None:
    assert _sign_in(client, origin="https://evil.example") == 403
    assert _sign_in(client, origin="null") == 403
    assert client.post("/sign-in", data={"email": "a", "password": "b"}).status_code == 403
    assert COOKIE not in client.cookies


def test_wrong_passwords_lock_and_time_unlocks(client: TestClient, clock: SetClock) -> None:
    assert [_sign_in(client, "wrong password") for _ in range(5)] == [401, 401, 401, 401, 429]
    answer = client.post(
        "/sign-in",
        data={"email": "ada@example.com", "password": seed.PASSWORD},
        headers={"origin": "https://desk.example"},
    )
    assert answer.status_code == 429
    assert "Too many wrong tries. Try again in 5 minutes." in answer.text
    clock.advance(timedelta(minutes=5, seconds=1))
    assert _sign_in(client) == 303


def test_an_unknown_address_is_answered_and_locked_like_a_known_one(client: TestClient) -> None:
    def tries(email: str) -> list[tuple[int, str]]:
        found = []
        for _ in range(6):
            answer = client.post(
                "/sign-in",
                data={"email": email, "password": "wrong password"},
                headers={"origin": "https://desk.example"},
            )
            said = re.search(r'role="alert">([^<]*)<', answer.text)
            found.append((answer.status_code, said.group(1) if said else ""))
        return found

    assert tries("nobody@example.com") == tries("ada@example.com")


def test_a_websocket_needs_a_session_and_our_own_origin(client: TestClient) -> None:
    ours = {"origin": "https://desk.example", "host": "desk.example"}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/_stcore/stream", headers=ours),
    ):
        pass
    _sign_in(client)
    # The test client speaks ws:// and so keeps a Secure cookie to itself.
    ours["cookie"] = f"{COOKIE}={client.cookies[COOKIE]}"
    with client.websocket_connect("/_stcore/stream", headers=ours) as opened:
        assert opened.receive_text() == "inside"
    for origin in ({"origin": "https://evil.example"}, {}):
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect(
                "/_stcore/stream",
                headers={"host": "desk.example", "cookie": ours["cookie"], **origin},
            ),
        ):
            pass


def test_a_foreign_host_name_is_refused(client: TestClient) -> None:
    answer = client.get("/sign-in", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "GROUNDSWELL_BASE_URL" in answer.text
    assert client.get("/sign-in", headers={"host": "localhost:8501"}).status_code == 200


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for answer in (client.get("/sign-in"), client.get("/inbox")):
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "script-src 'unsafe-inline'" not in answer.headers["content-security-policy"]
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_signing_out_takes_a_post_and_ends_the_session(client: TestClient) -> None:
    _sign_in(client)
    token = client.cookies[COOKIE]
    assert client.get("/sign-out").status_code == 200
    assert client.get("/inbox").status_code == 200  # a link alone signed nobody out
    answer = client.post("/sign-out", headers={"origin": "https://desk.example"})
    assert answer.headers["location"] == "/sign-in?out=1&lang=en"
    client.cookies.set(COOKIE, token, domain="desk.example")
    assert client.get("/inbox").status_code == 401


def test_a_session_ends_after_twelve_idle_hours_and_after_seven_days(
    client: TestClient, clock: SetClock
) -> None:
    _sign_in(client)
    clock.advance(timedelta(hours=11, minutes=59))
    assert client.get("/inbox").status_code == 200
    clock.advance(timedelta(hours=12))
    assert client.get("/inbox").status_code == 401
    _sign_in(client)
    for _ in range(15):
        clock.advance(timedelta(hours=11))
        assert client.get("/inbox").status_code == 200
    clock.advance(timedelta(hours=4))
    assert client.get("/inbox").status_code == 401


def test_the_set_up_link_works_once(sqlite_store: Store, clock: SetClock) -> None:
    sign_in = SignIn(sqlite_store, clock)
    with sqlite_store.write() as session:
        token = users.make_setup_token(session, clock.now())
    app = Starlette(routes=[*SignInPages(sign_in, clock, secure=False).routes()])
    with TestClient(app, follow_redirects=False) as client:
        form = {
            "email": "first@example.com", "name": "First", "password": seed.PASSWORD,
            "again": seed.PASSWORD,
        }  # fmt: skip
        ours = {"origin": "http://testserver"}
        assert client.get("/set-up?token=wrong").status_code == 403
        address = f"/set-up?token={token}"
        odd = {**form, "again": "something else"}
        assert client.post(address, data=odd, headers=ours).status_code == 422
        assert client.post(address, data=form, headers=ours).status_code == 303
        second = {**form, "email": "second@example.com"}
        assert client.post(address, data=second, headers=ours).status_code == 403
    with sqlite_store.read() as session:
        assert [one.email for one in users.all_users(session)] == ["first@example.com"]


def test_hostile_input_comes_back_as_text(client: TestClient) -> None:
    answer = client.post(
        "/sign-in",
        data={"email": '"><script>alert(1)</script>', "password": "x"},
        headers={"origin": "https://desk.example"},
    )
    assert "<script>alert" not in answer.text
    assert "&quot;&gt;&lt;script&gt;" in answer.text
