"""Services on a test database, with a model that reads quickly and a platform that obeys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sentiment.base import Assessment, Emotion, Intent, Sentiment
from service import wiring
from service.settings import Settings
from service.wiring import Services
from store.clock import Clock, SetClock
from store.database import Store
from store.posts import Batch, Cursor
from store.secrets import SecretBox


class WordModel:
    """Reads "bad" as a complaint, "good" as praise, "?" as an enquiry, all else as chatter."""

    name = "words-1"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        self.calls.append(len(texts))
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Assessment:
        sentiment, intent = Sentiment.neutral, Intent.other
        if "bad" in text:
            sentiment, intent = Sentiment.negative, Intent.complaint
        elif "good" in text:
            sentiment, intent = Sentiment.positive, Intent.praise
        elif "?" in text:
            intent = Intent.enquiry
        shares = {s: 0.9 if s is sentiment else 0.05 for s in Sentiment}
        return Assessment(
            sentiment=sentiment,
            p_negative=shares[Sentiment.negative],
            p_neutral=shares[Sentiment.neutral],
            p_positive=shares[Sentiment.positive],
            intent=intent,
            intent_probabilities=tuple(0.8 if i is intent else 0.05 for i in Intent),
            emotion=Emotion.neutral,
            emotion_probabilities=tuple(1.0 if e is Emotion.neutral else 0.0 for e in Emotion),
            urgency=2 if "urgent" in text else 1,
            language="en",
            unsure=False,
            model=self.name,
            vector=None,
        )


@dataclass
class Scripted:
    """A platform whose answers a test writes down: batches, or errors to raise."""

    platform: ClassVar[str] = "demo"
    script: ClassVar[list[list[Batch | Exception]]] = []
    asked: ClassVar[list[Cursor | None]] = []
    closed: ClassVar[int] = 0
    between: ClassVar[Callable[[], None] | None] = None
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], secrets: Mapping[str, Any], clock: Clock
    ) -> Scripted:
        return cls(config)

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        Scripted.asked.append(cursor)
        for step in Scripted.script.pop(0) if Scripted.script else []:
            if isinstance(step, Exception):
                raise step
            yield step
            if Scripted.between is not None:
                Scripted.between()

    def close(self) -> None:
        Scripted.closed += 1


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    """The connector "scripted"."""
    monkeypatch.setitem(wiring.LISTENERS, "scripted", "tests.service.conftest:Scripted")
    Scripted.script, Scripted.asked, Scripted.closed, Scripted.between = [], [], 0, None
    return Scripted


@pytest.fixture
def services(store: Store, clock: SetClock, tmp_path: Path) -> Services:
    """The whole service around the test's database; both run on a clock that stands still."""
    settings = Settings(data_dir=tmp_path)
    built = Services(settings, store, clock, SecretBox.open(settings.key_file))
    built._model.append(WordModel())
    return built
