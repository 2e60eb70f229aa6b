"""Writes the parts of docs/ that come from the code: settings.md and commands.md.

Run with ``make docs``; a test compares the files with what this gives.
"""

from __future__ import annotations

import os
from pathlib import Path

import typer.main
from click import Command, Context, Group

from service.cli import app
from service.settings import PREFIX, Settings

DOCS = Path(__file__).parent


def settings_page() -> str:
    """The table of settings."""
    lines = [
        "# Settings",
        "",
        "Read once at the start, from environment variables, then `groundswell.toml` in the",
        "working directory (or the file that `GROUNDSWELL_CONFIG` names), then the defaults. An",
        "unknown name or a bad value stops the start with a message that says which and why. What",
        "staff change (brands, queries, sources, rules, service levels, people) is edited in the",
        "dashboard.",
        "",
        "| setting | environment variable | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = (
            "`./data`" if name == "data_dir" else f"`{field.default}`" if field.default else ""
        )
        default = "`0`" if field.default == 0 else default
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {default} | {meaning} |")
    example = [
        "",
        "```toml",
        "# groundswell.toml",
        'database_url = "postgresql://groundswell:secret@localhost/groundswell"',
        'base_url = "https://desk.example.org"',
        "port = 8600",
        "```",
        "",
    ]
    return "\n".join([*lines, *example])


def commands_page() -> str:
    """Every command with its options."""
    os.environ["COLUMNS"] = "100"
    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "`groundswell COMMAND --help` says the same at the terminal. Files are read and written by",
        "their ending: `.csv`, `.tsv`, `.jsonl` (each also with `.gz`), `.parquet`, `.xlsx`. Exit",
        "codes: 0 done, 1 something went wrong (the message says what to do), 2 wrong usage, 130",
        "interrupted.",
        "",
    ]
    lines += _describe(root, "groundswell")
    return "\n".join(lines)


def _describe(command: Command, path: str) -> list[str]:
    lines: list[str] = []
    if isinstance(command, Group):
        context = Context(command, info_name=path)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                lines += _describe(child, f"{path} {name}")
        return lines
    context = Context(command, info_name=path)
    words = " ".join(["", *(p.human_readable_name for p in command.params if _is_argument(p))])
    lines += [f"## `{path}{words}`", "", (command.help or "").strip(), ""]
    rows = [
        (", ".join(f"`{o}`" for o in [*p.opts, *p.secondary_opts]), getattr(p, "help", "") or "")
        for p in command.params
        if not _is_argument(p)
    ]
    arguments = [
        (f"`{p.human_readable_name}`", getattr(p, "help", "") or "")
        for p in command.params
        if _is_argument(p)
    ]
    if rows or arguments:
        lines += ["| | |", "|---|---|"]
        lines += [f"| {name} | {meaning} |" for name, meaning in [*arguments, *rows]]
        lines.append("")
    del context
    return lines


def _is_argument(parameter: object) -> bool:
    return getattr(parameter, "param_type_name", "") == "argument"


def main() -> None:
    """Write both pages."""
    (DOCS / "settings.md").write_text(settings_page(), encoding="utf-8")
    (DOCS / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
