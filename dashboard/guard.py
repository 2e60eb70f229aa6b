"""The guard before everything: who may reach what, and the headers each answer carries.

It stands in front of pages and websockets alike. What is open without a session: the sign-in and
set-up pages, ``/healthz``, ``/metrics`` (which looks after itself) and the files of Streamlit's
own front end, which hold nothing of ours.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import quote, urlsplit

import streamlit
from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.state import DashboardSettings
from service.signin import COOKIE, SignIn

_OPEN = {"/sign-in", "/sign-out", "/set-up", "/healthz", "/metrics", "/favicon.ico", "/favicon.png"}
_OPEN_FOLDERS = ("/static/",)

# Streamlit compiles chart specifications (Vega) with Function() and loads its components from
# blobs, and its style library writes style elements: hence 'unsafe-eval', blob: and inline styles.
# Scripts written into a page are refused all the same, but for those of Streamlit's own index.html,
# which are named by their hashes.
_CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' blob: {scripts}; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' {websocket}; worker-src 'self' blob:; frame-src 'none'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
}


def allowed_hosts(settings: DashboardSettings) -> frozenset[str]:
    """The names a request may ask for: this machine's own, the bound address and the base URL's."""
    names = {"localhost", "127.0.0.1", "::1", settings.host.lower()}
    from_url = urlsplit(settings.resolved_base_url).hostname
    if from_url:
        names.add(from_url)
    return frozenset(names - {"0.0.0.0", "::", ""})  # noqa: S104 - removed, not bound


def host_name(host: str) -> str | None:
    """The host of a Host header without its port; None when it is not one."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that a request comes from our own pages.

    Every current browser sends Origin with a POST and with a websocket; without it,
    Sec-Fetch-Site decides (https://www.w3.org/TR/fetch-metadata/).
    """
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == headers.get("host", "")
    return headers.get("sec-fetch-site") == "same-origin"


def session_token(headers: Headers) -> str | None:
    """The token in the session cookie."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None


class Guard:
    """ASGI middleware: hosts, sessions, security headers."""

    def __init__(self, app: ASGIApp, sign_in: SignIn, settings: DashboardSettings) -> None:
        self._app, self._sign_in = app, sign_in
        self._hosts = allowed_hosts(settings)
        self._secure = settings.resolved_base_url.startswith("https://")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, send it to sign in, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "http":
            send = self._with_headers(send, headers.get("host", ""))
        if host_name(headers.get("host", "")) not in self._hosts:
            await self._refuse_host(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._websocket(headers, scope, receive, send)
            return
        path = scope["path"]
        if path in _OPEN or path.startswith(_OPEN_FOLDERS) or await self._is_signed_in(headers):
            await self._app(scope, receive, send)
            return
        await self._ask_to_sign_in(headers, scope, receive, send)

    async def _is_signed_in(self, headers: Headers) -> bool:
        token = session_token(headers)
        return token is not None and await to_thread.run_sync(self._sign_in.who, token) is not None

    async def _websocket(
        self, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if same_origin(headers) and await self._is_signed_in(headers):
            await self._app(scope, receive, send)
            return
        # A close before the handshake is accepted is answered with 403.
        await send({"type": "websocket.close", "code": 4403, "reason": "Sign in first."})

    async def _ask_to_sign_in(
        self, headers: Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            target = "/sign-in"
            if scope["path"] != "/":
                asked = scope["path"]
                if scope.get("query_string"):
                    asked += "?" + scope["query_string"].decode("latin-1")
                target += f"?next={quote(asked, safe='')}"
            await RedirectResponse(target, 303)(scope, receive, send)
            return
        answer = JSONResponse({"error": "Sign in first."}, 401)
        await answer(scope, receive, send)

    async def _refuse_host(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4400})
            return
        answer = PlainTextResponse(
            "This address is not one Groundswell answers to. Set GROUNDSWELL_BASE_URL to the "
            "address people use.",
            400,
        )
        await answer(scope, receive, send)

    def _with_headers(self, send: Send, host: str) -> Send:
        policy = _CONTENT_POLICY.format(
            scripts=_inline_scripts(),
            websocket=f"{'wss' if self._secure else 'ws'}://{host}"
            if _is_plain(host)
            else "'self'",
        )

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("content-security-policy", policy)
                if self._secure:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        return sending


@functools.cache
def _inline_scripts() -> str:
    index = Path(streamlit.__file__).parent / "static" / "index.html"
    found = re.findall(r"<script>(.*?)</script>", index.read_text("utf-8"), re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in found]
    return " ".join(f"'sha256-{one}'" for one in hashes)


def _is_plain(host: str) -> bool:
    return bool(host) and all(letter.isalnum() or letter in ".-:[]" for letter in host)
