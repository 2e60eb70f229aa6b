from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.parquet
import pytest

from listeners.file_columns import Columns, resolve
from listeners.files import FileImport, ImportBatch, read_posts, rejects_path
from platforms.tables import TableError, TableWriter
from store.posts import Post
from tests.conftest import START


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def batches(path: Path, **options: Any) -> list[ImportBatch]:
    return list(read_posts(path, FileImport(**{"brand": "Acme", **options}), now=START))


def posts(path: Path, **options: Any) -> list[Post]:
    return [post for batch in batches(path, **options) for post, _ in batch.rows]


def rejected(path: Path) -> list[dict[str, str]]:
    with rejects_path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


STREAM = """\
tweet_id,author_id,inbound,brand,created_at,text,in_response_to_tweet_id
1,anna,True,Acme,2026-02-01T10:00:00Z,@acme my order is late,
2,acme_care,False,Acme,2026-02-01T10:07:00Z,@anna sorry to hear that,1
3,anna,True,Acme,2026-02-01T10:09:00Z,thanks,2.0
4,ben,True,,2026-02-01T10:11:00Z,no brand here,
"""


def test_a_support_stream_is_read_with_its_threads_and_directions(tmp_path: Path) -> None:
    path = put(tmp_path / "care.csv", STREAM)
    [batch] = list(read_posts(path, FileImport(), now=START))
    found = [post for post, _ in batch.rows]
    assert [brand for _, brand in batch.rows] == ["Acme"] * 3
    assert [post.external_id for post in found] == ["1", "2", "3"]
    assert [post.direction for post in found] == ["inbound", "outbound", "inbound"]
    assert [post.in_reply_to for post in found] == [None, "1", "2"]
    assert [post.conversation for post in found] == ["1", "1", "2"]
    assert [post.kind for post in found] == ["post", "reply", "reply"]
    assert found[1].posted_at == datetime(2026, 2, 1, 10, 7, tzinfo=UTC)
    assert found[1].author is not None
    assert found[1].author.handle == "acme_care"
    assert batch.rejected == 1
    assert rejected(path) == [
        {
            "row": "5",
            "reason": "brand: empty",
            "tweet_id": "4",
            "author_id": "ben",
            "inbound": "True",
            "brand": "",
            "created_at": "2026-02-01T10:11:00Z",
            "text": "no brand here",
            "in_response_to_tweet_id": "",
        }
    ]


def test_a_chinese_file_in_gb18030_needs_no_option_but_its_zone(tmp_path: Path) -> None:
    text = "编号,用户,品牌,方向,发布时间,正文,粉丝数\n" + "".join(
        f"w{n},小林{n},北光咖啡,{'发' if n % 2 else '收'},2026年2月1日 18:0{n},"
        "北光的燕麦拿铁很好喝,1.2万\n"
        for n in range(8)
    )
    path = put(tmp_path / "weibo.csv", text, "gb18030")
    found = posts(path, brand=None, zone=ZoneInfo("Asia/Shanghai"), platform="微博")
    assert len(found) == 8
    assert found[0].platform == "weibo"
    assert found[0].posted_at == datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
    assert [post.direction for post in found[:2]] == ["inbound", "outbound"]
    assert found[0].author is not None
    assert found[0].author.followers == 12_000


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-02-01T10:00:00Z", "2026-02-01T10:00:00+00:00"),
        ("2026-02-01T10:00:00.123+08:00", "2026-02-01T02:00:00.123000+00:00"),
        ("2026-02-01 10:00:00 +0100", "2026-02-01T09:00:00+00:00"),
        ("2026-02-01 10:00:00 UTC", "2026-02-01T10:00:00+00:00"),
        ("2026-02-01 10:00", "2026-02-01T09:00:00+00:00"),
        ("2026-2-1 9:05", "2026-02-01T08:05:00+00:00"),
        ("2026/02/01 10:00:00", "2026-02-01T09:00:00+00:00"),
        ("2026/2/1", "2026-01-31T23:00:00+00:00"),
        ("2026年2月1日 10:00", "2026-02-01T09:00:00+00:00"),
        ("Sun, 01 Feb 2026 10:00:00 -0500", "2026-02-01T15:00:00+00:00"),
        ("Sun, 01 Feb 2026 10:00:00 GMT", "2026-02-01T10:00:00+00:00"),
        ("Tue Oct 31 22:10:47 +0000 2017", "2017-10-31T22:10:47+00:00"),
        ("1769940000", "2026-02-01T10:00:00+00:00"),
        ("1769940000.5", "2026-02-01T10:00:00.500000+00:00"),
        ("1769940000000", "2026-02-01T10:00:00+00:00"),
        ("1769940000000000", "2026-02-01T10:00:00+00:00"),
        ("20260201100000", "2026-02-01T09:00:00+00:00"),
        ("20260201", "2026-01-31T23:00:00+00:00"),
        ("25/02/2026 10:00", "2026-02-25T09:00:00+00:00"),
        ("02/25/2026 10:00", "2026-02-25T09:00:00+00:00"),
        ("02/02/2026 3:30 PM", "2026-02-02T14:30:00+00:00"),
        ("1.2.2026 10:00", "2026-02-01T09:00:00+00:00"),
        ("Feb 1, 2026 10:00 AM", "2026-02-01T09:00:00+00:00"),
        ("1 February 2026", "2026-01-31T23:00:00+00:00"),
    ],
)
def test_times_are_read_as_people_and_programs_write_them(
    tmp_path: Path, written: str, moment: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "x", "time": written}))
    [post] = posts(path, zone=ZoneInfo("Europe/Berlin"))
    assert post.posted_at.isoformat() == moment
    assert post.posted_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "time: empty"),
        ("yesterday", "time: yesterday cannot be read"),
        ("03/04/2026 10:00", "time: 03/04/2026 10:00 could be day/month or month/day"),
        ("31/02/2026", "time: 31/02/2026 is no date"),
        ("2025-10-26 02:30", "falls where the clocks of Europe/Berlin change"),
        ("2025-03-30 02:30", "falls where the clocks of Europe/Berlin change"),
        ("Sun, 01 Feb 2026 10:00:00 CST", "cannot be read"),
        ("2026-02-31", "time: 2026-02-31 cannot be read"),
        ("12345", "time: 12345 cannot be read"),
        ("2031-01-01", "lies before 1990 or in the future"),
        ("1970-01-01T00:00:00Z", "lies before 1990 or in the future"),
    ],
)
def test_a_time_that_is_wrong_or_unclear_goes_to_the_rejects(
    tmp_path: Path, written: str, reason: str
) -> None:
    path = put(tmp_path / "a.csv", f'text,time\nfine,2026-02-01\nbad,"{written}"\n')
    [batch] = batches(path, zone=ZoneInfo("Europe/Berlin"))
    assert [post.text for post, _ in batch.rows] == ["fine"]
    assert reason in rejected(path)[0]["reason"]


def test_an_unclear_day_and_month_is_read_when_the_person_says_which(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,time\nx,02/01/2026\n")
    assert posts(path, day_first=True)[0].posted_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert posts(path, day_first=False)[0].posted_at == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "value", "direction"),
    [
        ("inbound", "True", "inbound"),
        ("inbound", "0", "outbound"),
        ("is_outbound", "true", "outbound"),
        ("from_brand", "no", "inbound"),
        ("direction", "Outgoing", "outbound"),
        ("direction", "incoming", "inbound"),
        ("方向", "收", "inbound"),
        ("方向", "发", "outbound"),
        ("direction", "客服", "outbound"),
    ],
)
def test_directions_are_understood(tmp_path: Path, column: str, value: str, direction: str) -> None:
    path = put(tmp_path / "a.csv", f"text,time,{column}\nx,2026-02-01,{value}\n")
    assert posts(path, columns=Columns(direction=column))[0].direction == direction


def test_true_and_false_from_parquet_are_directions_too(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = {"text": ["a", "b"], "time": [START, START], "inbound": [True, False], "id": [7, 8]}
    pyarrow.parquet.write_table(pyarrow.table(table), path)
    assert [(post.external_id, post.direction) for post in posts(path)] == [
        ("7", "inbound"),
        ("8", "outbound"),
    ]


def test_nanosecond_times_from_parquet_become_plain_times(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    times = pyarrow.array([1769940000123456789], pyarrow.timestamp("ns", tz="UTC"))
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"], "time": times}), path)
    [post] = posts(path)
    assert type(post.posted_at) is datetime
    assert post.posted_at == datetime(2026, 2, 1, 10, 0, 0, 123456, tzinfo=UTC)


def test_rows_with_a_reason_each_go_to_the_rejects_and_the_rest_is_imported(
    tmp_path: Path,
) -> None:
    path = put(
        tmp_path / "a.csv",
        "id,text,time,direction\n"
        "1,good,2026-02-01,inbound\n"
        "2, ,2026-02-01,inbound\n"
        "3,bad way,2026-02-01,sideways\n"
        "4,no way,2026-02-01,\n"
        "1.2E+17,rounded,2026-02-01,inbound\n"
        "6,=HYPERLINK(1),soon,inbound\n"
        "7,too,many,cells,here\n"
        "8,fine,2026-02-01,out\n",
    )
    [batch] = batches(path)
    assert [post.external_id for post, _ in batch.rows] == ["1", "8"]
    assert batch.rejected == 6
    assert [(row["row"], row["reason"]) for row in rejected(path)] == [
        ("3", "text: empty"),
        ("4", "direction: 'sideways' is neither inbound nor outbound"),
        ("5", "direction: empty"),
        ("6", "id: 1.2E+17 was rounded by a spreadsheet; export it as text"),
        ("7", "time: soon cannot be read"),
        ("8", "5 cells, but the header has 4"),
    ]
    assert rejected(path)[4]["text"] == "'=HYPERLINK(1)"


def test_rows_of_nothing_but_delimiters_are_neither_posts_nor_rejects(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "id,text,time\n1,a,2026-02-01\n,,\n,,\n")
    [batch] = batches(path)
    assert (len(batch.rows), batch.rejected) == (1, 0)
    assert not rejects_path(path).exists()


def test_corrected_rejects_can_be_imported_and_get_their_own_text_back(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "id,text,time\n6,=SUM(1) sent me here,soon\n")
    batches(path)
    second = rejects_path(path)
    second.write_text(second.read_text().replace("soon", "2026-02-01"))
    [post] = posts(second)
    assert (post.external_id, post.text) == ("6", "=SUM(1) sent me here")


def test_no_rejects_file_is_left_when_everything_fits(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,time\nx,2026-02-01\n")
    rejects_path(path).write_text("from an earlier run")
    assert batches(path)[0].rejected == 0
    assert not rejects_path(path).exists()


def test_a_row_without_an_id_keeps_the_same_one_in_every_run(tmp_path: Path) -> None:
    rows = "same,2026-02-01\nother,2026-02-01\nsame,2026-02-01\nsame,2026-02-02\n"
    path = put(tmp_path / "a.csv", "text,time\n" + rows)
    first = [post.external_id for post in posts(path)]
    assert len(set(first)) == 4
    assert first[0][:-1] == first[2][:-1]
    assert (first[0][-2:], first[2][-2:]) == ("-1", "-2")
    copy = put(tmp_path / "renamed.csv", "text,time\n" + rows + "one more,2026-02-03\n")
    assert [post.external_id for post in posts(copy)][:4] == first


def test_one_text_under_two_brands_is_one_mention_of_both(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,time,brand\nx,2026-02-01,Acme\nx,2026-02-01,Bolt\n")
    [batch] = batches(path)
    assert batch.rows[0][0] == batch.rows[1][0]
    assert [brand for _, brand in batch.rows] == ["Acme", "Bolt"]


def test_a_guessed_id_that_only_numbers_the_rows_is_no_identity(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "id,text,time\n0,a,2026-02-01\n1,b,2026-02-01\n")
    assert all(post.external_id.startswith("row-") for post in posts(path))
    told = posts(path, columns=Columns(id="id"))
    assert [post.external_id for post in told] == ["0", "1"]


def test_the_brand_option_fills_empty_brand_cells(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,time,brand\na,2026-02-01,Bolt\nb,2026-02-01,\n")
    [batch] = batches(path, brand="Acme")
    assert [brand for _, brand in batch.rows] == ["Bolt", "Acme"]


def test_a_wrong_column_name_is_answered_with_the_nearest_and_with_all_there_are(
    tmp_path: Path,
) -> None:
    path = put(tmp_path / "reviews.csv", "review_id,review_text,stars\n1,x,5\n")
    with pytest.raises(
        TableError,
        match=r'--text-column: reviews\.csv has no column "reveiw_txt"\. '
        r'Did you mean "review_text"\? Its columns are: review_id, review_text, stars\.',
    ):
        batches(path, columns=Columns(text="reveiw_txt"))


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("a,b", {}, r"no column that looks like the text of a post.*--text-column"),
        ("text,b", {}, r"no column that looks like a time.*--time-column"),
        ("text,time", {"brand": None}, r"Give --brand NAME, or --brand-column"),
        ("text,time", {"platform": "my place!"}, r"--platform: 'my place!' is no platform's name"),
        ("text,time", {"platform": "demo"}, r"--platform: demo is kept"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_read(
    tmp_path: Path, header: str, options: dict[str, Any], message: str
) -> None:
    path = put(tmp_path / "a.csv", header + "\n1,2\n")
    with pytest.raises(TableError, match=message):
        batches(path, **options)
    assert not rejects_path(path).exists()


def test_the_file_that_is_imported_is_never_overwritten_by_its_rejects(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,time\nx,\n")
    with pytest.raises(TableError, match="--rejects names the file that is imported"):
        batches(path, rejects=path)
    assert path.read_text() == "text,time\nx,\n"


def test_a_file_without_times_takes_one_time_for_all(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text\na\nb\n")
    first = posts(path, time=START)
    later = posts(path, time=START + timedelta(days=1))
    assert {post.posted_at for post in first} == {START}
    assert [post.external_id for post in first] == [post.external_id for post in later]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl.gz", "a.parquet", "a.xlsx"])
def test_every_format_gives_the_same_posts(tmp_path: Path, name: str) -> None:
    rows = [
        {"id": f"p{n}", "text": f"第{n}条 “text”, yes", "time": "2026-02-01T10:00:00Z", "likes": n}
        for n in range(1_203)
    ]
    with TableWriter(tmp_path / name, list(rows[0])) as table:
        table.write(rows)
    found = batches(tmp_path / name)
    assert [len(batch.rows) for batch in found] == [500, 500, 203]
    assert found[-1].progress > 0.99
    all_posts = [post for batch in found for post, _ in batch.rows]
    assert [post.external_id for post in all_posts] == [row["id"] for row in rows]
    assert all_posts[1202].text == "第1202条 “text”, yes"
    assert all_posts[1202].engagement == {"likes": 1202}


def test_progress_is_told_after_every_page(tmp_path: Path) -> None:
    rows = "".join(f"text number {n},2026-02-01\n" for n in range(60_000))
    path = put(tmp_path / "a.csv", "text,time\n" + rows)
    told: list[tuple[int, int]] = []
    for _ in read_posts(
        path,
        FileImport(brand="A"),
        now=START,
        on_progress=lambda done, all_: told.append((done, all_)),
    ):
        pass
    assert len(told) == 120
    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_hostile_cells_are_stored_as_plain_short_text(tmp_path: Path) -> None:
    row = {
        "id": "1",
        "text": "a\ud800b\u0000c" + "x" * 200_000,
        "time": "2026-02-01",
        "url": "javascript:alert(1)",
        "lang": "zh-Hans-CN",
        "likes": "many",
    }
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row))
    [post] = posts(path)
    assert post.text.startswith("a?bcxxx")
    assert len(post.text) == 100_000
    assert (post.url, post.language, dict(post.engagement)) == (None, "zh", {})


def test_columns_are_guessed_from_their_names_in_both_languages() -> None:
    english = resolve(Columns(), ["Tweet ID", "Full-Text", "Created At", "Screen_Name"], "f")
    assert (english.id, english.text, english.time, english.author) == (
        "Tweet ID",
        "Full-Text",
        "Created At",
        "Screen_Name",
    )
    chinese = resolve(Columns(), ["微博正文", "发布时间", "昵称", "品牌"], "f")
    assert (chinese.text, chinese.time, chinese.author_name, chinese.brand) == (
        "微博正文",
        "发布时间",
        "昵称",
        "品牌",
    )


def test_no_column_is_used_twice() -> None:
    names = ["text", "comment", "content", "id", "user_id", "date"]
    found = resolve(Columns(text="comment"), names, "f")
    used = Counter(
        value for value in (getattr(found, field) for field in Columns.__slots__) if value
    )
    assert found.text == "comment"
    assert max(used.values()) == 1
