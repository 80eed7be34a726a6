"""Write the tokenizers, and expected.json: what Python's library tokenizers makes of texts with each of them.

    pip install tokenizers==0.23.3
    python generate.py FOLDER
"""

import json
import sys
from pathlib import Path

from tokenizers import (
    AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers,
)

CORPUS = [
    "one foundation, many programs",
    "programs share what is packed once",
    "naïve café, 3.14 and 42: don't, won't",
    "中文字符 日本語 👩\u200d🚀",
] * 50

TEXTS = [
    "",
    "many programs share one foundation",
    " a space  and two ",
    "two\n\nlines\tand a tab\r\n",
    "naïve café, Zürich: 3.14 and 42,000 €",
    "e\u0301 n\u0303 a\u0308\u0323 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",  # combining characters
    "中文字符, 日本語 한국어",
    "👩\u200d🚀🇺🇳👍🏽",
    "İstanbul ǅ ﬁ ① Ⅷ",  # what normalizers change
    "<s>one</s> [CLS]two[SEP] <|im_start|>user<|im_end|> <think>three</think>",  # special tokens
    "<0xE2><0x82>",  # the names of byte tokens
    "one\x00two\ufffdthree",
    "don't we'LL they've",
]

SPACE = "\u2581"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
LETTERS = sorted(set("".join(CORPUS[:3])) - {" "})


def begin_with(token: str, number: int) -> processors.TemplateProcessing:
    return processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, number)]
    )


def byte_level_bpe() -> Tokenizer:
    """As Qwen's: tokens are bytes, special ones come last, and nothing begins a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(["<think>", "</think>"])  # which an answer shows
    # As training runs leave it; prompts are neither cut nor filled up.
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=8)
    return tokenizer


def byte_fallback_bpe() -> Tokenizer:
    """As Llama 2's: spaces are a character, bytes stand for characters that are no tokens, and <s> begins a text."""
    texts = ["<unk>", "<s>", "</s>", *BYTES, SPACE, *LETTERS, "an", SPACE + "p", "ow", SPACE * 2]
    merges = [("a", "n"), (SPACE, "p"), ("o", "w"), (SPACE, SPACE)]
    tokenizer = Tokenizer(models.BPE(
        {text: number for number, text in enumerate(texts)}, merges,
        unk_token="<unk>", fuse_unk=True, byte_fallback=True,
    ))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    tokenizer.decoder = sentence_piece_decoder()
    tokenizer.post_processor = begin_with("<s>", 1)
    return tokenizer


def sentence_piece_decoder() -> decoders.Sequence:
    return decoders.Sequence([
        decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)
    ])


def unigram() -> Tokenizer:
    """As T5's, with bytes for what it lacks: </s> ends a text."""
    pieces = [("<unk>", 0.0), ("</s>", 0.0), *((text, -20.0) for text in BYTES)]
    pieces += [(text, -8.0 - number / 16) for number, text in enumerate([SPACE, *LETTERS])]
    pieces += [("pro", -5.0), ("grams", -5.5), (SPACE + "one", -4.0), (SPACE + "many", -4.5)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, True))
    tokenizer.add_special_tokens(["<unk>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = sentence_piece_decoder()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return tokenizer


def word_piece() -> Tokenizer:
    """As BERT's: lower case without accents, [CLS] before and [SEP] after a text."""
    texts = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *("##" + letter for letter in LETTERS)]
    texts += ["one", "program", "##ogram", "##are", "many", "中", "文", "##nai"]
    tokenizer = Tokenizer(models.WordPiece(
        {text: number for number, text in enumerate(texts)}, unk_token="[UNK]"
    ))
    tokenizer.add_special_tokens(texts[:4])
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def of_32_tokens() -> Tokenizer:
    """For the language models in ../language_models that have so many: "many one" is 1, 3, 5, and state_recurrent.pte
    answers with 2 21 30 19 21 14 23 23, which ends in special tokens and has an é and half of one."""
    texts = [chr(ord("A") + number) for number in range(32)]
    texts[0:6] = ["<unk>", "<s>", SPACE + "programs", SPACE + "many", SPACE, SPACE + "one"]
    texts[21], texts[30], texts[19], texts[14], texts[23] = "<0xC3>", "<0xA9>", SPACE + "share", "x", "</s>"
    tokenizer = Tokenizer(models.Unigram([(text, -1.0) for text in texts], 0, True))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = sentence_piece_decoder()
    tokenizer.post_processor = begin_with("<s>", 1)
    return tokenizer


def record(name: str, tokenizer: Tokenizer, text: str) -> dict[str, object]:
    ids = tokenizer.encode(text).ids
    return {
        "tokenizer": name,
        "text": text,
        "ids": ids,
        "ids_without_special": tokenizer.encode(text, add_special_tokens=False).ids,
        "decoded": tokenizer.decode(ids),
    }


def main(folder: Path) -> None:
    records = []
    for make in (byte_level_bpe, byte_fallback_bpe, unigram, word_piece, of_32_tokens):
        name = make.__name__ + ".json"
        tokenizer = make()
        tokenizer.save(str(folder / name))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        records += [record(name, tokenizer, text) for text in TEXTS]
    lines = ",\n".join(json.dumps(entry) for entry in records)
    (folder / "expected.json").write_text(f"[\n{lines}\n]\n")


main(Path(sys.argv[1]))
