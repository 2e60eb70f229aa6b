"""Readers of labelled sets: each turns a public set into rows for the four heads.

A set rarely says everything.  Each row therefore carries, for each head, the *set of labels that
are possible* as bits: one bit is a plain label, several are partial knowledge ("no complaint" is
the other four intents), none is no knowledge.  The loss asks for probability on the possible
labels and leaves open which (Jin & Ghahramani 2002, "Learning with multiple labels").

The readers take a folder that holds the sets as CSV (gzip or not) under the names used here,
with a ``text`` and a ``label`` column, searched in its subfolders too.
"""

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sentiment.base import Emotion, Intent, ModelError, Sentiment
from sentiment.text import mask_emoticons, normalise

NON_COMMERCIAL = "_NC"
HELD_OUT = 0.15
URGENCIES = ("0", "1", "2", "3")
HEADS: dict[str, tuple[str, ...]] = {
    "sentiment": tuple(Sentiment),
    "intent": tuple(Intent),
    "emotion": tuple(Emotion),
    "urgency": URGENCIES,
}
"""The heads in the order of the network's outputs, with their labels."""

_LETTERS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One text and what is known of it; ``held_out`` rows are for validation only."""

    text: str
    source: str
    language: str
    sentiment: int = 0
    intent: int = 0
    emotion: int = 0
    urgency: int = 0
    weight: float = 1.0
    held_out: bool = False


def bits(head: str, *labels: str) -> int:
    """The bits of ``labels`` among the labels of ``head``; unknown names raise ``ValueError``."""
    return sum(1 << HEADS[head].index(label) for label in set(labels))


def key(text: str) -> str:
    """What two texts have in common when they differ only in signs, case, names or links."""
    letters = _LETTERS.sub("", normalise(text).replace("@user", "").replace("http", ""))
    return letters.lower() or text


def share(text: str, salt: str = "") -> float:
    """A number in 0..1 that depends only on the letters of the text: chooses samples and parts."""
    digest = hashlib.sha256((salt + key(text)).encode("utf-8", "ignore")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def is_held_out(text: str) -> bool:
    """Whether a text belongs to the 15 % that are never trained on."""
    return share(text, "part:") < HELD_OUT


def table(folder: Path, stem: str) -> pd.DataFrame:
    """The set ``stem`` somewhere under ``folder``.  Refuses sets marked as non-commercial."""
    if stem.endswith(NON_COMMERCIAL):
        raise ModelError(
            f"{stem} is licensed for non-commercial use only: evaluate with it, never train on it"
        )
    for ending in (".csv.gz", ".csv"):
        found = sorted(folder.rglob(stem + ending))
        if found:
            frame = pd.read_csv(found[0], dtype=str, keep_default_na=False)
            return frame[frame["text"].str.strip() != ""]
    raise ModelError(f"no {stem}.csv(.gz) under {folder}: fetch the set or leave it out")


SENTIMENT = {label.value: bits("sentiment", label) for label in Sentiment}
NOT_COMPLAINT = bits("intent", "enquiry", "suggestion", "praise", "other")
PASSIVE = bits("intent", "other", "enquiry", "suggestion")
NEEDS_REPLY = bits("urgency", "1", "2", "3")
LEISURE = bits("urgency", "0")
ABOUT_BRAND = {
    "negative": bits("intent", "complaint", "other", "enquiry"),
    "neutral": PASSIVE,
    "positive": bits("intent", "praise", "other"),
}
REVIEW = {"negative": bits("intent", "complaint"), "positive": bits("intent", "praise")}
REVIEW_URGENCY = {"negative": NEEDS_REPLY, "positive": LEISURE}


def _tweets(stem: str, intents: dict[str, int]) -> Callable[..., Iterator[Row]]:
    def read(folder: Path) -> Iterator[Row]:
        for row in table(folder, stem).to_dict("records"):
            label, text = str(row["label"]), str(row["text"])
            if label in SENTIMENT:
                held_out = row["split"] == "val" if stem == "multi_umsab" else is_held_out(text)
                yield Row(
                    text,
                    stem,
                    str(row.get("lang", "en")),
                    sentiment=SENTIMENT[label],
                    intent=intents.get(label, 0),
                    held_out=held_out,
                )

    return read


def _reviews(stem: str, all_held_out: bool = False) -> Callable[..., Iterator[Row]]:
    def read(folder: Path) -> Iterator[Row]:
        for row in table(folder, stem).to_dict("records"):
            label, text = str(row["label"]), str(row["text"])
            yield Row(
                text,
                stem,
                "zh",
                sentiment=SENTIMENT[label],
                intent=REVIEW[label],
                urgency=REVIEW_URGENCY[label],
                held_out=all_held_out or is_held_out(text),
            )

    return read


EMOTIONS = {
    "angry": ("anger", "negative"),
    "anger": ("anger", "negative"),
    "disgust": ("anger", "negative"),
    "sad": ("sadness", "negative"),
    "sadness": ("sadness", "negative"),
    "fear": ("fear", "negative"),
    "happy": ("joy", "positive"),
    "joy": ("joy", "positive"),
    "gratitude": ("joy", "positive"),
    "surprise": ("surprise", ""),
    "neutral": ("neutral", "neutral"),
}


def _emotions(stem: str, language: str, sentiments: bool) -> Callable[..., Iterator[Row]]:
    def read(folder: Path) -> Iterator[Row]:
        for row in table(folder, stem).to_dict("records"):
            label, text = str(row["label"]), str(row["text"])
            if label not in EMOTIONS:
                continue
            emotion, sentiment = EMOTIONS[label]
            parts = "val" if stem.startswith("zh_smp") else "test"
            held_out = row["split"] == parts if "split" in row else is_held_out(text)
            yield Row(
                text,
                stem,
                language,
                sentiment=SENTIMENT.get(sentiment, 0) if sentiments else 0,
                emotion=bits("emotion", emotion),
                # Personal microblogs: sorrow and joy are not about a brand's performance.
                intent=0 if emotion == "anger" else NOT_COMPLAINT,
                held_out=held_out,
            )

    return read


def weibo2018(folder: Path) -> Iterator[Row]:
    """Hand-labelled Weibo posts, two classes."""
    for row in table(folder, "zh_weibo2018").to_dict("records"):
        label, text = str(row["label"]), str(row["text"])
        yield Row(
            text, "zh_weibo2018", "zh", sentiment=SENTIMENT[label], held_out=is_held_out(text)
        )


def masked_weibo(folder: Path) -> Iterator[Row]:
    """Weibo posts whose labels were read off their emoticons, which are therefore masked."""
    for row in table(folder, "zh_weibo_senti_part").to_dict("records"):
        text = mask_emoticons(str(row["text"]))
        if len(text) >= 6:
            yield Row(
                text,
                "zh_weibo_senti_part",
                "zh",
                sentiment=SENTIMENT[str(row["label"])],
                weight=0.5,
                held_out=is_held_out(text),
            )


def complaints_severity(folder: Path) -> Iterator[Row]:
    """Tweets that complain or do not; the severity is taken only as "wants a reply"."""
    for row in table(folder, "en_complaints_severity").to_dict("records"):
        text, complains = str(row["text"]), row["label"] == "complaint"
        yield Row(
            text,
            "en_complaints_severity",
            "en",
            intent=bits("intent", "complaint") if complains else NOT_COMPLAINT,
            sentiment=bits("sentiment", "negative", "neutral") if complains else 0,
            urgency=NEEDS_REPLY if complains else bits("urgency", "0", "1"),
            held_out=is_held_out(text),
        )


def banking77(folder: Path) -> Iterator[Row]:
    """Questions of bank customers."""
    for row in table(folder, "en_banking77").to_dict("records"):
        text = str(row["text"])
        yield Row(
            text,
            "en_banking77",
            "en",
            intent=bits("intent", "enquiry"),
            urgency=bits("urgency", "1", "2"),
            held_out=is_held_out(text),
        )


_PRAISED = re.compile(r"\b(love|great|excellent|awesome|amazing|perfect|best|fantastic)\b", re.I)
_SPOILED = re.compile(
    r"\b(but|not?|never|however|except|worst|wish|would|should|hate|bad|bug\w*|\w+n[’']?t)\b", re.I
)


def app_reviews(folder: Path) -> Iterator[Row]:
    """Reviews of apps: a bug report complains, a feature request suggests.

    Of the bare ratings, which carry no stars, only those with plain words of praise and no
    reserve are taken, as praise.
    """
    for row in table(folder, "en_app_reviews").to_dict("records"):
        text, label = str(row["text"]), row["label"]
        row_of = Row(text, "en_app_reviews", "en", held_out=is_held_out(text))
        if label == "bug report":
            yield replace(
                row_of,
                intent=bits("intent", "complaint"),
                sentiment=bits("sentiment", "negative", "neutral"),
                urgency=bits("urgency", "1", "2"),
            )
        elif label == "feature request":
            yield replace(row_of, intent=bits("intent", "suggestion"), urgency=bits("urgency", "1"))
        elif _PRAISED.search(text) and not _SPOILED.search(text):
            yield replace(
                row_of,
                intent=bits("intent", "praise"),
                sentiment=SENTIMENT["positive"],
                urgency=LEISURE,
            )


def reader_labels(folder: Path) -> Iterator[Row]:
    """Posts labelled by careful reading with intent, urgency and sentiment.

    Those taken from *Customer Support on Twitter* (CC BY-NC-SA) are for validation only.
    """
    for row in table(folder, "reader_labels").to_dict("records"):
        text = str(row["text"])
        yield Row(
            text,
            "reader_labels",
            str(row["lang"]),
            sentiment=bits("sentiment", str(row["sentiment"])),
            intent=bits("intent", str(row["intent"])),
            urgency=bits("urgency", str(row["urgency"])),
            weight=0.5 if row.get("unsure") == "1" else 1.0,
            held_out=row["source"] == "twcs" or is_held_out(text),
        )


def written_posts() -> Iterator[Row]:
    """Posts written for this project to show what the public sets lack.

    Suggestions and enquiries in Chinese, dangers, and the other languages.
    """
    path = Path(__file__).with_name("written_posts.csv")
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Row(
                row["text"],
                "written_posts",
                row["language"],
                sentiment=bits("sentiment", row["sentiment"]),
                intent=bits("intent", row["intent"]),
                urgency=bits("urgency", row["urgency"]),
            )


def labelled_file(path: Path) -> Iterator[Row]:
    """Your own CSV: ``text`` and any of sentiment, intent, emotion, urgency, language, weight.

    Empty cells are "not known".  15 % by hash of the text are held out.
    """
    if path.name.split(".")[0].endswith(NON_COMMERCIAL):
        raise ModelError(f"{path.name} is marked as non-commercial: never train on it")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "text" not in frame:
        raise ModelError(f"{path} has no column named text")
    for row in frame.to_dict("records"):
        text = str(row["text"])
        known = {}
        for head in HEADS:
            value = str(row.get(head, "")).strip().lower()
            if value and value not in HEADS[head]:
                raise ModelError(f"{path}: {head} cannot be {value!r}, use {list(HEADS[head])}")
            known[head] = bits(head, value) if value else 0
        yield Row(
            text,
            path.name.split(".")[0],
            str(row.get("language", "") or "und"),
            **known,
            weight=float(row.get("weight") or 1.0),
            held_out=is_held_out(text),
        )


SETS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "en_semeval2017": _tweets("en_semeval2017", {}),
    "multi_umsab": _tweets("multi_umsab", {}),
    "en_sxsw_brands": _tweets("en_sxsw_brands", ABOUT_BRAND),
    "en_apple_dfe": _tweets("en_apple_dfe", ABOUT_BRAND),
    "zh_bdci2018_auto": _tweets("zh_bdci2018_auto", ABOUT_BRAND),
    "zh_weibo2018": weibo2018,
    "zh_weibo_senti_part": masked_weibo,
    "zh_online_shopping": _reviews("zh_online_shopping"),
    "zh_hotel": _reviews("zh_hotel"),
    "zh_waimai": _reviews("zh_waimai", all_held_out=True),
    "zh_smp2020_usual": _emotions("zh_smp2020_usual", "zh", sentiments=True),
    "zh_smp2020_virus": _emotions("zh_smp2020_virus", "zh", sentiments=True),
    "zh_covid_weibo7": _emotions("zh_covid_weibo7", "zh", sentiments=True),
    "en_tweeteval_emotion": _emotions("en_tweeteval_emotion", "en", sentiments=False),
    "en_complaints_severity": complaints_severity,
    "en_banking77": banking77,
    "en_app_reviews": app_reviews,
    "reader_labels": reader_labels,
}
VALIDATION_ONLY = ("en_tweeteval_val",)


@dataclass(frozen=True, slots=True)
class Amount:
    """At most ``rows`` training rows of a set, each shown ``times`` times in an epoch."""

    rows: int = 1_000_000
    times: int = 1


FIRST_MIX: dict[str, Amount] = {
    "en_semeval2017": Amount(19_000),
    "multi_umsab": Amount(),
    "en_sxsw_brands": Amount(),
    "en_apple_dfe": Amount(),
    "zh_bdci2018_auto": Amount(),
    "zh_weibo2018": Amount(5_000),
    "zh_weibo_senti_part": Amount(2_000),
    "zh_online_shopping": Amount(4_000),
    "zh_hotel": Amount(1_500),
    "zh_waimai": Amount(0),
    "zh_smp2020_usual": Amount(16_000),
    "zh_smp2020_virus": Amount(5_000),
    "zh_covid_weibo7": Amount(3_000),
    "en_tweeteval_emotion": Amount(),
    "en_complaints_severity": Amount(),
    "en_banking77": Amount(1_200),
    "en_app_reviews": Amount(),
    "reader_labels": Amount(times=4),
}
"""The mix of the first bundled model: true neutrals, brands, several languages."""


def _sample(rows: list[Row], most: int) -> list[Row]:
    """At most ``most`` rows, by hash; each label gets its even share before any gets more."""
    groups: dict[tuple[int, int, int], list[Row]] = {}
    for row in sorted(rows, key=lambda row: share(row.text, "sample:")):
        groups.setdefault((row.sentiment, row.intent, row.emotion), []).append(row)
    taken: list[Row] = []
    left = most
    for count, group in enumerate(sorted(groups.values(), key=len)):
        part = group[: left // (len(groups) - count)]
        taken += part
        left -= len(part)
    return taken


def load(
    folder: Path | None, mix: dict[str, Amount], files: Iterable[Path] = ()
) -> tuple[list[Row], list[Row]]:
    """Training and validation rows of all sets in ``mix``, own ``files`` and the written posts.

    No text is in both, none is twice in training unless the mix says so, and nothing of the
    validation-only sets is in training, whichever set it came from.
    """
    held_out: list[Row] = []
    seen: set[str] = set()
    if folder is not None:
        for stem in VALIDATION_ONLY:
            for row in table(folder, stem).to_dict("records"):
                label = SENTIMENT[str(row["label"])]
                held_out.append(Row(str(row["text"]), stem, "en", sentiment=label, held_out=True))
                seen.add(key(str(row["text"])))
    read: list[tuple[list[Row], Amount]] = [(list(written_posts()), Amount(times=4))]
    if folder is not None:
        read += [(list(SETS[stem](folder)), amount) for stem, amount in mix.items()]
    read += [(list(labelled_file(path)), Amount()) for path in files]
    for rows, _ in read:
        for one in rows:
            if one.held_out and key(one.text) not in seen:
                held_out.append(one)
                seen.add(key(one.text))
    training: list[Row] = []
    # Small, carefully labelled sets first: of two rows with one text theirs stays.
    for rows, amount in sorted(read, key=lambda pair: len(pair[0])):
        fresh = []
        for one in rows:
            if not one.held_out and key(one.text) not in seen:
                seen.add(key(one.text))
                fresh.append(one)
        training += _sample(fresh, amount.rows) * amount.times
    return training, held_out
