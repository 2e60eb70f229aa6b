"""Bluesky: one logged-in account, spoken to through atproto.

Answers are handed on as plain JSON, not as atproto's models: one record of an unknown shape on the
network must not stop a whole page. Methods: https://docs.bsky.app/docs/category/http-reference

Logging in is limited to 30 times in five minutes and 300 times a day for an account, so a session
is kept for the life of the process and shared by everything that uses the same account.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from threading import Lock
from typing import Annotated, Any

import httpx
from atproto_client import Client
from atproto_client.exceptions import AtProtocolError, RequestErrorBase
from atproto_client.models.common import XrpcError
from atproto_client.models.dot_dict import DotDict
from atproto_client.request import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from platforms.addresses import service_address
from platforms.errors import Limited, NotAllowed, PlatformError, Rejected, Unreachable, read_fields
from platforms.limits import wait_from_headers
from store.clock import Clock

TIMEOUT = 15.0  # seconds for each call
_EXPIRED = {"ExpiredToken", "InvalidToken", "AuthMissing"}
_LOCKED_OUT = {"AccountTakedown", "AccountSuspended", "AccountDeactivated", "AccountNotFound"}


def _handle(text: str) -> str:
    handle = text.strip().removeprefix("@").lower()
    if not handle or any(char.isspace() for char in handle) or "." not in handle:
        raise ValueError("give the account's full handle, such as acme.bsky.social")
    return handle


Handle = Annotated[str, AfterValidator(_handle)]


class BlueskyAccount(BaseModel):
    """Which account, at which service; listeners and reply channels add their own settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: Annotated[str, AfterValidator(service_address)] = "https://bsky.social"
    handle: Handle


class BlueskySecrets(BaseModel):
    """The account's app password (Settings → Privacy and security → App passwords)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    app_password: SecretStr = Field(min_length=1)


class BlueskyClient:
    """Calls to one account's server. Logs in at the first call.

    Every method raises only PlatformError and its children. One instance serves one thread at a
    time; any number of instances share the account's session.
    """

    def __init__(
        self, service: str, handle: str, password: str, clock: Clock, timeout: float = TIMEOUT
    ) -> None:
        self._service = service
        self._handle = handle
        self._password = password
        self._clock = clock
        self._timeout = timeout
        self._session = _shared_session(f"{service}\n{handle}\n{password}")
        self._client: Client | None = None
        self._did = ""

    @classmethod
    def open(
        cls, account: BlueskyAccount, secrets: Mapping[str, Any], clock: Clock
    ) -> BlueskyClient:
        """From checked settings. Raises ConfigError when the app password is missing."""
        found = read_fields(BlueskySecrets, secrets, "The Bluesky credentials")
        return cls(account.service, account.handle, found.app_password.get_secret_value(), clock)

    @property
    def did(self) -> str:
        """The account's permanent id."""
        self._connected()
        return self._did

    def query(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask something; parameters that are None are left out."""
        given = {key: value for key, value in parameters.items() if value is not None}
        return self._call(method, given, None)

    def procedure(self, method: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Do something. An error says with ``maybe_sent`` that it may have been done."""
        return self._call(method, None, dict(data))

    def close(self) -> None:
        """Give the connections back; the session stays for others."""
        if self._client is not None:
            self._client.request.close()
            self._client = None

    def _call(
        self, method: str, parameters: dict[str, Any] | None, data: dict[str, Any] | None
    ) -> dict[str, Any]:
        client = self._connected()
        try:
            return self._once(client, method, parameters, data)
        except _SessionRefused:
            # Nothing was done: the server did not even accept the token.
            client = self._log_in_again(client)
        try:
            return self._once(client, method, parameters, data)
        except _SessionRefused as error:
            raise NotAllowed(
                "Bluesky gives a session for this account and then refuses it. Make a new app "
                "password and enter it here."
            ) from error

    def _once(
        self,
        client: Client,
        method: str,
        parameters: dict[str, Any] | None,
        data: dict[str, Any] | None,
    ) -> dict[str, Any]:
        try:
            if data is None:
                answer = client.invoke_query(method, params=DotDict(parameters or {}))
            else:
                answer = client.invoke_procedure(
                    method, data=DotDict(data), input_encoding="application/json"
                )
        except (AtProtocolError, httpx.HTTPError, ValueError) as error:
            raise self._translated(error, changes=data is not None) from error
        if not isinstance(answer.content, dict):
            raise Unreachable(
                "Bluesky's server gave an answer that is not JSON. If this goes on, check the "
                "service address.",
                maybe_sent=data is not None,
            )
        return answer.content

    def _connected(self) -> Client:
        if self._client is not None:
            return self._client
        client = Client(
            base_url=self._service,
            request=Request(timeout=httpx.Timeout(self._timeout, connect=5.0)),
        )
        try:
            with self._session.lock:
                if self._session.exported is None:
                    self._create_session(client)
                else:
                    client.login(session_string=self._session.exported, fetch_bsky_profile=False)
        except BaseException:
            client.request.close()
            raise
        client.on_session_change(self._remember)
        own = client._session
        assert own is not None
        self._did = own.did
        self._client = client
        return client

    def _create_session(self, client: Client) -> None:
        try:
            client.login(self._handle, self._password, fetch_bsky_profile=False)
        except (AtProtocolError, httpx.HTTPError, ValueError) as error:
            raise self._login_failure(error) from error
        self._session.exported = client.export_session_string()

    def _remember(self, _event: object, session: Any) -> None:
        self._session.exported = session.export()

    def _log_in_again(self, refused: Client) -> Client:
        used = refused.export_session_string()
        with self._session.lock:
            if self._session.exported == used:  # otherwise somebody else already did
                self._session.exported = None
        self.close()
        return self._connected()

    def _login_failure(self, error: Exception) -> PlatformError:
        found = self._translated(error, changes=False)
        if isinstance(found, _SessionRefused | Rejected | NotAllowed) and found.code not in (
            _LOCKED_OUT
        ):
            return NotAllowed(
                f"Bluesky does not accept the handle and app password of {self._handle}. Check the "
                "handle, or make a new app password (Settings, Privacy and security, App "
                "passwords) and enter it here.",
                code=found.code,
            )
        return found

    def _translated(self, error: Exception, *, changes: bool) -> PlatformError:
        """Our error for one of atproto's, httpx's or of a broken answer."""
        response = error.response if isinstance(error, RequestErrorBase) else None
        if response is None:
            return _no_answer(error, changes=changes)
        status, code, said = response.status_code, "", ""
        if isinstance(response.content, XrpcError):
            code = response.content.error or ""
            said = (response.content.message or "")[:200]
        wait = wait_from_headers(response.headers, self._clock.now())
        if status == 429:
            return Limited(
                "Bluesky's limit of requests is reached for now; it goes on by itself.",
                retry_after=wait or timedelta(minutes=5),
                code=code,
            )
        if code in _LOCKED_OUT:
            return NotAllowed(
                f"Bluesky has closed this account to us ({code}). Sign in at Bluesky to see why.",
                code=code,
            )
        if status == 401 or code in _EXPIRED:
            return _SessionRefused("the session has ended", code=code)
        if status == 403:
            return NotAllowed(f"Bluesky refuses this to our account: {said or code}.", code=code)
        if status >= 500:
            return Unreachable(
                f"Bluesky's server has a fault (HTTP {status}). It is tried again.",
                retry_after=wait,
                maybe_sent=changes,
                code=code,
            )
        return Rejected(f"Bluesky refused the request: {said or code or status}.", code=code)


class _SessionRefused(PlatformError):
    """The token is not valid any more. Never leaves this module."""


class _Session:
    def __init__(self) -> None:
        self.lock = Lock()
        self.exported: str | None = None


_sessions: dict[str, _Session] = {}
_sessions_lock = Lock()


def _shared_session(account: str) -> _Session:
    # A digest, so that no password stays in memory as a key.
    key = hashlib.sha256(account.encode()).hexdigest()
    with _sessions_lock:
        return _sessions.setdefault(key, _Session())


def forget_sessions() -> None:
    """Forget every kept session, as a new process would."""
    with _sessions_lock:
        _sessions.clear()


def _no_answer(error: Exception, *, changes: bool) -> PlatformError:
    cause = error.__cause__ or error
    never_left = isinstance(
        cause,
        httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.UnsupportedProtocol,
    )
    if isinstance(cause, httpx.TimeoutException):
        text = "Bluesky's server did not answer in time. It is tried again."
    elif never_left:
        text = "Bluesky's server cannot be reached. Check the service address and the network."
    elif isinstance(cause, httpx.HTTPError):
        text = "The connection to Bluesky's server broke. It is tried again."
    else:
        text = "Bluesky's server gave an answer that cannot be read. It is tried again."
    return Unreachable(text, maybe_sent=changes and not never_left)
