"""Sign-in, sign-out and set-up: plain pages of our own that work without scripts."""

from __future__ import annotations

import functools
import html
import secrets
from datetime import datetime
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlencode, urlsplit

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboard import guard, words
from dashboard.hostile import escape
from dashboard.words import Words
from service.signin import COOKIE, COOKIE_SECONDS, MIN_PASSWORD, SignIn, SignInError
from store.clock import Clock

_ASSETS = Path(__file__).parent / "assets"
_MAX_FORM = 8192
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@functools.cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


class SignInPages:
    """The routes that work without a session."""

    def __init__(self, sign_in: SignIn, clock: Clock, *, secure: bool) -> None:
        self._sign_in, self._clock, self._secure = sign_in, clock, secure

    def routes(self) -> list[Route]:
        """For ``st.App(routes=...)``."""
        return [
            Route("/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/sign-out", self.sign_out, methods=["GET", "POST"]),
            Route("/set-up", self.set_up, methods=["GET", "POST"]),
        ]

    async def sign_in(self, request: Request) -> Response:
        """The form, and its answer: the page that was asked for, or the form with a sentence."""
        said = _words(request)
        target = _safe_target(request.query_params.get("next", "/"))
        if request.method == "GET":
            if await to_thread.run_sync(self._sign_in.who, guard.session_token(request.headers)):
                return RedirectResponse(target, 303)
            note = said.t("You are signed out.") if "out" in request.query_params else ""
            return await self._sign_in_form(request, note=note)
        if not guard.same_origin(request.headers):
            return self._foreign(request)
        form = await _form(request)
        email, password = form.get("email", ""), form.get("password", "")
        try:
            token = await to_thread.run_sync(
                self._sign_in.sign_in, email, password, _client(request)
            )
        except SignInError as error:
            return await self._sign_in_form(
                request, email=email, error=self._sentence(said, error), status=_status(error)
            )
        return self._enter(RedirectResponse(target, 303), token)

    async def _sign_in_form(
        self, request: Request, *, email: str = "", error: str = "", note: str = "",
        status: int = 200,
    ) -> Response:  # fmt: skip
        said = _words(request)
        if not error and not note and await to_thread.run_sync(self._sign_in.needs_set_up):
            note = said.t(
                "Nobody can sign in yet. Open the set-up link that was printed when the service "
                "started; it makes the first administrator."
            )
        fields = [
            _field(said.t("E-mail"), "email", "email", "username", value=email, focus=not email),
            _password(said, said.t("Password"), "current-password", focus=bool(email)),
        ]
        return self._page(
            request, said.t("Sign in"), fields, said.t("Sign in"), error=error, note=note,
            status=status,
        )  # fmt: skip

    async def sign_out(self, request: Request) -> Response:
        """End the session. A GET only asks, so that no link of another site can do it."""
        said = _words(request)
        token = guard.session_token(request.headers)
        if request.method == "GET":
            if token is None:
                return RedirectResponse("/sign-in", 303)
            return self._page(request, said.t("Sign out?"), [], said.t("Sign out"))
        if not guard.same_origin(request.headers):
            return self._foreign(request)
        if token is not None:
            await to_thread.run_sync(self._sign_in.sign_out, token)
        answer = RedirectResponse(f"/sign-in?{urlencode({'out': 1, 'lang': said.language})}", 303)
        answer.delete_cookie(COOKIE, path="/")
        answer.headers["clear-site-data"] = '"cache", "storage"'
        return answer

    async def set_up(self, request: Request) -> Response:
        """The first administrator, by the one-time token in the address."""
        said = _words(request)
        token = request.query_params.get("token", "")
        if not await to_thread.run_sync(self._sign_in.set_up_is_open, token):
            sentence = self._sentence(said, SignInError("bad_token"))
            return self._page(
                request, said.t("Set up Groundswell"), [], "", error=sentence, status=403
            )
        if request.method == "GET":
            return self._set_up_form(request)
        if not guard.same_origin(request.headers):
            return self._foreign(request)
        form = await _form(request)
        email, name, password = (form.get(part, "") for part in ("email", "name", "password"))
        if password != form.get("again"):
            sentence = said.t("The two passwords are not the same.")
            return self._set_up_form(request, email, name, sentence)
        try:
            opened = await to_thread.run_sync(
                self._sign_in.set_up, token, email, name, password, said.language
            )
        except SignInError as error:
            return self._set_up_form(request, email, name, self._sentence(said, error))
        return self._enter(RedirectResponse("/", 303), opened)

    def _set_up_form(
        self, request: Request, email: str = "", name: str = "", error: str = ""
    ) -> Response:
        said = _words(request)
        note = said.t(
            "This makes the first administrator, who can then add brands, sources and colleagues."
        )
        fields = [
            _field(said.t("Your name"), "name", "text", "name", value=name, focus=not name),
            _field(said.t("E-mail"), "email", "email", "username", value=email),
            _password(said, said.t("Password"), "new-password", hint=_password_hint(said)),
            _field(said.t("Password again"), "again", "password", "new-password"),
        ]
        return self._page(
            request, said.t("Set up Groundswell"), fields, said.t("Create the administrator"),
            error=error, note="" if error else note, status=422 if error else 200,
        )  # fmt: skip

    def _enter(self, answer: Response, token: str) -> Response:
        answer.set_cookie(
            COOKIE, token, max_age=COOKIE_SECONDS, path="/", httponly=True, samesite="lax",
            secure=self._secure,
        )  # fmt: skip
        return answer

    def _foreign(self, request: Request) -> Response:
        said = _words(request)
        sentence = said.t(
            "This form was sent from another site, so nothing was done. Open the page again and "
            "send it from there."
        )
        return self._page(request, said.t("Sign in"), [], "", error=sentence, status=403)

    def _sentence(self, said: Words, error: SignInError) -> str:
        if error.reason == "locked" and error.until is not None:
            minutes = _minutes(self._clock.now(), error.until)
            return said.nt(
                "Too many wrong tries. Try again in {n} minute.",
                "Too many wrong tries. Try again in {n} minutes.",
                minutes,
            )
        return {
            "wrong": said.t("The e-mail address or the password is not right."),
            "weak": _password_hint(said),
            "long": said.t("The password is too long; 256 characters are the most."),
            "bad_email": said.t("That is not an e-mail address."),
            "bad_token": said.t(
                "This set-up link has been used or is not complete. If nobody can sign in, start "
                "the service again: it prints a new link."
            ),
        }.get(error.reason, said.t("That did not work. Try again."))

    def _page(
        self, request: Request, title: str, fields: list[str], button: str, *, error: str = "",
        note: str = "", status: int = 200,
    ) -> Response:  # fmt: skip
        said, nonce = _words(request), secrets.token_urlsafe(16)
        form = ""
        if button:
            form = (
                f'<form method="post" action="{_here(request, said.language)}">{"".join(fields)}'
                f'<button type="submit">{escape(button)}</button></form>'
            )
        body = Template(_asset("page.html")).substitute(
            language="zh-CN" if said.language == "zh" else "en",
            style=_asset("page.css"),
            script=_asset("page.js"),
            nonce=nonce,
            title=escape(title),
            error=f'<p class="error" role="alert">{escape(error)}</p>' if error else "",
            note=f'<p class="note">{escape(note)}</p>' if note else "",
            form=form,
            languages=_language_links(request, said.language),
        )
        return HTMLResponse(
            body,
            status,
            headers={
                "content-security-policy": _POLICY.format(nonce=nonce),
                "cache-control": "no-store",
            },
        )


def _words(request: Request) -> Words:
    asked = request.query_params.get("lang", "")
    if asked in words.LANGUAGES:
        return words.of(asked)
    return words.of(words.best_language(request.headers.get("accept-language", "")))


def _here(request: Request, language: str) -> str:
    kept = {
        name: request.query_params[name]
        for name in ("next", "token")
        if name in request.query_params
    }
    return escape(f"{request.url.path}?{urlencode({**kept, 'lang': language})}")


def _language_links(request: Request, current: str) -> str:
    links = []
    for code, name in words.LANGUAGES.items():
        tag = "zh-CN" if code == "zh" else code
        if code == current:
            links.append(f'<span lang="{tag}" aria-current="true">{name}</span>')
        else:
            links.append(f'<a lang="{tag}" href="{_here(request, code)}">{name}</a>')
    return " · ".join(links)


def _field(
    label: str, name: str, kind: str, autocomplete: str, *, value: str = "", focus: bool = False
) -> str:
    return (
        f'<label for="{name}">{escape(label)}</label>'
        f'<input id="{name}" name="{name}" type="{kind}" autocomplete="{autocomplete}" '
        f'value="{html.escape(value, quote=True)}" maxlength="256" required'
        f"{' autofocus' if focus else ''}>"
    )


def _password(
    said: Words, label: str, autocomplete: str, *, focus: bool = False, hint: str = ""
) -> str:
    # The button to show the password appears only where scripts run.
    shown = f'<p class="hint" id="password-hint">{escape(hint)}</p>' if hint else ""
    described = ' aria-describedby="password-hint"' if hint else ""
    return (
        f'<div class="above"><label for="password">{escape(label)}</label>'
        f'<button type="button" class="show" hidden aria-pressed="false" '
        f'data-hide="{escape(said.t("Hide password"))}">{escape(said.t("Show password"))}</button>'
        f'</div><input id="password" name="password" type="password" '
        f'autocomplete="{autocomplete}" maxlength="256" required{described}'
        f"{' autofocus' if focus else ''}>{shown}"
    )


def _password_hint(said: Words) -> str:
    return said.nt(
        "A password needs at least {n} character.",
        "A password needs at least {n} characters.",
        MIN_PASSWORD,
    )


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM:
            return {}
    return {
        name: values[0]
        for name, values in parse_qs(body.decode("utf-8", "replace"), max_num_fields=20).items()
    }


def _safe_target(target: str) -> str:
    """Only a path on this service: no other host, no script, no sign-in page again."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return "/"
    if "\\" in target or any(ord(letter) < 32 for letter in target):
        return "/"
    return "/" if parts.path in {"/sign-in", "/sign-out", "/set-up"} else target


def _client(request: Request) -> str:
    return request.client.host if request.client else "?"


def _status(error: SignInError) -> int:
    return 429 if error.reason == "locked" else 401


def _minutes(now: datetime, until: datetime) -> int:
    return max(1, -(-int((until - now).total_seconds()) // 60))
