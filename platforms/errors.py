"""What can go wrong between us and a platform. Every client in this package raises only these.

    PlatformError                 what happened and what to do, for staff
    ├── ConfigError               a setting or secret is missing or wrong
    ├── NotAllowed                wrong password, expired token, blocked account
    ├── Limited                   too many requests; ``retry_after`` where the platform said
    ├── Rejected                  the platform understood and said no; ``code`` is its word for it
    └── Unreachable               network, timeout, fault on their side, answer cut off

Listeners and reply channels turn them into their own error with ``permanent``, ``retry_after``,
``limited`` and ``maybe_sent``, which every one of these carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError


class PlatformError(Exception):
    """The root. ``maybe_sent``: the platform may have done it although no answer came."""

    permanent = False
    limited = False

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        maybe_sent: bool = False,
        code: str = "",
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.maybe_sent = maybe_sent
        self.code = code


class ConfigError(PlatformError):
    """A setting or secret is missing or wrong; the text names the field."""

    permanent = True


class NotAllowed(PlatformError):
    """The platform does not accept our credentials or our account any more."""

    permanent = True


class Limited(PlatformError):
    """Too many requests. Nothing was done."""

    limited = True


class Rejected(PlatformError):
    """The platform understood the request and refused it; asking again gives the same answer."""

    permanent = True


class Unreachable(PlatformError):
    """The platform did not answer, or not usefully. Trying again later may work."""


Model = TypeVar("Model", bound=BaseModel)


def read_fields(model: type[Model], values: Mapping[str, Any], what: str) -> Model:
    """Check settings or secrets against their model.

    ``what`` names them for staff ("Bluesky source"). Raises ConfigError naming every bad field;
    values are not repeated, since they may be secrets.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        complaints = []
        for problem in error.errors(include_input=False, include_url=False):
            field = ".".join(str(part) for part in problem["loc"]) or "settings"
            text = problem["msg"].removeprefix("Value error, ")
            complaints.append(f"{field}: {text[:1].lower()}{text[1:]}")
        raise ConfigError(f"{what} cannot be used. {'; '.join(complaints)}.") from None
