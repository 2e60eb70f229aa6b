"""The contract every sentiment model keeps, and the words in which it answers.

::

    Exception
    └── ModelError        a model cannot be loaded or is unfit; the message names the fix
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

VECTOR_SIZE = 384
"""Numbers in a sentence vector; two bytes each in ``Assessment.vector``."""

UNDETERMINED = "und"
"""ISO 639-2 code for a language that could not be told."""


class ModelError(Exception):
    """A model cannot be loaded or does not fit our labels.

    The message is meant for the person at the keyboard: it says what is wrong and what to do.
    Odd *texts* never raise it.
    """


class Sentiment(StrEnum):
    """What the author feels towards the topic of the text."""

    negative = "negative"
    neutral = "neutral"
    positive = "positive"


class Intent(StrEnum):
    """What the author wants from the brand: exactly one, the dominant one."""

    complaint = "complaint"
    enquiry = "enquiry"
    suggestion = "suggestion"
    praise = "praise"
    other = "other"


class Emotion(StrEnum):
    """The dominant emotion of the text."""

    anger = "anger"
    sadness = "sadness"
    fear = "fear"
    joy = "joy"
    surprise = "surprise"
    neutral = "neutral"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a model understood of one text.

    Probabilities lie in 0..1 and sum to 1 within each group; labels are their largest member
    (the first in the order of the enumeration on a tie).
    """

    sentiment: Sentiment
    p_negative: float
    p_neutral: float
    p_positive: float
    intent: Intent
    intent_probabilities: tuple[float, ...]
    """Five numbers in the order of ``Intent``."""
    emotion: Emotion
    emotion_probabilities: tuple[float, ...]
    """Six numbers in the order of ``Emotion``."""
    urgency: int
    """0 nothing to do, 1 an ordinary reply will do, 2 soon, 3 at once."""
    language: str
    """ISO 639-1 code, or ``"und"`` when it cannot be told."""
    unsure: bool
    """The sentiment is close to a coin's throw: a person had better look."""
    model: str
    """Name and version of the model that said so."""
    vector: bytes | None
    """384 little-endian float16 numbers of length 1 (L2); ``None`` where a model has none."""


class SentimentModel(Protocol):
    """Reads texts and says what is in them.

    ``assess`` takes any number of texts, none included, and returns one ``Assessment`` for each,
    in the same order.  It never raises for what a text holds: empty, only emoji, lone surrogates,
    a hundred thousand characters.  The labels of a text do not depend on the texts beside it,
    their number or their order.  Memory is bounded whatever the number of texts, apart from the
    answers themselves.  It may be called from several threads.  No network is used.
    """

    @property
    def name(self) -> str:
        """Name and version, the value of ``Assessment.model``."""
        ...

    def assess(self, texts: Sequence[str]) -> list[Assessment]:
        """Assess ``texts``; the answer has the same length and order."""
        ...
