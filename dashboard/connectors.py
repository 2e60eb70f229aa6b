"""The forms for adding a source: which settings each connector asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.words import N_

Kind = Literal["text", "lines", "number", "toggle", "secret"]


@dataclass(frozen=True, slots=True)
class Field:
    """One setting. ``path`` says where it stands in the source's config, like ``imap.host``."""

    path: str
    label: str
    kind: Kind = "text"
    default: Any = ""
    required: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True)
class ConnectorForm:
    """The settings of one connector, in the order they are asked for."""

    name: str
    fields: tuple[Field, ...]
    interval_seconds: int = 60


FORMS: dict[str, ConnectorForm] = {
    "rss": ConnectorForm(
        N_("News and feeds (RSS, Atom)"),
        (Field("url", N_("Address of the feed"), required=True),),
        interval_seconds=300,
    ),
    "bluesky": ConnectorForm(
        "Bluesky",
        (
            Field("handle", N_("Handle of the account"), required=True),
            Field(
                "app_password",
                N_("App password"),
                "secret",
                required=True,
                help=N_("Made in the account's settings under Privacy and security."),
            ),
            Field("service", N_("Server"), default="https://bsky.social", required=True),
            Field("search", N_("Words to search for, one per line"), "lines"),
        ),
    ),
    "email": ConnectorForm(
        N_("E-mail"),
        (
            Field("address", N_("Address customers write to"), required=True),
            Field("username", N_("User name, where it is not the address")),
            Field("password", N_("Password"), "secret", required=True),
            Field("imap.host", N_("Incoming server (IMAP)"), required=True),
            Field("imap.port", N_("Its port"), "number", default=993),
            Field("smtp.host", N_("Outgoing server (SMTP)")),
            Field("smtp.port", N_("Its port"), "number", default=465),
        ),
    ),
}


def split(
    form: ConnectorForm, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str] | None]:
    """What was entered, as the source's config and its secrets (None: leave the stored ones)."""
    config: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    for field in form.fields:
        value = values.get(field.path)
        if field.kind == "secret":
            if value:
                secrets[field.path] = str(value)
            continue
        if field.kind == "lines":
            value = [line.strip() for line in str(value or "").splitlines() if line.strip()]
        elif field.kind == "number":
            value = int(value) if value else None
        elif isinstance(value, str):
            value = value.strip()
        if value in ("", None, []):
            continue
        _put(config, field.path, value)
    for server in ("imap", "smtp"):
        if server in config and "host" not in config[server]:
            del config[server]
    return config, secrets or None


def missing(form: ConnectorForm, values: Mapping[str, Any], *, has_secrets: bool) -> list[str]:
    """The labels of required settings that were left empty."""
    return [
        field.label
        for field in form.fields
        if field.required
        and not str(values.get(field.path) or "").strip()
        and not (field.kind == "secret" and has_secrets)
    ]


def value_of(config: Mapping[str, Any], field: Field) -> Any:
    """What a stored source has for a setting, in the form its input shows."""
    found: Any = config
    for step in field.path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    if found is None:
        return field.default
    return "\n".join(map(str, found)) if field.kind == "lines" else found


def _put(config: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for step in above:
        config = config.setdefault(step, {})
    config[last] = value
