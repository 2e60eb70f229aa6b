"""``groundswell target``: addresses go in once, are kept sealed and never come out again."""

from __future__ import annotations

import io
import sys

import pytest
from sqlalchemy import select

from service.settings import Settings
from store.brands import ensure_brand
from store.database import Store
from store.models import AuditEvent, NotificationTarget
from store.secrets import SecretBox
from tests.conftest import START
from tests.notify.test_apprise import Hook, hook
from tests.service.test_cli import desk, run

__all__ = ["desk", "hook", "run"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    """Put a line on standard input."""
    return lambda line: monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\n"))


def test_a_target_is_kept_with_its_address_sealed(run, desk: Store, typed, tmp_path) -> None:
    with desk.write() as session:
        brand = ensure_brand(session, "Acme", START).id
    typed("json://hooks.example/alerts?token=s3cret")
    code, out, err = run(
        "target", "add", "Press  desk", "--url-stdin", "--min-level", "orange", "--brand", "acme",
        "--language", "zh",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "is told from orange on" in out
    with desk.read() as session:
        row = session.scalars(select(NotificationTarget)).one()
        acts = session.execute(select(AuditEvent.action, AuditEvent.detail)).all()
    assert (row.name, row.kind, row.min_level, row.brand_id, row.language, row.active) == (
        "Press desk", "apprise", "orange", brand, "zh", True,
    )  # fmt: skip
    assert b"s3cret" not in (row.address or b"")
    box = SecretBox.open(Settings(data_dir=tmp_path / "data").key_file)
    assert box.unseal(row.address) == {"url": "json://hooks.example/alerts?token=s3cret"}
    assert [tuple(one) for one in acts] == [("target.added", {})]
    code, out, _ = run("target", "list")
    assert out.split() == ["Press", "desk", "apprise", "orange", "zh", "Acme"]


def test_a_test_message_arrives_and_a_removed_target_is_gone(
    run, desk: Store, typed, hook: Hook
) -> None:
    typed(hook.address)
    assert run("target", "add", "hook", "--url-stdin")[0] == 0
    code, out, _ = run("target", "test", "HOOK")
    assert (code, out) == (0, "The test was taken by HOOK. Look there whether it came.\n")
    ((path, headers, body),) = hook.got
    assert path.startswith("/alerts")
    assert headers["X-Groundswell-Delivery"].startswith("test:1:")
    assert body["title"] == "Groundswell: a test"
    assert run("target", "remove", "hook")[0] == 0
    assert run("target", "list")[1] == ""
    code, _, err = run("target", "test", "hook")
    assert (code, err) == (
        1, "Error: There is no target hook. `groundswell target list` names them.\n",
    )  # fmt: skip


def test_a_refused_test_says_why_without_the_address(run, desk: Store, typed, hook: Hook) -> None:
    hook.status = 403
    typed(hook.address)
    assert run("target", "add", "hook", "--url-stdin")[0] == 0
    code, out, err = run("target", "test", "hook")
    assert (code, out) == (1, "")
    assert "HTTP 403" in err
    assert "s3cret" not in err


@pytest.mark.parametrize(
    ("line", "options", "sentence"),
    [
        ("no address", [], "not one that apprise knows"),
        ("", [], "Give the apprise address on one line."),
        ("syslog://", [], "would only reach the machine"),
        ("json://a.example", ["--min-level", "purple"], "A level is one of blue, yellow"),
        ("json://a.example", ["--brand", "Nobody"], "There is no brand Nobody."),
        ("json://a.example", ["--language", "fr"], "Messages are in en or zh"),
    ],
)
def test_a_target_that_cannot_work_is_refused_with_a_sentence(
    run, desk: Store, typed, line: str, options: list[str], sentence: str
) -> None:
    typed(line)
    code, out, err = run("target", "add", "hook", "--url-stdin", *options)
    assert (code, out) == (1, "")
    assert sentence in err
    with desk.read() as session:
        assert session.scalars(select(NotificationTarget)).all() == []


def test_a_name_is_taken_once(run, desk: Store, typed) -> None:
    typed("json://a.example")
    assert run("target", "add", "hook", "--url-stdin")[0] == 0
    typed("json://b.example")
    code, _, err = run("target", "add", "Hook", "--url-stdin")
    assert (code, err) == (
        1, "Error: A target named Hook is already there. Choose another name.\n",
    )  # fmt: skip
