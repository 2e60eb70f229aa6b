from __future__ import annotations

from platforms.html_text import html_to_text


def test_html_becomes_the_text_a_reader_sees() -> None:
    markup = "<h1>Title</h1><p>One<br>two &lt;3</p><ul><li>a</li><li>b</li></ul><script>no</script>"
    assert html_to_text(markup) == "Title\nOne\ntwo <3\na\nb"


def test_markup_that_is_cut_off_or_nested_without_end_stays_text() -> None:
    assert html_to_text("one <b>two") == "one two"
    assert html_to_text("<div>" * 5_000 + "deep") == "deep"
    assert html_to_text("a < b and b > a") == "a < b and b > a"
    assert html_to_text("&lt;script&gt;alert(1)&lt;/script&gt;") == "<script>alert(1)</script>"
