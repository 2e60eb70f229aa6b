from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from platforms.tables import Row, TableError, open_table


def read(path: Path, **options: Any) -> list[Row]:
    with open_table(path, **options) as table:
        return [row for chunk in table.chunks() for row in chunk]


def put(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_a_csv_gives_its_rows_numbered_as_a_spreadsheet_counts(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'id,text\r\n1,"Hi, all"\r\n\r\n2,"two\r\nlines"\r\n3,x')
    rows = read(path)
    assert [row.number for row in rows] == [2, 4, 5]
    assert [row.cells["text"] for row in rows] == ["Hi, all", "two\r\nlines", "x"]
    assert not any(row.problem for row in rows)


CHINESE = (
    "编号,内容\n1,门店服务特别好，下次还会再来\n2,退款等了三天还没有到账\n3,请问北京有几家门店？\n"
    * 6
)
FRENCH = "id;text\n1;Le café était très bon, mercí à l'équipe\n2;Déçu par la qualité reçue\n" * 6


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("utf-8", CHINESE),
        ("utf-8-sig", CHINESE),
        ("utf-16", CHINESE),
        ("utf-16-le", FRENCH),
        ("utf-16-be", FRENCH),
        ("gb18030", CHINESE),
        ("latin-1", FRENCH),
        ("utf-8", FRENCH),
    ],
)
def test_the_encoding_is_found_without_being_told(tmp_path: Path, written: str, text: str) -> None:
    rows = read(put(tmp_path / "a.csv", text, written))
    first = "门店服务特别好，下次还会再来" if text is CHINESE else text.split("\n")[1][2:]
    assert list(rows[0].cells.values()) == ["1", first]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("gb18030", "内容\n服务太差了\n"),
        ("gb18030", "id,text,time\n1,退款三天没到账,2026-01-01\n"),
        ("gb18030", "品牌,评论\n北光,很好\n港湾,一般般\n"),
        ("gb18030", "text\n好\n"),
        ("gb18030", "text\nok\n退款三天没到账"),
        ("cp1252", "id,text\n1,Très déçu\n"),
        ("cp1252", "text\ncafé\n"),
        ("cp1252", "text\nI can’t believe it’s “free” – thanks…\n"),
        ("cp1252", "id;texto\n1;¿Dónde está mi pedido? Qué vergüenza\n"),
        ("big5", "編號,內容\n1,服務太差了，退款三天還沒到\n2,很好喝，下次再來\n"),
        ("shift_jis", "番号,本文\n1,とても美味しかったです\n2,返金はいつですか\n"),
        ("euc_jp", "番号,本文\n1,とても美味しかったです\n2,返金はいつですか\n"),
        ("euc_kr", "번호,내용\n1,서비스가 너무 나빠요\n2,정말 맛있어요\n"),
        ("cp1251", "id,текст\n1,Очень плохо работает приложение\n2,Спасибо большое\n"),
    ],
)
def test_the_encoding_of_a_few_words_is_found_too(tmp_path: Path, written: str, text: str) -> None:
    path = put(tmp_path / "a.csv", text, written)
    with open_table(path) as table:
        rows = [list(row.cells.values()) for chunk in table.chunks() for row in chunk]
    assert [list(table.columns), *rows] == [
        re.split("[;,]", line) for line in text.strip().split("\n")
    ]


def test_a_named_encoding_overrules_what_seems_likely(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text\nпривет всем\n", "koi8-r")
    assert read(path, encoding="koi8-r")[0].cells == {"text": "привет всем"}


def test_an_unknown_encoding_is_refused_with_the_flag_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="--encoding: 'klingon' is not known"):
        read(put(tmp_path / "a.csv", "text\nx\n"), encoding="klingon")


def test_chinese_that_only_begins_far_down_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(
        b"id,text\n"
        + b"1,plain ascii words only\n" * 20_000
        + "2,退款太慢了，客服不理人\n".encode("gb18030") * 9_000
    )
    rows = read(path)
    assert rows[-1].cells["text"] == "退款太慢了，客服不理人"
    assert rows[0].cells["text"] == "plain ascii words only"


@pytest.mark.parametrize("lines", [10_000, 40_000])
def test_a_last_line_without_an_end_counts_for_the_encoding(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n" + b"1,plain words\n" * lines + "2,déçu".encode("cp1252"))
    assert read(path)[-1].cells["text"] == "déçu"


def test_bytes_that_the_encoding_does_not_know_are_counted_and_the_row_is_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\nfine\nbro\xffken\nfine too\n")
    with open_table(path, encoding="utf-8") as table:
        rows = [row.cells["text"] for chunk in table.chunks() for row in chunk]
        assert rows == ["fine", "bro�ken", "fine too"]
        assert table.damaged_lines == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_even_where_texts_hold_commas(
    tmp_path: Path, delimiter: str
) -> None:
    lines = [["id", "text", "n"], ["1", '"Well, well, well; ok"', "3"], ["2", '"a, b"', "4"]]
    path = put(tmp_path / "a.csv", "\n".join(delimiter.join(line) for line in lines))
    assert [row.cells for row in read(path)] == [
        {"id": "1", "text": "Well, well, well; ok", "n": "3"},
        {"id": "2", "text": "a, b", "n": "4"},
    ]


def test_one_column_of_prose_is_one_column(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text\nGood coffee; bad queue\nNice\n")
    assert read(path)[0].cells == {"text": "Good coffee; bad queue"}


def test_a_quotation_mark_that_is_never_closed_costs_one_row_only(tmp_path: Path) -> None:
    good = "".join(f"{n},fine {n}\n" for n in range(5_000))
    rows = read(put(tmp_path / "a.csv", 'id,text\n0,"oops\n' + good))
    assert rows[0].problem == "a quotation mark is opened and not closed"
    assert rows[0].cells == {"id": '0,"oops'}
    assert len(rows) == 5_001
    assert rows[-1].cells == {"id": "4999", "text": "fine 4999"}
    assert rows[-1].number == 5_002


def test_two_stray_quotation_marks_do_not_swallow_the_rows_between(tmp_path: Path) -> None:
    text = 'id,text,n\n1,"open,5\n2,middle,6\n3,"closed",7\n4,last,8\n'
    rows = read(put(tmp_path / "a.csv", text))
    assert [row.cells.get("text") for row in rows if not row.problem] == [
        "middle",
        "closed",
        "last",
    ]
    assert [row.number for row in rows if row.problem] == [2]


def test_quotation_marks_inside_a_quoted_cell_do_not_cost_the_row(tmp_path: Path) -> None:
    rows = read(put(tmp_path / "a.csv", 'id,text\n1,"he said "wow" and left"\n2,"ok ""fine"" "\n'))
    assert [row.problem for row in rows] == ["", ""]
    assert rows[0].cells["text"] == 'he said wow" and left"'
    assert rows[1].cells["text"] == 'ok "fine" '


def test_a_tsv_takes_quotation_marks_as_text_where_quoting_makes_no_sense(tmp_path: Path) -> None:
    text = 'id\ttext\n1\t"best coffee ever\n2\tfine\n'
    rows = read(put(tmp_path / "a.tsv", text))
    assert [row.cells["text"] for row in rows] == ['"best coffee ever', "fine"]


def test_a_row_with_too_many_cells_says_so_and_one_with_too_few_is_filled(tmp_path: Path) -> None:
    rows = read(put(tmp_path / "a.csv", "id,text\n1,a,b\n2\n3,c,,\n"), delimiter=",")
    assert rows[0].problem == "3 cells, but the header has 2"
    assert rows[1].cells == {"id": "2", "text": ""}
    assert rows[2].problem == ""


def test_rows_of_empty_cells_are_rows_and_blank_lines_are_none(tmp_path: Path) -> None:
    rows = read(put(tmp_path / "a.csv", "id,text\n1,a\n,\n\n2,b\n"))
    assert [(row.number, row.cells["id"]) for row in rows] == [(2, "1"), (3, ""), (5, "2")]
    one = read(put(tmp_path / "one.csv", 'text\na\n""\nb\n'))
    assert [row.cells["text"] for row in one] == ["a", "", "b"]


def test_a_cell_of_three_megabytes_is_read_and_nul_bytes_go(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", f"id,text\n1,{'x' * 3_000_000}\n2,a\0b\n")
    rows = read(path)
    assert len(rows[0].cells["text"]) == 3_000_000
    assert rows[1].cells["text"] == "ab"


def test_a_line_without_end_is_skipped_and_reading_goes_on(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", f"id,text\n1,{'x' * 17 * 2**20}\n2,fine\n")
    rows = read(path)
    assert [row.problem for row in rows] == ["the line is too long to be a row", ""]
    assert rows[1].cells == {"id": "2", "text": "fine"}


def test_names_that_occur_twice_or_are_missing_are_told_apart(tmp_path: Path) -> None:
    with open_table(put(tmp_path / "a.csv", "text,,text\na,b,c\n")) as table:
        assert table.columns == ["text", "column 2", "text (2)"]


def test_json_lines_keep_their_types_and_name_broken_lines(tmp_path: Path) -> None:
    path = put(
        tmp_path / "a.jsonl", '{"n": 1, "t": "好"}\n\nnonsense\n[1]\n{"t": null, "late": 2}\n'
    )
    rows = read(path)
    assert [row.number for row in rows] == [1, 3, 4, 5]
    assert rows[0].cells == {"n": 1, "t": "好"}
    assert rows[1].problem.startswith("the line is not JSON")
    assert rows[2].problem == "the line is JSON but no object with names and values"
    assert rows[3].cells == {"t": None, "late": 2}


def test_deeply_nested_json_breaks_its_own_line_only(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", '{"t": 1}\n' + "[" * 200_000 + '\n{"t": 2}\n')
    assert [bool(row.problem) for row in read(path)] == [False, True, False]


def test_keys_that_first_appear_far_down_are_found_when_asked_for(tmp_path: Path) -> None:
    lines = [json.dumps({"t": n}) for n in range(2_000)] + ['{"t": 1, "rare": true}']
    with open_table(put(tmp_path / "a.ndjson", "\n".join(lines))) as table:
        assert table.columns == ["t"]
        assert table.all_columns() == ["t", "rare"]


def test_packed_text_is_read_and_progress_goes_from_0_to_1(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(
        gzip.compress(b"id,text\n" + b"".join(b"%d,t%d\n" % (n, n) for n in range(90_000)))
    )
    seen = []
    with open_table(path) as table:
        count = 0
        for chunk in table.chunks():
            count += len(chunk)
            seen.append(table.progress)
    assert count == 90_000
    assert seen == sorted(seen)
    assert seen[0] < 0.9
    assert seen[-1] == 1.0


def test_a_packed_file_that_is_cut_off_gives_its_rows_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    whole = gzip.compress(b"id,text\n" + b"".join(b"%d,%d\n" % (n, n**7) for n in range(200_000)))
    path.write_bytes(whole[: len(whole) // 2])
    read_before = 0
    with (
        open_table(path) as table,
        pytest.raises(TableError, match=r"a\.csv\.gz is cut off or damaged"),
    ):
        for chunk in table.chunks():
            read_before += len(chunk)
    assert 50_000 < read_before < 200_000


def test_parquet_keeps_types_and_counts_rows_from_1(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(
        pyarrow.table({"id": list(range(1_200)), "text": [f"t{n}" for n in range(1_200)]}), path
    )
    with open_table(path) as table:
        sizes = [len(chunk) for chunk in table.chunks(500)]
        assert table.columns == ["id", "text"]
        assert table.progress == 1.0
    assert sizes == [500, 500, 200]
    assert read(path)[0] == Row(1, {"id": 0, "text": "t0"})


def test_a_spreadsheet_is_read_from_its_first_row_that_holds_something(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for cells in ([None, None], ["id", "内容"], [1, "好喝"], [None, None], [2, "一般"]):
        sheet.append(cells)
    path = tmp_path / "a.xlsx"
    book.save(path)
    rows = read(path)
    assert [(row.number, dict(row.cells)) for row in rows] == [
        (3, {"id": 1, "内容": "好喝"}),
        (5, {"id": 2, "内容": "一般"}),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n\n", "no header line"),
        ("a.parquet", b"PAR0 nothing", "is not a PARQUET file"),
        ("a.xlsx", b"PK nothing", "is not a XLSX file"),
        ("a.csv.gz", b"not packed", "is not a CSV file"),
        ("a.jsonl", b"id,text\n1,x\n", "No line of the file's beginning is a JSON object"),
        ("a.xls", b"x", r"Save the old Excel file as \.xlsx"),
        ("a.doc", b"x", r"one of \.csv"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere\.csv: there is no such file"):
        read(tmp_path / "nowhere.csv")
