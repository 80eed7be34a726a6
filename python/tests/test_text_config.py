"""Files beside a tokenizer: which one wins, and what is said of damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_text import make_hugging_face, make_tiktoken

from onepack import FileAccessError, InvalidArgumentError, InvalidFileError
from onepack.text import Tokenizer

DAMAGED: list[Any] = [
    {"bos_token": {"lstrip": True}},
    {"bos_token": 3},
    {"eos_token": "\ud800"},
    {"added_tokens_decoder": []},
    {"added_tokens_decoder": {"x": {"content": "<s>"}}},
    {"added_tokens_decoder": {"-1": {"content": "<s>"}}},
    {"added_tokens_decoder": {str(2**40): {"content": "<s>"}}},
    {"added_tokens_decoder": {"300": {"content": ""}}},
    {"added_tokens_decoder": {"300": {}}},
    {"added_tokens_decoder": {"300": None}},
    {"chat_template": 3},
    {"chat_template": ["x"]},
    {"chat_template": [{"name": "default"}]},
    {"add_bos_token": "no"},
]


@pytest.mark.parametrize("content", [*map(json.dumps, DAMAGED), '{"a":' * 10**5])
def test_a_damaged_config_is_an_invalid_file(tmp_path: Path, content: str) -> None:
    make_hugging_face(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(content)
    with pytest.raises(InvalidFileError, match=r"tokenizer_config\.json"):
        Tokenizer.open(tmp_path)


def altered(tmp_path: Path, **parts: Any) -> Path:
    """The folder of a tokenizer.json that has other parts, and those of its model in ``model``."""
    make_hugging_face(tmp_path)
    file = tmp_path / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"].update(parts.pop("model", {}))
    file.write_text(json.dumps({**content, **parts}))
    return tmp_path


@pytest.mark.parametrize(
    "parts",
    [
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
        {"model": {"continuing_subword_prefix": "longer than any token"}},
        {"model": {"merges": [["no such", "token"]]}},
    ],
    ids=["panic in a normalizer", "panic in a model", "exception"],
)
def test_a_damaged_tokenizer_json_is_an_invalid_file(tmp_path: Path, parts: Any) -> None:
    with pytest.raises(InvalidFileError, match=r"tokenizer\.json: .") as raised:
        Tokenizer.open(altered(tmp_path, **parts))
    is_panic = not isinstance(raised.value.__cause__, Exception)
    assert is_panic == ("merges" not in str(parts))


WITHOUT_UNKNOWN = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"pre_tokenizer": {"type": "FixedLength", "length": 0}}, "non-zero"),
        ({"model": WITHOUT_UNKNOWN}, "UNK"),
    ],
    ids=["panic", "exception"],
)
def test_what_fails_when_a_text_comes_is_an_error(tmp_path: Path, parts: Any, reason: str) -> None:
    tokenizer = Tokenizer.open(altered(tmp_path, **parts))
    with pytest.raises(InvalidArgumentError, match=rf"tokenizer\.json: .*({reason})"):
        tokenizer.encode("日本語")


def test_ctrl_c_in_the_library_passes(tmp_path: Path) -> None:
    make_hugging_face(tmp_path)
    tokenizer = Tokenizer.open(tmp_path)

    class Interrupted:
        def encode(self, *_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

    tokenizer._tokenizer = Interrupted()  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        tokenizer.encode("one")


def test_a_template_file_that_is_not_utf8_is_an_invalid_file(tmp_path: Path) -> None:
    make_hugging_face(tmp_path)
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(InvalidFileError, match=r"chat_template\.jinja"):
        Tokenizer.open(tmp_path)


def test_a_config_that_cannot_be_read_is_a_file_access_error(tmp_path: Path) -> None:
    make_hugging_face(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "tokenizer_config.json").mkdir()
    with pytest.raises(FileAccessError, match=r"tokenizer_config\.json"):
        Tokenizer.open(tmp_path)


def test_a_template_file_wins_over_the_config(tmp_path: Path) -> None:
    make_hugging_face(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("of the file")
    assert Tokenizer.open(tmp_path).apply_chat_template([]) == "of the file"


def lines_of(tmp_path: Path) -> list[str]:
    make_tiktoken(tmp_path)
    return (tmp_path / "tokenizer.model").read_text().splitlines()


def test_tiktoken_files_that_the_library_panics_for_are_invalid(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    damaged = {
        "same rank": [*lines, "YWJj 5"],
        "same token": [*lines, "YQ== 500"],
        "single byte 0x61": [line for line in lines if not line.startswith("YQ== ")],
    }
    for message, content in damaged.items():
        (tmp_path / "tokenizer.model").write_text("\n".join(content))
        with pytest.raises(InvalidFileError, match=message):
            Tokenizer.open(tmp_path)


def test_a_rank_of_many_digits_is_an_invalid_file(tmp_path: Path) -> None:
    lines = lines_of(tmp_path)
    for digits in (12, 10**4):
        (tmp_path / "tokenizer.model").write_text("\n".join([*lines, "YWJj " + "9" * digits]))
        with pytest.raises(InvalidFileError, match=r"tokenizer\.model"):
            Tokenizer.open(tmp_path)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A tiktoken file with a token for two digits, and nothing beside it."""
    lines = [*lines_of(tmp_path), "NDI= 261"]
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "tokenizer.model").write_text("\n".join(lines))
    return tmp_path / "tokenizer.model"


def test_the_pattern_is_known_by_the_name_of_the_file_or_asked_for(bare: Path) -> None:
    digits = [ord("4"), ord("2")]
    assert Tokenizer.open(bare).encode("42") == [261]
    assert Tokenizer.open(bare, pattern=r"\p{N}|\P{N}+").encode("42") == digits
    assert Tokenizer.open(bare.rename(bare.with_name("qwen.tiktoken"))).encode("42") == digits
    other = bare.with_name("qwen.tiktoken").rename(bare.with_name("other.tiktoken"))
    with pytest.raises(InvalidArgumentError, match="pass pattern"):
        Tokenizer.open(other)
    assert Tokenizer.open(other, pattern=r"\d+").encode("42") == [261]
    with pytest.raises(InvalidArgumentError, match="other"):
        Tokenizer.open(other, pattern="(")


def test_special_tokens_may_be_given(bare: Path) -> None:
    without = Tokenizer.open(bare)
    assert without.bos_id is None
    assert without.eos_ids == ()
    tokenizer = Tokenizer.open(bare, special_tokens={"<|end|>": 262})
    assert tokenizer.token_id("<|end|>") == 262
    assert tokenizer.decode([261, 262]) == "42"
    assert tokenizer.decode([261, 262], skip_special_tokens=False) == "42<|end|>"
    for wrong in ({"": 262}, {"\ud800": 262}, {"a": -1}, {"a": 2**40}, {"a": 97}):
        with pytest.raises(InvalidArgumentError, match="not a special token"):
            Tokenizer.open(bare, special_tokens=wrong)


def test_options_of_tiktoken_are_refused_for_other_files(tmp_path: Path) -> None:
    make_hugging_face(tmp_path)
    for options in ({"pattern": "a"}, {"special_tokens": {"<s>": 0}}):
        with pytest.raises(InvalidArgumentError, match="tiktoken"):
            Tokenizer.open(tmp_path, **options)


def test_a_text_that_the_pattern_gives_up_on_is_refused(bare: Path) -> None:
    tokenizer = Tokenizer.open(bare, pattern=r"(a|a)*(?=b)(?!b)|c")
    with pytest.raises(InvalidArgumentError, match="cannot be encoded"):
        tokenizer.encode("a" * 30 + "b")
