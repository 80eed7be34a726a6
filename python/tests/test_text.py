"""Tokenizers, chat templates and streams. The tokenizers are trained here, on a few sentences."""

from __future__ import annotations

import base64
import builtins
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tokenizers

from onepack import InvalidArgumentError, InvalidFileError
from onepack.text import ChatTemplate, StreamDecoder, Tokenizer

CORPUS = [
    "one foundation, many programs",
    "programs share what is packed once",
    "naïve café, 3.14 and 42",
] * 50
SPECIAL = {"<s>": "bos_token", "</s>": "eos_token", "<|user|>": "", "<|model|>": ""}
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|model|>{% endif %}"
)
TEXTS = ["many programs", " a space", "naïve café", "Z€ 👩‍🚀 日本語", "two\n\nlines", ""]


def write_config(folder: Path, first_id: int, **more: Any) -> None:
    config = {
        "bos_token": {"content": "<s>", "lstrip": False},
        "eos_token": "</s>",
        "chat_template": TEMPLATE,
        "added_tokens_decoder": {
            str(first_id + i): {"content": text, "special": True} for i, text in enumerate(SPECIAL)
        },
        **more,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def make_hugging_face(folder: Path) -> None:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    tokenizer.enable_truncation(4)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_config(folder, 0)


def make_sentencepiece(folder: Path) -> None:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=model,
        vocab_size=330,
        byte_fallback=True,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    size = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).get_piece_size()
    # The model has the first two itself.
    write_config(folder, size - 2)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    added = config["added_tokens_decoder"]
    added["1"], added["2"] = added.pop(str(size - 2)), added.pop(str(size - 1))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def make_tiktoken(folder: Path) -> None:
    pieces = [bytes([i]) for i in range(256)] + [b"an", b" pro", b"grams", b"ow", b"\xe2\x82"]
    lines = [b"%s %d" % (base64.b64encode(piece), rank) for rank, piece in enumerate(pieces)]
    # Named as Llama 3's file is, which is no SentencePiece model either.
    (folder / "tokenizer.model").write_bytes(b"\n".join(lines) + b"\n")
    write_config(folder, len(pieces))


def make_hugging_face_with_bytes(folder: Path) -> None:
    """As Llama 2's: spaces are a character, and bytes that are no letter of the vocabulary are tokens,
    of which a decoder takes all that stand together for good or for bad."""
    texts = list(SPECIAL) + [f"<0x{byte:02X}>" for byte in range(256)]
    texts += [
        "\u2581",
        *sorted(set("".join(CORPUS)) - {" "}),
        "an",
        "\u2581p",
        "ow",
        "\u2581\u2581",
    ]
    merges = [("a", "n"), ("\u2581", "p"), ("o", "w"), ("\u2581", "\u2581")]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE({text: i for i, text in enumerate(texts)}, merges, byte_fallback=True)
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    normalizers, decoders = tokenizers.normalizers, tokenizers.decoders
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    write_config(folder, 0)


MAKERS = {
    "hugging face": make_hugging_face,
    "hugging face with bytes": make_hugging_face_with_bytes,
    "sentencepiece": make_sentencepiece,
    "tiktoken": make_tiktoken,
}


@pytest.fixture(scope="module", params=list(MAKERS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(str(request.param).replace(" ", "_"))
    MAKERS[request.param](folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.open(folder)


@pytest.mark.parametrize("text", TEXTS)
def test_text_becomes_tokens_and_text_again(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text)
    assert tokens[0] == tokenizer.bos_id
    assert tokenizer.decode(tokens) == text
    assert tokenizer.encode(text, add_special_tokens=False) == tokens[1:]
    assert all(0 <= token < tokenizer.vocab_size for token in tokens)


def test_special_tokens_are_known(tokenizer: Tokenizer) -> None:
    assert tokenizer.token_id("<s>") == tokenizer.bos_id
    assert tokenizer.eos_ids == (tokenizer.token_id("</s>"),)
    assert tokenizer.token_id("no such token") is None
    model = tokenizer.token_id("<|model|>")
    assert model is not None
    assert tokenizer.decode([model]) == ""
    assert tokenizer.decode([model], skip_special_tokens=False) == "<|model|>"


@pytest.mark.parametrize("token", [-1, 10**6, 2**32, 2**40, 2**70])
def test_a_token_that_there_is_not_is_refused(tokenizer: Tokenizer, token: int) -> None:
    with pytest.raises(InvalidArgumentError, match="no such token"):
        tokenizer.decode([token])


@pytest.mark.parametrize("text", ["\ud800", "many \udfff programs"])
def test_a_lone_surrogate_is_no_text(tokenizer: Tokenizer, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="lone surrogate"):
        tokenizer.encode(text)
    with pytest.raises(InvalidArgumentError, match="lone surrogate"):
        tokenizer.encode_chat([{"role": "user", "content": text}])
    assert tokenizer.token_id(text) is None


def test_a_file_opens_like_its_folder(folder: Path, tokenizer: Tokenizer) -> None:
    (file,) = [path for path in folder.iterdir() if path.name != "tokenizer_config.json"]
    assert Tokenizer.open(str(file)).encode("many programs") == tokenizer.encode("many programs")


def test_a_chat_becomes_tokens_with_special_ones(tokenizer: Tokenizer) -> None:
    messages = [{"role": "user", "content": "share it"}]
    text = tokenizer.apply_chat_template(messages)
    assert text == "<s><|user|>share it</s><|model|>"
    assert tokenizer.apply_chat_template(messages, add_generation_prompt=False) == text[:-9]
    tokens = tokenizer.encode_chat(messages)
    assert tokens[:2] == [tokenizer.bos_id, tokenizer.token_id("<|user|>")]
    assert tokens[-2:] == [*tokenizer.eos_ids, tokenizer.token_id("<|model|>")]
    assert tokens.count(tokens[0]) == 1
    assert tokenizer.decode(tokens) == "share it"


# ---- Streams


def stream(tokenizer: Tokenizer, tokens: list[int]) -> list[str]:
    decoder = StreamDecoder(tokenizer)
    return [*(decoder.add(token) for token in tokens), decoder.finish()]


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_gives_the_text_and_no_half_characters(tokenizer: Tokenizer, text: str) -> None:
    pieces = stream(tokenizer, tokenizer.encode(text))
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)
    assert pieces[-1] == ""


def test_the_end_of_half_a_character_is_not_lost(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode("programs €", add_special_tokens=False)[:-1]
    pieces = stream(tokenizer, tokens)
    assert "".join(pieces) == tokenizer.decode(tokens)
    assert pieces[-1].startswith("\ufffd")
    assert not any("\ufffd" in piece for piece in pieces[:-1])


def test_bytes_that_are_no_character_come_with_the_next_one(tokenizer: Tokenizer) -> None:
    half = tokenizer.encode("€", add_special_tokens=False)[-1]
    letter = tokenizer.encode("an", add_special_tokens=False)[-1]
    pieces = stream(tokenizer, [letter, *[half] * 5, letter, half])
    first = tokenizer.decode([letter])
    assert pieces[:6] == [first, "", "", "", "", ""]
    assert pieces[6].startswith("\ufffd")
    assert pieces[6].endswith(first)
    assert pieces[-1] == tokenizer.decode([half])


def test_a_decoder_begins_anew(tokenizer: Tokenizer) -> None:
    decoder = StreamDecoder(tokenizer)
    tokens = tokenizer.encode("many programs", add_special_tokens=False)
    for _ in range(2):
        assert "".join([*map(decoder.add, tokens), decoder.finish()]) == "many programs"


def test_any_text_streams_as_it_is(tokenizer: Tokenizer) -> None:
    source = random.Random(0)
    parts = ["a", " ", "  ", "\n", "an", " p", "€", "👩‍🚀", "日", "ï", "\ufffd", "<|user|>"]
    for _ in range(500):
        text = "".join(source.choices(parts, k=source.randrange(12)))
        tokens = tokenizer.encode(text)
        assert "".join(stream(tokenizer, tokens)) == tokenizer.decode(tokens), text


def test_any_tokens_stream_as_they_decode(folder: Path, tokenizer: Tokenizer) -> None:
    if "with_bytes" in folder.name:
        pytest.skip("its decoder changes what came before bytes that are no character")
    source = random.Random(0)
    for _ in range(500):
        tokens = [source.randrange(tokenizer.vocab_size) for _ in range(source.randrange(12))]
        assert "".join(stream(tokenizer, tokens)) == tokenizer.decode(tokens), tokens


# ---- Templates


def test_a_template_refuses_with_its_own_words() -> None:
    template = ChatTemplate("{{ raise_exception('no system messages') }}", {})
    with pytest.raises(InvalidArgumentError, match="no system messages"):
        template.render([])


def test_a_template_has_what_others_expect() -> None:
    source = (
        "{%- for t in tools %}\n  {% if t == 'b' %}{% break %}{% endif %}\n{{ t | tojson }}\n"
        "{%- endfor %}{{ strftime_now('%Y') | length }}"
    )
    text = ChatTemplate(source, {}).render([], tools=["<ä>", "b"])
    assert text.replace("\n", "").strip() == '"<ä>"4'


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__base__ }}{{ messages.__init__.__globals__ }}",
    ],
)
def test_a_template_stays_in_the_sandbox(source: str) -> None:
    messages: list[Any] = []
    with pytest.raises(InvalidArgumentError):
        ChatTemplate(source, {}).render(messages)
    assert messages == []


def test_a_template_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidFileError, match="chat template"):
        ChatTemplate("{% for %}", {})


def test_templates_are_found_where_they_are(tmp_path: Path) -> None:
    make_tiktoken(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    named = [{"name": "tools", "template": "no"}, {"name": "default", "template": "yes"}]
    write_config(tmp_path, 261, chat_template=named)
    assert Tokenizer.open(tmp_path).apply_chat_template([]) == "yes"
    config.unlink()
    with pytest.raises(InvalidArgumentError, match="no chat template"):
        Tokenizer.open(tmp_path).apply_chat_template([])
    (tmp_path / "chat_template.jinja").write_text("beside")
    assert Tokenizer.open(tmp_path).apply_chat_template([]) == "beside"


# ---- Errors


def test_a_missing_tokenizer_is_file_not_found(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.json"):
        with pytest.raises(FileNotFoundError, match="no tokenizer|nothing") as raised:
            Tokenizer.open(path)
        assert raised.value.filename == str(path)


@pytest.mark.parametrize(
    "content", [b"{}", b"{", b"YQ==\n", b"\0\1\2 no model", b"YQ== 0\nYQ= 1", b""]
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(InvalidFileError, match=r"tokenizer\.json"):
        Tokenizer.open(path)


def test_a_damaged_config_is_refused(tmp_path: Path) -> None:
    make_tiktoken(tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "tokenizer_config.json").write_text(content)
        with pytest.raises(InvalidFileError, match=r"tokenizer_config\.json"):
            Tokenizer.open(tmp_path)


def test_what_is_not_installed_names_the_extra(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_import = builtins.__import__
    import importlib

    def refuse(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in ("tokenizers", "sentencepiece", "tiktoken", "jinja2"):
            raise ImportError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ImportError, match=r"pip install 'onepack\[text\]'"):
        Tokenizer.open(folder)
    with pytest.raises(ImportError, match="jinja2"):
        ChatTemplate("", {})
