"""Nothing that came from the internet may act as markup, link, formula or direction sign."""

from __future__ import annotations

import pytest

from dashboard.hostile import (
    escape,
    for_spreadsheet,
    host_of,
    link,
    one_line,
    plain,
    to_html,
    to_markdown,
)


def test_tags_and_quotes_become_text() -> None:
    assert to_html("<script>alert('1')</script> \"&\"") == (
        "&lt;script&gt;alert(&#x27;1&#x27;)&lt;/script&gt; &quot;&amp;&quot;"
    )
    assert escape('" onload="x') == "&quot; onload=&quot;x"


@pytest.mark.parametrize(
    "sign",
    ["\u202e", "\u202a", "\u2066", "\u2069", "\u200f", "\u061c", "\u200b", "\u2060", "\ufeff",
     "\u00ad", "\x00", "\x1b", "\x85", "\u2028", "\U000e0041", "\u3164"],
)  # fmt: skip
def test_signs_that_hide_or_reorder_go_away(sign: str) -> None:
    assert plain(f"photo{sign}gpj.exe") == "photogpj.exe"


def test_joiners_stay_where_scripts_and_emoji_need_them() -> None:
    assert plain("👨\u200d👩\u200d👧") == "👨\u200d👩\u200d👧"
    assert plain("می\u200cخواهم") == "می\u200cخواهم"
    assert plain("pay\u200dpal \u200c") == "paypal "


def test_marks_do_not_pile_up() -> None:
    assert plain("Z" + "\u0301" * 40) == "Z" + "\u0301" * 4
    assert plain("Việt") == "Việt"


def test_lines_stay_lines_and_one_line_is_one() -> None:
    assert to_html("a\r\nb\rc\nd") == "a<br>b<br>c<br>d"
    assert one_line("  a\n\tb  c ", 10) == "a b c"
    assert one_line("x" * 50, 10) == "x" * 9 + "…"


def test_only_web_addresses_become_links_and_they_show_where_they_lead() -> None:
    assert to_html("see https://shop.example/a?b=1&c=2.") == (
        'see <a href="https://shop.example/a?b=1&amp;c=2" target="_blank" '
        'rel="noopener noreferrer nofollow ugc" title="shop.example">'
        "shop.example/a?b=1&amp;c=2</a>."
    )
    for bad in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://a.example"):
        assert link(bad, "x") == "x"
        assert "<a" not in to_html(bad)


def test_a_look_alike_host_is_shown_for_what_it_is() -> None:
    assert host_of("https://аррӏе.com/login") == "xn--80ak6aa92e.com"
    assert ">xn--80ak6aa92e.com/login</a>" in to_html("https://аррӏе.com/login")
    assert "Bluesky (evil.example)</a>" in link("https://evil.example/x", "Bluesky")
    assert host_of("https://user@evil.example@good.example:99/") == "good.example"
    assert host_of("http://[broken") is None


def test_an_address_cannot_break_out_of_its_attribute() -> None:
    shown = to_html('https://a.example/"onmouseover="x')
    assert 'onmouseover="' not in shown
    assert shown.startswith('<a href="https://a.example/" ')


def test_markdown_finds_nothing_to_do() -> None:
    shown = to_markdown("![x](http://e.example) **b** `c` :red[r] :smile: $x$ <b> www.e.example")
    for markup in ("![", "**b", "`c`", ":red", ":smile", "$x$", "<b>", "http://", "www."):
        assert markup not in shown
    assert to_markdown("two\nlines") == "two lines"


@pytest.mark.parametrize(
    "value",
    ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "  =1+1", "\t=1", "＝1", "|calc", "%0A", "\n=1"],
)
def test_a_formula_becomes_text_in_a_spreadsheet(value: str) -> None:
    made = str(for_spreadsheet(value))
    assert made.startswith("'") or not made.lstrip().startswith(("=", "+", "-", "@", "|", "%"))
    assert made != value


def test_numbers_and_plain_words_stay_as_they_are_in_a_spreadsheet() -> None:
    assert for_spreadsheet(-5) == -5
    assert for_spreadsheet("kettle") == "kettle"
    assert for_spreadsheet(None) is None
