from pathlib import Path

import pandas as pd
import pytest

from sentiment.base import ModelError
from sentiment.training import sets
from sentiment.training.sets import Amount, Row, bits


def save(folder: Path, stem: str, **columns: list[str]) -> None:
    pd.DataFrame(columns).to_csv(folder / f"{stem}.csv.gz", index=False)


def read(folder: Path, stem: str) -> list[Row]:
    return list(sets.SETS[stem](folder))


def test_non_commercial_sets_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "en_care_stream_NC", text=["my bag is gone"], label=["complaint"])
    with pytest.raises(ModelError, match="non-commercial"):
        sets.table(tmp_path, "en_care_stream_NC")
    with pytest.raises(ModelError, match="non-commercial"):
        list(sets.labelled_file(tmp_path / "en_care_stream_NC.csv.gz"))


def test_no_reader_is_for_a_non_commercial_set() -> None:
    assert not [name for name in sets.SETS if name.endswith(sets.NON_COMMERCIAL)]


def test_a_missing_set_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no zh_hotel\.csv"):
        read(tmp_path, "zh_hotel")


def test_care_posts_under_a_non_commercial_licence_are_for_validation_only(tmp_path: Path) -> None:
    texts = [f"post number {'x' * n}" for n in range(40)]
    save(
        tmp_path,
        "reader_labels",
        text=texts,
        source=["twcs"] * 40,
        lang=["en"] * 40,
        sentiment=["negative"] * 40,
        intent=["complaint"] * 40,
        urgency=["2"] * 40,
        unsure=["0"] * 40,
    )
    assert all(row.held_out for row in read(tmp_path, "reader_labels"))


def test_emotions_are_mapped_and_surprise_has_no_sentiment(tmp_path: Path) -> None:
    save(
        tmp_path,
        "zh_smp2020_usual",
        text=["气死了", "吓一跳", "开心"],
        label=["angry", "surprise", "happy"],
        split=["train", "train", "val"],
    )
    angry, surprise, happy = read(tmp_path, "zh_smp2020_usual")
    assert angry.emotion == bits("emotion", "anger")
    assert angry.sentiment == bits("sentiment", "negative")
    assert surprise.sentiment == 0
    assert happy.held_out
    assert not angry.held_out


def test_no_complaint_means_one_of_the_other_four(tmp_path: Path) -> None:
    save(
        tmp_path,
        "en_complaints_severity",
        text=["a b c", "d e f"],
        label=["complaint", "not_complaint"],
    )
    yes, no = read(tmp_path, "en_complaints_severity")
    assert yes.intent == bits("intent", "complaint")
    assert no.intent == bits("intent", "enquiry", "suggestion", "praise", "other")
    assert no.sentiment == 0


def test_emoticons_are_masked_where_they_made_the_label(tmp_path: Path) -> None:
    save(tmp_path, "zh_weibo_senti_part", text=["这个真的太好看了[鼓掌]"], label=["positive"])
    (row,) = read(tmp_path, "zh_weibo_senti_part")
    assert row.text == "这个真的太好看了"


def test_no_text_is_on_both_sides_and_none_twice(tmp_path: Path) -> None:
    texts = [f"tweet about matter {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(200)]
    save(tmp_path, "en_semeval2017", text=texts + texts[:50], label=["neutral"] * 250)
    save(
        tmp_path,
        "en_tweeteval_val",
        text=[t.upper() + "!" for t in texts[:20]],
        label=["neutral"] * 20,
    )
    training, held_out = sets.load(tmp_path, {"en_semeval2017": Amount()})
    own = [row for row in training if row.source == "en_semeval2017"]
    keys = [sets.key(row.text) for row in own]
    assert len(keys) == len(set(keys))
    assert not set(keys) & {sets.key(row.text) for row in held_out}
    assert not set(keys) & {sets.key(text) for text in texts[:20]}
    assert 0.05 < (180 - len(own)) / 180 < 0.3


def test_a_sample_is_even_over_labels_and_always_the_same(tmp_path: Path) -> None:
    texts = [f"words {chr(97 + n // 26)}{chr(97 + n % 26)} here" for n in range(400)]
    labels = ["positive"] * 340 + ["negative"] * 60
    save(tmp_path, "en_semeval2017", text=texts, label=labels)
    save(tmp_path, "en_tweeteval_val", text=["z"], label=["neutral"])
    mix = {"en_semeval2017": Amount(80)}
    first, _ = sets.load(tmp_path, mix)
    again, _ = sets.load(tmp_path, mix)
    assert first == again
    own = [row for row in first if row.source == "en_semeval2017"]
    negative = [row for row in own if row.sentiment == bits("sentiment", "negative")]
    assert len(own) == 80
    assert len(negative) == 40


def test_a_set_may_be_shown_several_times(tmp_path: Path) -> None:
    save(tmp_path, "en_semeval2017", text=["hello there", "good day"], label=["neutral"] * 2)
    save(tmp_path, "en_tweeteval_val", text=["z"], label=["neutral"])
    training, _ = sets.load(tmp_path, {"en_semeval2017": Amount(times=3)})
    own = [row.text for row in training if row.source == "en_semeval2017"]
    assert len(own) == 3 * len(set(own))


def test_own_files_may_leave_cells_empty_and_name_bad_labels(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_text("text,sentiment,intent\nslow,negative,\nhow?,,enquiry\n")
    slow, how = sets.labelled_file(path)
    assert (slow.sentiment, slow.intent) == (bits("sentiment", "negative"), 0)
    assert (how.sentiment, how.intent) == (0, bits("intent", "enquiry"))
    path.write_text("text,sentiment\nslow,angry\n")
    with pytest.raises(ModelError, match="sentiment cannot be 'angry'"):
        list(sets.labelled_file(path))
    path.write_text("message\nslow\n")
    with pytest.raises(ModelError, match="no column named text"):
        list(sets.labelled_file(path))


def test_the_posts_written_for_the_project_name_every_label() -> None:
    rows = list(sets.written_posts())
    for head in ("sentiment", "intent", "urgency"):
        found = {getattr(row, head) for row in rows}
        assert found == {1 << i for i in range(len(sets.HEADS[head]))}
    assert {"zh", "en", "de", "fr", "es", "it", "pt", "ja", "ar", "hi"} == {
        r.language for r in rows
    }
    assert len({sets.key(row.text) for row in rows}) == len(rows)
