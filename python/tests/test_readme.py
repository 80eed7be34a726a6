"""What README.md shows is run, over recorded programs."""

from __future__ import annotations

import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from recorded import CASES
from tqdm import tqdm

from onepack import Method

README = Path(__file__).resolve().parents[1] / "README.md"
PROGRAM, PROGRESS, ADAPTERS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def run(code: str, names: dict[str, Any]) -> None:
    exec(code, names)  # noqa: S102  (it is our own)


def make_tokenizer(folder: Path) -> None:
    """A word for each token of the recorded language models."""
    special = ["<s>", "</s>", "<|user|>", "<|model|>", "Hello"]
    words = {word: number for number, word in enumerate(special)}
    words |= {f"word{number}": number for number in range(len(special), 256)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="word255"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(special[:4])
    tokenizer.save(str(folder / "tokenizer.json"))
    template = "<s>{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}<|model|>"
    config = {"eos_token": "</s>", "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def test_a_program_with_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(CASES / "lora_fp32")
    names: dict[str, Any] = {}
    run(PROGRAM, names)
    assert names["y"].shape == (1, 64)
    assert "WeightCacheStats(" in capsys.readouterr().out
    names |= {"tqdm": tqdm, "stop": threading.Event()}
    names["data"] = [names["foundation"], names["adapter"]]
    run(PROGRESS, names)
    assert isinstance(names["method"], Method)
    assert names["bar"].n == names["bar"].total > 0


def test_a_language_model_with_two_adapters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (CASES / "llm_8da4w").glob("*.pt?"):
        shutil.copy(file, tmp_path)
    make_tokenizer(tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    run("import onepack\nbackend = onepack.Backend(onepack.WeightCache())\n" + ADAPTERS, names)
    assert names["prompt"] == [0, 2, 4, 1, 3]
    first, second = capsys.readouterr().out.splitlines()
    assert first
    assert second
    assert first != second
