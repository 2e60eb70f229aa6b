"""Training from end to end on a tiny encoder: the loop, the checkpoint, the export, the figures."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from sentiment import encoder
from sentiment.encoder import BundledModel
from sentiment.text import normalise
from sentiment.training import __main__ as command
from sentiment.training import loop, network, sets
from sentiment.training.export import base_vectors, best_temperature
from sentiment.training.loop import batches, class_weights, loss_of, masks, pad
from sentiment.training.sets import HEADS, Row, bits
from tests.sentiment.training.test_vocabulary import PIECES, tokenizer_json

WORDS = ("good", "od", "go", "差评", "差", "😀")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with a randomly initialised encoder, as a run starts from it."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(PIECES),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=160,
    )
    base = BertModel(config, add_pooling_layer=False)
    network.save_base(tmp_path / "run", base, json.dumps(json.loads(tokenizer_json())))
    return tmp_path / "run"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    lines = ["text,sentiment,intent,emotion,urgency,language"]
    for n in range(160):
        tail = " ".join(WORDS[(n // 6**k) % 6] for k in range(4))
        lines.append(
            f"good {tail},positive,praise,joy,0,en"
            if n % 2
            else f"差评 {tail},negative,complaint,anger,2,zh"
        )
    path = tmp_path / "corrections.csv"
    path.write_text("\n".join(lines), "utf-8")
    return path


def start(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["training", *map(str, arguments)])
    return command.main()


def test_a_run_is_trained_exported_and_evaluated(
    run: Path,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert start(monkeypatch, "train", "--run", run, "--files", labelled, "--epochs", 2) == 0
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert log[0]["event"] == "start"
    assert log[-1]["event"] == "end"
    assert log[-1]["step"] == log[0]["steps"] > 0
    assert any(name.startswith("corrections/") for name in log[-1]["accuracy"])

    out = tmp_path / "model"
    options = ("--run", run, "--files", labelled, "--out", out, "--name", "tiny-1")
    assert start(monkeypatch, "export", *options) == 0
    model = BundledModel.load_from(out)
    assert model.name == "tiny-1"
    trained, tokenizer = loop.load_trained(run)
    texts = ["good 差 od", "差评 差评 😀 go", "good " * 60, "od"]
    encoded = network.encode(tokenizer, [normalise(text) for text in texts], 96)
    expected = loop.logits_of(trained, encoded)
    single = BundledModel.load_from(out, precision="f32")
    np.testing.assert_allclose(single.understand(texts).logits, expected, atol=0.05)

    held_out = [row.text for row in sets.load(None, {}, [labelled])[1]]
    aims, found = base_vectors(run, out, held_out), single.understand(held_out).vectors
    assert float((aims * found).sum(1).mean()) > 0.9  # the vectors stand in for the base encoder's

    capsys.readouterr()
    assert start(monkeypatch, "evaluate", "--model", out, "--files", labelled) == 0
    figures = json.loads(capsys.readouterr().out)
    assert 0 <= figures["sentiment"]["corrections/zh"]["accuracy"] <= 1


def test_a_run_goes_on_from_its_checkpoint(
    run: Path, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("train", "--run", run, "--files", labelled)
    assert start(monkeypatch, *options) == 0
    steps = torch.load(run / "checkpoint.pt", weights_only=True)["step"]
    assert start(monkeypatch, *options, "--epochs", 2) == 0
    assert torch.load(run / "checkpoint.pt", weights_only=True)["step"] == 2 * steps


def test_it_learns_what_is_plain(run: Path) -> None:
    rows = [
        Row("good", "own", "en", sentiment=bits("sentiment", "positive")),
        Row("差评", "own", "zh", sentiment=bits("sentiment", "negative")),
    ] * 200
    plan = loop.Plan(epochs=3, rate=1e-2, head_rate=3e-2, warm_up=5)
    trainer = loop.Run(run, rows, rows[:2], plan)
    trainer.train()
    accuracy = trainer.validate()["accuracy"]
    assert accuracy == {"own/en sentiment": 1.0, "own/zh sentiment": 1.0}


def test_embeddings_stay_frozen(run: Path) -> None:
    before = network.load_base(run)[0].embeddings.word_embeddings.weight.clone()
    rows = [Row("good 差", "own", "en", intent=bits("intent", "other"))] * 64
    trainer = loop.Run(run, rows, rows[:1], loop.Plan())
    trainer.train()
    after = trainer.network.encoder.embeddings.word_embeddings.weight
    assert torch.equal(before, after)


def test_no_encoder_and_unknown_sets_end_with_a_message(
    tmp_path: Path,
    labelled: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("train", "--run", tmp_path / "empty", "--files", labelled)
    assert start(monkeypatch, *options) == 1
    assert "--encoder" in capsys.readouterr().err
    assert start(monkeypatch, *options, "--sets", "en_care_stream_NC") == 1
    assert "no training set" in capsys.readouterr().err


def test_of_partial_labels_any_may_have_the_probability() -> None:
    rows = [Row("x", "own", "en", intent=bits("intent", "praise", "other"))]
    possible = torch.from_numpy(masks(rows))
    ones, heads = torch.ones(possible.shape[1]), torch.ones(len(HEADS))

    def loss(place: int) -> float:
        logits = torch.zeros(1, possible.shape[1])
        logits[0, 3 + place] = 12.0
        return float(loss_of(logits, possible, ones, torch.ones(1), heads))

    assert loss(3) == pytest.approx(0.0, abs=1e-3)
    assert loss(4) == pytest.approx(0.0, abs=1e-3)
    assert loss(0) > 5


def test_heads_without_knowledge_add_no_loss_and_no_gradient() -> None:
    possible = torch.from_numpy(masks([Row("x", "own", "en")]))
    logits = torch.randn(1, possible.shape[1], requires_grad=True)
    loss = loss_of(logits, possible, torch.ones(possible.shape[1]), torch.ones(1), torch.ones(4))
    assert float(loss.detach()) == 0.0


def test_rare_labels_weigh_more_within_bounds() -> None:
    rows = [Row("x", "own", "en", sentiment=bits("sentiment", "neutral"))] * 90
    rows += [Row("x", "own", "en", sentiment=bits("sentiment", "negative"))] * 10
    weights = class_weights(masks(rows))
    assert weights[0] > 1 > weights[1] >= 0.5
    assert weights[0] <= 2.5
    assert weights[2] == 1.0


def test_batches_hold_every_row_once_and_neighbours_in_length() -> None:
    lengths = [int(n) for n in np.random.default_rng(2).integers(2, 96, 1000)]
    found = batches(lengths, 32, seed=4)
    assert sorted(number for batch in found for number in batch) == list(range(1000))
    spread = np.mean([max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in found])
    assert spread < 15
    assert found == batches(lengths, 32, seed=4)


def test_lengths_are_padded_to_a_multiple_of_sixteen() -> None:
    ids, mask = pad([np.array([0, 5, 2], np.int32), np.arange(17, dtype=np.int32)], 16)
    assert ids.shape == mask.shape == (2, 32)
    assert mask.sum(1).tolist() == [3, 17]


def test_temperature_cools_what_is_too_sure() -> None:
    generator = np.random.default_rng(3)
    truth = generator.integers(0, 3, 4000)
    logits = generator.normal(size=(4000, 3)).astype(np.float32)
    logits[np.arange(4000), truth] += 1.0
    assert best_temperature(logits, truth) == pytest.approx(1.0, abs=0.2)
    assert best_temperature(logits * 3, truth) == pytest.approx(3.0, rel=0.15)
    assert best_temperature(logits[:0], truth[:0]) == 1.0


def test_the_tiny_tokenizer_is_the_one_a_model_is_saved_with(run: Path) -> None:
    assert Tokenizer.from_file(str(run / encoder.TOKENIZER)).get_vocab_size() == len(PIECES)
