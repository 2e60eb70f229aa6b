import pytest

from sentiment.language import identify


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("退款", "zh"),
        ("app闪退", "zh"),
        ("iPhone15真香", "zh"),
        ("差評！服務態度很差", "zh"),
        ("すごい", "ja"),
        ("東京タワー", "ja"),
        ("返金してください", "ja"),
        ("안녕하세요", "ko"),
        ("شكرا", "ar"),
        ("الخدمة سيئة جدا", "ar"),
        ("ਧੰਨਵਾਦ", "pa"),
        ("हाँ", "hi"),
        ("सेवा बहुत खराब है", "hi"),
        ("yeh app bilkul kaam nahi karta hai", "hi"),
        ("спасибо", "ru"),
        ("дякую, все працює", "uk"),
        ("สวัสดี", "th"),
        ("ευχαριστώ", "el"),
        ("ok", "en"),
        ("Nice!", "en"),
        ("worst app ever", "en"),
        ("My flight was cancelled and nobody answers the phone", "en"),
        ("Danke", "de"),
        ("Lieferung zu spät", "de"),
        ("Der Zug hat schon wieder Verspätung und keiner sagt etwas", "de"),
        ("très déçu", "fr"),
        ("Toujours pas remboursée, personne ne répond", "fr"),
        ("no me gusta", "es"),
        ("El pedido llegó tarde y la comida estaba fría", "es"),
        ("non funziona", "it"),
        ("Il pacco è arrivato rotto e nessuno risponde", "it"),
        ("não gostei", "pt"),
        ("O produto chegou quebrado e ninguém me atende", "pt"),
    ],
)
def test_the_language_of_short_posts_is_told(text: str, language: str) -> None:
    assert identify(text) == language


@pytest.mark.parametrize(
    "text", ["", "   ", "😀😀", "123", "!!!", "http://x.co/abc", "@someone", "\ud800"]
)
def test_what_has_no_words_is_undetermined(text: str) -> None:
    assert identify(text) == "und"


def test_names_and_links_in_latin_letters_do_not_outweigh_chinese() -> None:
    assert identify("@StarbucksSupport 太慢了 https://example.org/very/long/address") == "zh"


def test_some_japanese_signs_do_not_make_chinese_japanese() -> None:
    assert identify("今天买了一个超级可爱の杯子，质量也很好，下次还会再来买的") == "zh"


def test_a_hundred_thousand_characters_are_no_trouble() -> None:
    assert identify("the train is late again " * 5_000) == "en"
