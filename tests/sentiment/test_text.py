import pytest

from sentiment.batching import batches, padded
from sentiment.text import LONGEST, mask_emoticons, normalise, windows


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        ("@JetBlue my bag https://t.co/x1 is gone", "@user my bag http is gone"),
        ("@小米客服: 手机坏了", "@user: 手机坏了"),
        ("@小米客服 手机坏了", "@user 手机坏了"),
        ("//@李四:[怒]太差了", "//@user:[怒]太差了"),
        ("看这里http://t.cn/zYQK973，太气人了", "看这里http，太气人了"),
        ("write to ann@example.org please", "write to ann@example.org please"),
        ("{%#双十一#%} 买买买", "#双十一# 买买买"),
        ("sooooooo good!!!!!!", "sooo good!!!"),
        ("a\n\n\tb   c", "a b c"),
        ("rock &amp; roll &lt;3", "rock & roll <3"),
        ("\u202ereversed\u200b", "reversed"),
        ("😡😡😡😡😡😡", "😡😡😡"),
    ],
)
def test_names_links_and_shouting_are_made_alike(raw: str, seen: str) -> None:
    assert normalise(raw) == seen


def test_a_chinese_sentence_after_an_at_sign_is_not_taken_for_a_name() -> None:
    text = "@京东客服你们的快递到底什么时候才能送到我已经等了整整一个星期了真的是太慢了太慢了吧"
    assert normalise(text) == text


def test_normalising_twice_changes_nothing_more() -> None:
    for text in ("@a @b http://x.co", "哈哈哈哈哈哈哈", "&amp;lt;", "  x  "):
        once = normalise(text)
        assert normalise(once) in (once, normalise("&lt;"))


@pytest.mark.parametrize(
    "text", ["", " ", "\x00\x01", "\ud800", "&#xD800;", "&#1114112;", "\ufeff"]
)
def test_what_holds_nothing_becomes_empty_or_harmless(text: str) -> None:
    assert len(normalise(text)) <= 1


def test_of_a_very_long_text_both_ends_are_read() -> None:
    text = "begin " + "ab " * 100_000 + " end"
    seen = normalise(text)
    assert len(seen) <= LONGEST + 1
    assert seen.startswith("begin")
    assert seen.endswith("end")


def test_emoticons_can_be_masked_and_other_brackets_stay() -> None:
    assert mask_emoticons("太好了[鼓掌][鼓掌] 真的") == "太好了 真的"
    assert mask_emoticons("[this is a longer remark]") == "[this is a longer remark]"


def test_windows_cover_a_text_without_a_gap() -> None:
    pieces = list(range(300))
    parts = windows(pieces, 126, 8)
    assert [len(part) for part in parts] == [126, 126, 126]
    assert {piece for part in parts for piece in part} == set(pieces)


def test_windows_of_an_endless_text_are_few_and_hold_its_ends() -> None:
    parts = windows(list(range(100_000)), 126, 8)
    assert len(parts) == 8
    assert parts[0][0] == 0
    assert parts[-1][-1] == 99_999


def test_a_short_text_is_one_window_and_an_empty_one_too() -> None:
    assert windows([1, 2], 126, 8) == [[1, 2]]
    assert windows([], 126, 8) == [[]]


def test_a_batch_holds_only_texts_of_one_padded_length() -> None:
    lengths = [3, 40, 16, 17, 5, 33, 128, 2]
    found = list(batches(lengths, 64))
    assert sorted(number for batch in found for number in batch) == list(range(len(lengths)))
    for batch in found:
        widths = {padded(lengths[number]) for number in batch}
        assert len(widths) == 1
        assert len(batch) * widths.pop() <= 64 or len(batch) == 1
