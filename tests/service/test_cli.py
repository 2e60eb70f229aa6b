"""The command line: contracts other programs rely on, mistakes told in one sentence."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import func, select, text

from service import cli, wiring
from service.commands import terminal
from store.database import Store
from store.models import Brand, Mention, Ticket, User
from tests.service.conftest import WordModel

HOSTILE = '=HYPERLINK("http://evil.example","click")'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Run a command in this process on a data folder of its own: exit code, output, errors."""
    for name in list(os.environ):
        if name.startswith("GROUNDSWELL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GROUNDSWELL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GROUNDSWELL_LOG_LEVEL", "warning")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wiring, "load_model", lambda *_: WordModel())
    monkeypatch.setattr(terminal.logs, "set_up", lambda _: None)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["groundswell", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        caught = capfd.readouterr()
        return code, caught.out, caught.err

    return call


@pytest.fixture
def desk(run, tmp_path: Path) -> Store:
    """A data folder with a database."""
    assert run("db", "upgrade")[0] == 0
    return Store(f"sqlite:///{tmp_path}/data/groundswell.db")


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


POSTS = [
    {"id": "1", "text": "bad service", "time": "2026-02-01T08:00:00Z", "brand": "Acme"},
    {"id": "2", "text": HOSTILE, "time": "2026-02-01T08:05:00Z", "brand": "Acme"},
    {"id": "3", "text": "so good", "time": "2026-02-01T08:05:00Z", "brand": "Rival"},
    {"id": "4", "text": "no time", "time": "soon", "brand": "Acme"},
]


def test_an_import_keeps_the_good_rows_and_says_why_others_were_rejected(
    run, desk: Store, tmp_path: Path
) -> None:
    file = write(tmp_path / "posts.csv", POSTS)
    code, out, err = run("import", str(file), "--brand-column", "brand", "--platform", "x")
    assert code == 0
    assert "3 new, 0 changed, 0 already there, 1 rejected." in out
    assert "New brands: Acme, Rival." in out
    assert "posts.rejects.csv" in err
    rejected = read_rows(tmp_path / "posts.rejects.csv")
    assert [(row["row"], row["id"]) for row in rejected] == [("5", "4")]
    assert "time" in rejected[0]["reason"]
    code, out, _ = run("import", str(file), "--brand-column", "brand", "--platform", "x")
    assert "0 new, 0 changed, 3 already there, 1 rejected." in out


def test_history_opens_no_tickets_and_live_posts_do(run, desk: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "posts.csv", POSTS[:1])
    assert run("import", str(file), "--brand", "Acme")[0] == 0
    assert run("worker", "--once")[0] == 0
    with desk.read() as session:
        assert session.scalar(select(func.count()).select_from(Ticket)) == 0
        assert session.scalar(select(func.count()).where(Mention.assessed_at.is_(None))) == 0
    live = write(tmp_path / "live.csv", [{**POSTS[0], "id": "9"}])
    assert run("import", str(live), "--brand", "Acme", "--live")[0] == 0
    assert run("worker", "--once")[0] == 0
    with desk.read() as session:
        assert session.scalars(select(Ticket.category)).all() == ["complaint"]


def test_a_wrong_column_name_names_the_flag_and_the_columns(
    run, desk: Store, tmp_path: Path
) -> None:
    file = write(tmp_path / "posts.csv", POSTS)
    code, _, err = run("import", str(file), "--brand", "Acme", "--text-column", "txt")
    assert code == 1
    assert '--text-column: posts.csv has no column "txt".' in err
    assert "id, text, time, brand" in err


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "xlsx"])
def test_scoring_adds_its_columns_and_keeps_rows_and_order(
    run, tmp_path: Path, ending: str
) -> None:
    rows = [{"n": i, "comment": words} for i, words in enumerate(["so good", "bad", "x", "?"])]
    file = write(tmp_path / "in.csv", rows)
    out_file = tmp_path / f"out.{ending}"
    code, out, err = run("score", str(file), str(out_file), "--text-column", "comment")
    assert code == 0, err
    assert "4 rows scored with words-1" in out
    read = {
        "csv": pd.read_csv,
        "jsonl": lambda path: pd.read_json(path, lines=True),
        "parquet": pd.read_parquet,
        "xlsx": pd.read_excel,
    }[ending]
    frame = read(out_file)
    assert list(frame["comment"]) == ["so good", "bad", "x", "?"]
    assert list(frame["sentiment"]) == ["positive", "negative", "neutral", "neutral"]
    assert list(frame["intent"]) == ["praise", "complaint", "other", "enquiry"]
    for column in (
        "p_negative", "p_neutral", "p_positive", "p_complaint", "p_enquiry", "p_suggestion",
        "p_praise", "p_other", "emotion", "urgency", "language", "model",
    ):  # fmt: skip
        assert column in frame.columns


def test_scoring_an_unknown_column_names_the_nearest(run, tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", [{"n": 1, "comment": "x"}])
    code, _, err = run("score", str(file), str(tmp_path / "o.csv"), "--text-column", "coment")
    assert code == 1
    assert 'Did you mean "comment"?' in err
    assert not (tmp_path / "o.csv").exists()


def test_a_backtest_gives_a_score_and_an_alert_for_every_row(run, tmp_path: Path) -> None:
    times = pd.date_range("2026-01-01", periods=3000, freq="5min")
    counts = [20 + (i * 7) % 5 for i in range(3000)]
    counts[2500:2506] = [400] * 6
    frame = pd.DataFrame({"time": times, "count": counts})
    frame.to_csv(tmp_path / "in.csv", index=False)
    code, _, err = run(
        "backtest", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"),
        "--time-column", "time", "--value-column", "count",
    )  # fmt: skip
    assert code == 0, err
    result = pd.read_csv(tmp_path / "out.csv")
    assert len(result) == 3000
    assert result["anomaly_score"].between(0, 1).all()
    fired = result.index[result["alert"] == 1]
    assert ((fired >= 2500) & (fired < 2512)).any()
    assert ((fired >= 600) & (fired < 2500)).sum() == 0


def test_a_backtest_with_a_bad_count_names_row_and_column(run, tmp_path: Path) -> None:
    file = write(tmp_path / "in.csv", [{"t": "2026-01-01", "v": "many"}])
    code, _, err = run(
        "backtest", str(file), str(tmp_path / "o.csv"), "--time-column", "t", "--value-column", "v"
    )
    assert code == 1
    assert "Row 1 has no usable count in column 'v'" in err


def test_an_export_gives_what_was_imported_with_formulas_disarmed(
    run, desk: Store, tmp_path: Path
) -> None:
    run("import", str(write(tmp_path / "posts.csv", POSTS)), "--brand-column", "brand")
    run("worker", "--once")
    code, out, err = run("export", "mentions", str(tmp_path / "o.csv"), "--brand", "acme")
    assert code == 0, err
    assert "2 mentions" in out
    rows = read_rows(tmp_path / "o.csv")
    assert [row["sentiment"] for row in rows] == ["negative", "neutral"]
    assert rows[1]["text"] == f"'{HOSTILE}"
    code, out, _ = run("export", "trends", str(tmp_path / "t.csv"), "--until", "2026-02-02")
    frame = pd.read_csv(tmp_path / "t.csv")
    assert frame["mentions"].sum() == 3
    code, out, _ = run("export", "mentions", str(tmp_path / "n.csv"), "--since", "2027-01-01")
    assert "0 mentions" in out


def test_an_export_of_an_unknown_brand_names_those_there_are(run, desk: Store, tmp_path) -> None:
    run("import", str(write(tmp_path / "p.csv", POSTS)), "--brand-column", "brand")
    code, _, err = run("export", "mentions", str(tmp_path / "o.csv"), "--brand", "Acne")
    assert code == 1
    assert "There is no brand 'Acne'. Brands here: Acme, Rival." in err


def test_staff_are_added_with_a_password_from_standard_input(
    run, desk: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse battery\n"))
    code, _, err = run("user", "add", "Ann@Example.org", "--role", "agent", "--password-stdin")
    assert code == 0, err
    with desk.read() as session:
        user = session.scalars(select(User)).one()
    assert (user.email, user.role) == ("ann@example.org", "agent")
    assert "correct horse" not in user.password_hash
    monkeypatch.setattr(sys, "stdin", io.StringIO("short\n"))
    code, _, err = run("user", "add", "bob@example.org", "--role", "agent", "--password-stdin")
    assert code == 1
    assert "at least" in err


def test_an_unknown_setting_stops_every_command(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_PROT", "1")
    code, _, err = run("worker", "--once")
    assert code == 1
    assert "Unknown setting 'prot'" in err


def test_a_database_that_is_not_upgraded_says_how(run) -> None:
    code, _, err = run("worker", "--once")
    assert code == 1
    assert "groundswell db upgrade" in err


def test_a_database_of_a_newer_version_is_left_alone(run, desk: Store) -> None:
    with desk.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    code, _, err = run("db", "upgrade")
    assert code == 1
    assert "newer version of Groundswell" in err


def test_an_unreachable_server_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_DATABASE_URL", "postgresql://gs:hush@127.0.0.1:9/x")
    code, _, err = run("worker", "--once")
    assert code == 1
    assert "127.0.0.1:9" in err
    assert "hush" not in err


def test_figures_that_were_tampered_with_are_found_and_repaired(
    run, desk: Store, tmp_path: Path
) -> None:
    run("import", str(write(tmp_path / "p.csv", POSTS)), "--brand-column", "brand")
    assert run("db", "recount")[0] == 0
    with desk.write() as session:
        session.execute(text("UPDATE rollup SET mentions = mentions + 5"))
    code, _, err = run("db", "recount")
    assert code == 1
    assert "groundswell db recount --repair" in err
    assert run("db", "recount", "--repair")[0] == 0
    assert run("db", "recount")[0] == 0


def test_the_doctor_finds_what_is_missing_and_says_what_to_do(run) -> None:
    code, out, _ = run("doctor")
    assert code == 1
    assert "WRONG database: not there yet. Run: groundswell db upgrade" in out
    run("db", "upgrade")
    code, out, _ = run("doctor")
    assert code == 1
    assert "ok    database" in out
    assert "WRONG administrator" in out


def test_listening_to_a_source_that_is_not_there_names_those_there_are(run, desk: Store) -> None:
    code, _, err = run("listen", "nowhere")
    assert code == 1
    assert "There is no source 'nowhere'. Sources here: none yet." in err


def test_wrong_usage_ends_with_two() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "service.cli", "import"], capture_output=True, check=False
    )
    assert ended.returncode == 2
    assert b"Missing argument" in ended.stderr


def test_a_full_disk_is_told_and_the_import_goes_on_where_it_stopped(
    run, desk: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"id": i, "text": f"words {i} " * 30, "time": "2026-02-01T08:00:00Z"} for i in range(3000)
    ]
    file = write(tmp_path / "many.csv", rows)
    full = {"is": True}
    from store import database

    real = database._configure_sqlite

    def smaller(connection, record) -> None:
        real(connection, record)
        if full["is"]:
            # SQLite answers exactly as it does when the disk has no page left.
            used = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {used + 300}")

    monkeypatch.setattr(database, "_configure_sqlite", smaller)
    code, _, err = run("import", str(file), "--brand", "Acme")
    assert code == 1
    assert "The disk that holds the database is full." in err
    with desk.read() as session:
        stored = session.scalar(select(func.count()).select_from(Mention))
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    assert 0 < (stored or 0) < 3000
    full["is"] = False
    code, out, err = run("import", str(file), "--brand", "Acme")
    assert code == 0, err
    assert f"{3000 - (stored or 0):,} new" in out


def test_a_drill_is_marked_runs_and_leaves_nothing_behind(run, desk: Store) -> None:
    from service.demo import DRILL_PREFIX

    code, out, err = run("drill", "outage", "--speed", "5000")
    assert code == 0, err
    assert "posts heard" in out
    assert "INC-" not in out
    with desk.read() as session:
        brands = session.scalars(select(Brand)).all()
        assert {brand.realm for brand in brands} == {"drill"}
        assert all(brand.name.startswith(DRILL_PREFIX) for brand in brands)
        numbers = session.scalars(select(Ticket.number)).all()
        assert numbers
        assert all(number.startswith("DR-") for number in numbers)
    code, out, err = run("drill", "outage")
    assert code == 1
    assert "groundswell drill --remove" in err
    assert run("drill", "--remove")[0] == 0
    with desk.read() as session:
        for table in (Brand, Mention, Ticket):
            assert session.scalar(select(func.count()).select_from(table)) == 0


def test_the_demo_begins_only_without_brands_and_can_be_removed(run, desk: Store) -> None:
    assert run("demo")[0] == 0
    with desk.read() as session:
        assert set(session.scalars(select(Brand.realm))) == {"demo"}
    code, _, err = run("demo")
    assert code == 1
    assert "There are brands already" in err
    assert "2 demo brands removed." in run("demo", "--remove")[1]
    with desk.read() as session:
        assert session.scalar(select(func.count()).select_from(Brand)) == 0
    assert "There is no demo to remove." in run("demo", "--remove")[1]
