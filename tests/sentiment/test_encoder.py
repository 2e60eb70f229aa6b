import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest

from sentiment import encoder
from sentiment.base import Assessment, Emotion, Intent, ModelError, Sentiment, SentimentModel
from sentiment.encoder import MODEL, BundledModel
from sentiment.graph import quantise, widen

TEXTS = [
    "航班取消了，客服电话一直没人接",
    "My flight was cancelled and nobody answers the phone",
    "好吃，下次还来",
    "What time do you open on Sunday?",
    "Der Zug hat schon wieder Verspätung",
    "今天天气不错",
    "ok",
    "I love this phone, the camera is amazing and the battery lasts two days " * 3,
    "Le colis est arrivé cassé, je veux un remboursement",
    "スタッフの対応がとても丁寧でした",
    "الخدمة سيئة جدا ولن أعود",
    "सेवा बहुत अच्छी है, धन्यवाद",
    "😡😡",
    "",
]
ODD = [
    "",
    " \n\t",
    "😀",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "....",
    "\x00\x07",
    "\ud83d",
    "\u202eabc",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "@@@@@",
    "http://",
    "[怒][怒][怒]",
    "1234567890",
    "a" * 100_000,
    "差" * 100_000,
    "w o r d " * 12_500,
    "ꙮ᚛ᚅᚔ᚜𓀀",
    "<s></s><pad><unk>",
    "&#0;&#x110000;",
]


def labels(answers: list[Assessment]) -> list[tuple[str, str, str, int, str, bool]]:
    return [(a.sentiment, a.intent, a.emotion, a.urgency, a.language, a.unsure) for a in answers]


def test_it_satisfies_the_contract_of_a_sentiment_model(model: BundledModel) -> None:
    contract: SentimentModel = model
    assert contract.name
    assert contract.assess([]) == []


def test_labels_do_not_depend_on_neighbours_number_or_order(model: BundledModel) -> None:
    together = labels(model.assess(TEXTS))
    assert [labels(model.assess([text]))[0] for text in TEXTS] == together
    assert labels(model.assess(TEXTS[::-1]))[::-1] == together
    assert labels(model.assess(TEXTS * 12)) == together * 12


def test_a_text_said_twice_has_the_same_numbers(model: BundledModel) -> None:
    first, _, second = model.assess([TEXTS[0], TEXTS[1], TEXTS[0]])
    assert first == second


def test_odd_and_hostile_texts_never_raise(model: BundledModel) -> None:
    answers = model.assess(ODD)
    assert len(answers) == len(ODD)
    for answer in answers:
        assert all(np.isfinite((answer.p_negative, answer.p_neutral, answer.p_positive)))


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "\u200b"])
def test_a_text_without_content_is_neutral_and_wants_nothing(
    model: BundledModel, text: str
) -> None:
    (answer,) = model.assess([text])
    assert answer.sentiment is Sentiment.neutral
    assert answer.intent is Intent.other
    assert answer.emotion is Emotion.neutral
    assert answer.urgency == 0
    assert answer.language == "und"
    assert not answer.unsure


def test_probabilities_sum_to_one_and_the_label_is_the_largest(model: BundledModel) -> None:
    for answer in model.assess(TEXTS + ODD):
        feelings = (answer.p_negative, answer.p_neutral, answer.p_positive)
        for group in (feelings, answer.intent_probabilities, answer.emotion_probabilities):
            assert sum(group) == pytest.approx(1.0, abs=1e-5)
            assert min(group) >= 0
        assert feelings[list(Sentiment).index(answer.sentiment)] == max(feelings)
        intents = answer.intent_probabilities
        assert intents[list(Intent).index(answer.intent)] == max(intents)
        emotions = answer.emotion_probabilities
        assert emotions[list(Emotion).index(answer.emotion)] == max(emotions)
        assert answer.urgency in range(4)


def test_vectors_are_384_half_precision_numbers_of_length_one(model: BundledModel) -> None:
    for answer in model.assess(TEXTS):
        assert answer.vector is not None
        vector = np.frombuffer(answer.vector, dtype="<f2").astype(np.float64)
        assert vector.shape == (384,)
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=2e-3)


def test_vectors_bring_the_same_matter_together_across_languages(model: BundledModel) -> None:
    vectors = model.understand(
        [
            "航班取消了，客服电话一直没人接",
            "My flight was cancelled and nobody answers the phone",
            "这家店的火锅味道很好",
            "The hot pot at this restaurant tastes great",
        ]
    ).vectors
    near = vectors @ vectors.T
    assert near[0, 1] > max(near[0, 2], near[0, 3])
    assert near[2, 3] > max(near[2, 0], near[2, 1])


def test_every_part_of_a_long_text_counts(model: BundledModel) -> None:
    good = "The room was lovely, the staff were kind and breakfast was wonderful. " * 25
    bad = "The room was filthy, the staff were rude and breakfast was disgusting. " * 25
    praise, scorn, mixed = model.assess([good, bad, good + bad])
    assert praise.p_positive > 0.8
    assert scorn.p_negative > 0.8
    assert praise.p_negative < mixed.p_negative < scorn.p_negative


def test_more_texts_than_fit_at_once_come_back_in_order(model: BundledModel) -> None:
    texts = [f"number {i}" if i % 3 else "烂透了" for i in range(encoder.AT_ONCE + 40)]
    answers = model.assess(texts)
    assert len(answers) == len(texts)
    assert {a.language for a in answers[::3]} == {"zh"}
    assert answers[0] == answers[encoder.AT_ONCE // 3 * 3]


CLEAR = [
    ("航班取消了，客服电话一直没人接，气死我了", "negative"),
    ("东西质量太差了，用了两天就坏了", "negative"),
    ("服务态度恶劣，再也不会来了", "negative"),
    ("送餐慢死了，菜都凉了，差评", "negative"),
    ("又是骗人的广告，太失望了", "negative"),
    ("非常好用，强烈推荐给大家", "positive"),
    ("客服很耐心，问题很快就解决了，好评", "positive"),
    ("味道好极了，下次还会再来", "positive"),
    ("今天真开心，谢谢你们", "positive"),
    ("这款手机拍照太棒了，我很喜欢", "positive"),
    ("公司将于明天下午召开新闻发布会", "neutral"),
    ("请问你们周末几点开门", "neutral"),
    ("This is the worst service I have ever had", "negative"),
    ("My phone broke after two days, I am so disappointed", "negative"),
    ("Terrible food, rude staff, never again", "negative"),
    ("Two hours on hold and nobody helped me. Disgusting", "negative"),
    ("I hate the new update, it ruined everything", "negative"),
    ("I love this phone, best purchase ever", "positive"),
    ("Great service, thank you so much!", "positive"),
    ("The staff were wonderful and the food was delicious", "positive"),
    ("So happy with my new shoes", "positive"),
    ("The shop opens at nine on Monday", "neutral"),
    ("The company will publish its report on Thursday", "neutral"),
    ("Der Service war furchtbar, nie wieder", "negative"),
    ("Vielen Dank, das war super!", "positive"),
    ("Quel service horrible, je suis très déçue", "negative"),
    ("J'adore ce produit, merci beaucoup", "positive"),
    ("El peor servicio de mi vida, qué asco", "negative"),
    ("Me encanta, muchas gracias", "positive"),
    ("Servizio pessimo, sono molto arrabbiato", "negative"),
    ("Adorei o atendimento, muito obrigada", "positive"),
]
WISHES = [
    ("快递丢了，客服一直不理人，我要投诉", "complaint"),
    ("刚买的耳机一只没声音，什么破质量", "complaint"),
    ("请问这款手机什么时候有货？", "enquiry"),
    ("你们支持货到付款吗？", "enquiry"),
    ("建议增加夜间配送服务", "suggestion"),
    ("希望以后能增加指纹登录功能", "suggestion"),
    ("老板人很好，东西也好，五星好评", "praise"),
    ("今天和朋友去看电影了", "other"),
    ("My parcel never arrived and support ignores me", "complaint"),
    ("The app crashes every time I open it", "complaint"),
    ("How can I reset my password?", "enquiry"),
    ("Do you ship to Canada?", "enquiry"),
    ("Please add an option to sort by price", "suggestion"),
    ("Great app, works perfectly, love it", "praise"),
    ("Watching the game with friends tonight", "other"),
]


def test_the_feeling_of_clear_texts_is_told(model: BundledModel) -> None:
    answers = model.assess([text for text, _ in CLEAR])
    wrong = [c for c, a in zip(CLEAR, answers, strict=True) if a.sentiment != c[1]]
    assert len(wrong) <= len(CLEAR) // 20, wrong


def test_what_clear_texts_want_is_told(model: BundledModel) -> None:
    answers = model.assess([text for text, _ in WISHES])
    wrong = [w for w, a in zip(WISHES, answers, strict=True) if a.intent != w[1]]
    assert len(wrong) <= len(WISHES) // 20, wrong


def test_dangers_are_more_urgent_than_dull_posts(model: BundledModel) -> None:
    grave = [
        "充电器着火了，把我女儿的手烧伤了",
        "Your heater exploded and my son is in hospital",
        "吃了你们家的蛋糕，全家食物中毒进了医院",
    ]
    dull = ["今天去逛街了", "The shop is on Main Street", "味道不错"]
    assert max(a.urgency for a in model.assess(dull)) <= 1
    assert min(a.urgency for a in model.assess(grave)) >= 2


def test_pleased_praise_wants_no_hurry(model: BundledModel) -> None:
    texts = ["客服很快解决了问题", "Great app, works perfectly, love it", "老板人很好，五星好评"]
    for answer in model.assess(texts):
        assert (answer.sentiment, answer.intent, answer.urgency) == ("positive", "praise", 0)


def test_scoring_imports_no_deep_learning_framework() -> None:
    code = (
        "import sys\n"
        "from sentiment.encoder import BundledModel\n"
        "answer = BundledModel.load(threads=1).assess(['太差了'])[0]\n"
        "assert answer.sentiment == 'negative', answer\n"
        "heavy = {'torch', 'transformers', 'onnxruntime', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_half_and_single_precision_say_the_same() -> None:
    clear = [text for text, _ in CLEAR + WISHES]
    half, single = (
        labels(BundledModel.load_from(MODEL, precision=precision).assess(clear))
        for precision in ("bf16", "f32")
    )
    differing = sum(a[:4] != b[:4] for a, b in zip(half, single, strict=True))
    assert differing <= 1


def test_half_precision_is_for_processors_with_matrix_instructions(tmp_path: Path) -> None:
    processor = tmp_path / "cpuinfo"
    processor.write_text("flags : avx512_bf16 avx512_vnni")
    assert encoder.best_precision(openvino.Core(), processor) == "f32"
    assert encoder.best_precision(openvino.Core(), tmp_path / "absent") == "f32"


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"install the package again"):
        BundledModel.load_from(tmp_path)


def test_a_model_that_lacks_its_weights_says_what_to_do(tmp_path: Path) -> None:
    shutil.copy(MODEL / encoder.CONFIG, tmp_path)
    shutil.copy(MODEL / encoder.TOKENIZER, tmp_path)
    with pytest.raises(ModelError, match=r"sentiment\.training export"):
        BundledModel.load_from(tmp_path)


def test_a_configuration_with_unknown_fields_is_refused(tmp_path: Path) -> None:
    (tmp_path / encoder.CONFIG).write_text(json.dumps({"name": "x", "colour": "blue"}))
    with pytest.raises(ModelError, match="damaged"):
        BundledModel.load_from(tmp_path)


def test_stored_rows_are_within_half_a_step_of_the_weights() -> None:
    weights = np.random.default_rng(1).normal(size=(20, 64)).astype(np.float32)
    weights[3] = 0
    rows, scales = quantise(weights)
    assert rows.dtype == np.int8
    assert np.abs(widen(rows, scales) - weights).max() <= scales.max() / 2 + 1e-6
