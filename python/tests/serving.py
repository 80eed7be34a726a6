"""For tests of the server: a model of random weights, a tokenizer that is trained here, and servers
that listen at a free port."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
import tokenizers
import uvicorn
from starlette.applications import Starlette

from onepack.serve import AdapterFiles, AppOptions, Engine, EngineFiles, create_app, open_engine
from onepack.serve.answer import AnswerRequest, End, Event, Text

COMMAND = os.environ.get("ONEPACK_COMMAND", "")
CONTEXT = 65536
VOCABULARY = 2048
FOREVER: dict[str, Any] = {"max_tokens": 60000, "extra_body": {"ignore_eos": True}}
"""For an answer that does not end by itself while a test looks on."""

_SPECIAL = ["<unk>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
_SYLLABLES = ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "zo"]
# Enough words that most tokens are text, of a model that says any of them.
_CORPUS = [" ".join(a + b + c for c in _SYLLABLES) for a in _SYLLABLES for b in _SYLLABLES]
_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make_model(
    folder: Path,
    *,
    seed: int = 0,
    adapters: int = 2,
    data: str = "files",
    sizes: Mapping[str, int] | None = None,
) -> None:
    """base, lora0, lora1 and so on, over foundation.ptd, or with ``data`` in each program."""
    if not COMMAND:
        pytest.skip("ONEPACK_COMMAND names no command")
    all_sizes = {"context": CONTEXT, "layers": 1, "vocabulary": VOCABULARY, **(sizes or {})}
    options = [f"--{name}={size}" for name, size in all_sizes.items()]
    more = ["--adapters", str(adapters), "--seed", str(seed), "--data", data]
    command = [COMMAND, "make-model", "llm", str(folder), *options, *more]
    subprocess.run(command, check=True, capture_output=True)


def make_tokenizer(folder: Path, *, chat_template: str | None = _TEMPLATE) -> None:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=_SPECIAL,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
    config["added_tokens_decoder"] = {str(i): {"content": s} for i, s in enumerate(_SPECIAL)}
    if chat_template is not None:
        config["chat_template"] = chat_template
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def files_of(folder: Path, *adapters: str) -> EngineFiles:
    return EngineFiles(
        folder / "base.pte",
        (folder / "foundation.ptd",),
        folder,
        tuple(
            AdapterFiles(name, folder / f"{name}.pte", (folder / f"{name}.ptd",))
            for name in adapters
        ),
    )


@contextlib.contextmanager
def an_engine(folder: Path, *adapters: str, **options: Any) -> Iterator[Engine]:
    engine = open_engine(files_of(folder, *adapters), **{"parallel": 2, **options})
    try:
        yield engine
    finally:
        engine.close()


@dataclass(frozen=True)
class Server:
    engine: Engine
    url: str

    def client(self, key: str = "no key", **options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, **options)


@contextlib.contextmanager
def serving(engine: Engine, options: AppOptions | None = None) -> Iterator[Server]:
    # Closed first: it would wait for answers that a failed test has left.
    with listening(create_app(engine, options), before_end=engine.close) as url:
        yield Server(engine, url)


@contextlib.contextmanager
def listening(app: Starlette, *, before_end: Callable[[], object] = lambda: None) -> Iterator[str]:
    """The address of ``app``, which a thread serves."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started or not thread.is_alive())
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        before_end()
        thread.join()


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Waits for it; fails where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail("what was waited for did not come")
        time.sleep(0.01)


class Events:
    """Of one answer, as the engine gives them."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self.has_text = threading.Event()
        self.has_ended = threading.Event()

    def put(self, event: Event) -> None:
        self.all.append(event)
        (self.has_text if isinstance(event, Text) else self.has_ended).set()

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.all if isinstance(event, Text))

    @property
    def end(self) -> End:
        assert self.has_ended.wait(60)
        (end,) = [event for event in self.all if isinstance(event, End)]
        assert self.all[-1] is end
        return end


def answer(engine: Engine, model: str, request: AnswerRequest) -> Events:
    """When it has ended."""
    events = Events()
    engine.start(engine.models.find(model), request, events.put)
    assert events.end
    return events
