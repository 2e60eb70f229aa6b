"""All settings, in one typed table that is read once.

Values come from environment variables ``GROUNDSWELL_<NAME>``, then ``groundswell.toml`` in the
working directory (or the file that ``GROUNDSWELL_CONFIG`` names), then the defaults here.
docs/settings.md lists them; a test holds the two equal.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

PREFIX = "GROUNDSWELL_"
CONFIG_VARIABLE = "GROUNDSWELL_CONFIG"
DEFAULT_CONFIG = "groundswell.toml"


class SettingsError(Exception):
    """A setting is unknown or has a bad value; the text names it and the fix."""


class Settings(BaseModel):
    """What an administrator sets before the start. Everything else is edited in the dashboard."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    data_dir: Path = Field(
        Path("./data"), description="Folder for the database, the key file and logs."
    )
    database_url: str = Field(
        "",
        description="Database as `sqlite:///file` or `postgresql://user:password@host/name`. "
        "Empty: `groundswell.db` in the data folder.",
    )
    host: str = Field(
        "127.0.0.1",
        description="Address the dashboard listens on. Use `0.0.0.0` only behind a proxy with TLS.",
    )
    port: int = Field(8501, ge=1, le=65535, description="Port of the dashboard.")
    base_url: str = Field(
        "",
        description="Address people reach the dashboard under, for links in notifications. "
        "Its host is also the one name, besides this machine's own, that the dashboard answers "
        "to. Empty: `http://localhost:<port>`.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Log lines for people or for programs; auto looks at the terminal."
    )
    model: str = Field(
        "bundled",
        description="Sentiment model: `bundled`, or the name or folder of a Hugging Face "
        "sequence-classification model.",
    )
    threads: int = Field(
        0, ge=0, le=256, description="Processor threads for scoring; 0 takes all cores."
    )
    scoring_batch: int = Field(
        256, ge=1, le=2000, description="Mentions scored and saved together."
    )
    collectors: int = Field(
        8, ge=1, le=64, description="Sources that are collected from at the same time."
    )
    undo_seconds: int = Field(
        5, ge=0, le=60, description="Seconds in which a reply can still be taken back."
    )
    settle_minutes: int = Field(
        2,
        ge=0,
        le=120,
        description="Minutes the alert stage waits for late posts before it closes a bucket.",
    )

    @field_validator("data_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @property
    def resolved_database_url(self) -> str:
        """The database URL, filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'groundswell.db'}"

    @property
    def resolved_base_url(self) -> str:
        """The dashboard's address without a slash at the end."""
        return (self.base_url or f"http://localhost:{self.port}").rstrip("/")

    @property
    def settle(self) -> timedelta:
        """How long a bucket stays open for late posts."""
        return timedelta(minutes=self.settle_minutes)

    @property
    def key_file(self) -> Path:
        """Where the keys of stored credentials lie."""
        return self.data_dir / "groundswell.key"


def load(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the settings. Raises SettingsError, which names the setting and where it was found."""
    environment = os.environ if environment is None else environment
    values, origins = _from_file(environment, folder or Path.cwd())
    for name, value in environment.items():
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE:
            continue
        key = name.removeprefix(PREFIX).lower()
        values[key] = value
        origins[key] = f"environment variable {name}"
    for key in values:
        if key not in Settings.model_fields:
            near = get_close_matches(key, Settings.model_fields, 1)
            hint = f" Did you mean {near[0]!r}?" if near else " See docs/settings.md."
            raise SettingsError(f"Unknown setting {key!r} in {origins[key]}.{hint}")
    try:
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(_sentences(error, origins)) from None


def _from_file(
    environment: Mapping[str, str], folder: Path
) -> tuple[dict[str, Any], dict[str, str]]:
    named = environment.get(CONFIG_VARIABLE)
    path = Path(named) if named else folder / DEFAULT_CONFIG
    if not path.exists():
        if named:
            raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which does not exist.")
        return {}, {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    return values, dict.fromkeys(values, str(path))


def _sentences(error: ValidationError, origins: Mapping[str, str]) -> str:
    lines = []
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else "?"
        field = Settings.model_fields.get(key)
        meaning = f" {field.description}" if field else ""
        shown = "" if "token" in key or "url" in key else f" (is {problem['input']!r})"
        where = origins.get(key, "the defaults")
        lines.append(f"Setting {key!r} in {where}{shown}: {problem['msg']}.{meaning}")
    return "\n".join(lines)
