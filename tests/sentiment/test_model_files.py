"""What is in ``sentiment/model`` and what its card says."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from sentiment.encoder import MODEL, TOKENIZER, Config
from sentiment.training.sets import FIRST_MIX

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / TOKENIZER))


def test_all_files_together_are_at_most_80_megabytes() -> None:
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 80 * MEGABYTE


@pytest.mark.parametrize(
    "text",
    [
        "快递三天还没到，客服也不回复，太失望了！",
        "退貨流程好複雜，服務人員態度很差",
        "My parcel hasn't arrived – what's going on?!",
        "Straße, Größe, Übergröße: völlig überteuert",
        "Où est mon colis ? Ça fait déjà œuvre de patience, garçon",
        "¿Dónde está mi pedido? ¡Qué vergüenza, señor!",
        "Perché non rispondete più? È già così tardi",
        "Não funciona, a atualização estragou tudo. Coração partido",
        "アプリが落ちる。返金してください、ヴァイオリンも",
        "الطلب لم يصل بعد ولا أحد يرد على الهاتف",
        "मेरा ऑर्डर अभी तक नहीं आया, कृपया मदद करें",
        "😀😂😍😡😭👍👎❤🔥🙏💔😤🤬🎉✨",
    ],
)
def test_the_tokenizer_knows_every_sign_of_our_languages(tokenizer: Tokenizer, text: str) -> None:
    assert "<unk>" not in tokenizer.encode(text).tokens


def test_the_vocabulary_is_a_fraction_of_the_original(tokenizer: Tokenizer) -> None:
    assert tokenizer.get_vocab_size() <= 90_000


def test_the_configuration_has_a_temperature_for_each_head() -> None:
    config = Config.read(MODEL / "config.json")
    assert set(config.temperatures) == {"sentiment", "intent", "emotion", "urgency"}
    assert all(0.5 <= value <= 4 for value in config.temperatures.values())
    assert 0.34 <= config.unsure_below <= 0.9


def test_the_card_names_the_model_and_all_its_data() -> None:
    card = Path(MODEL / "MODEL_CARD.md").read_text("utf-8")
    assert Config.read(MODEL / "config.json").name in card
    assert "multilingual-e5-small" in card
    for name, amount in FIRST_MIX.items():
        if amount.rows:
            assert f"`{name}`" in card, name
    for heading in ("## Data", "## Figures", "## Calibration", "## Limits"):
        assert heading in card
