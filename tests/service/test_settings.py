"""Settings are read once; a wrong one stops the start with a sentence that says which and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import Settings, SettingsError, load


def test_the_defaults_need_nothing(tmp_path: Path) -> None:
    table = load({}, tmp_path)
    assert table.port == 8501
    assert table.host == "127.0.0.1"
    assert table.resolved_database_url == f"sqlite:///{table.data_dir}/groundswell.db"
    assert table.resolved_base_url == "http://localhost:8501"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "groundswell.toml").write_text('port = 9000\nlog_level = "debug"\n')
    table = load({"GROUNDSWELL_PORT": "9001"}, tmp_path)
    assert (table.port, table.log_level) == (9001, "debug")


def test_an_unknown_setting_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"'prot' in environment variable GROUNDSWELL_PROT"):
        load({"GROUNDSWELL_PROT": "1"}, tmp_path)
    with pytest.raises(SettingsError, match=r"Did you mean 'port'\?"):
        load({"GROUNDSWELL_PROT": "1"}, tmp_path)


def test_an_unknown_setting_in_the_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "groundswell.toml").write_text("prot = 1\n")
    with pytest.raises(SettingsError, match=r"groundswell\.toml"):
        load({}, tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "many", "'port'.*valid integer.*Port of the dashboard"),
        ("PORT", "70000", "'port'.*less than or equal to 65535"),
        ("LOG_LEVEL", "loud", "'log_level'.*'debug', 'info'"),
        ("THREADS", "-1", "'threads'.*greater than or equal to 0"),
    ],
)
def test_a_bad_value_names_setting_place_and_meaning(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        load({f"GROUNDSWELL_{name}": value}, tmp_path)
    assert f"environment variable GROUNDSWELL_{name}" in str(caught.value)


def test_a_bad_database_url_is_not_shown_since_it_may_hold_a_password(tmp_path: Path) -> None:
    (tmp_path / "groundswell.toml").write_text('database_url = ["postgresql://gs:hush@db/gs"]\n')
    with pytest.raises(SettingsError, match="'database_url'") as caught:
        load({}, tmp_path)
    assert "hush" not in str(caught.value)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "groundswell.toml").write_text("port = = 1\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        load({}, tmp_path)


def test_a_named_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="which does not exist"):
        load({"GROUNDSWELL_CONFIG": str(tmp_path / "none.toml")}, tmp_path)


def test_every_setting_says_what_it_means() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", "any.")), name
