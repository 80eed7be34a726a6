"""The server's own endpoints, and what clients of OpenAI's API do not send."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import threading
import urllib.error
import urllib.request
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from serving import CONTEXT, FOREVER, Server, make_model, make_tokenizer, serving, until

from onepack import InvalidArgumentError, LanguageModel
from onepack.serve import AppOptions, Engine, EngineFiles, open_engine


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    server: Server, path: str, body: Any = None, method: str | None = None, **headers: str
) -> Reply:
    """``body``: bytes as they are, anything else as JSON."""
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        server.url + path, raw, {"Content-Type": "application/json", **named}, method=method
    )
    try:
        with urllib.request.urlopen(request) as response:
            return Reply(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.headers, error.read())


CHAT = {"model": "base", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}


# ---- Bodies


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100000, b'{"model": ' + b"9" * 5000 + b"}"]
)
def test_a_body_that_is_no_object_is_400(server: Server, body: bytes) -> None:
    reply = ask(server, "/v1/chat/completions", body, "POST")
    assert reply.status == 400
    assert reply.json["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("field", ["model", "messages", "prompt", "unknown"])
def test_half_a_character_is_no_text(server: Server, field: str) -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/adapters"):
        reply = ask(server, path, {field: "\ud800"})
        assert reply.status == 400


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model": "\xed\xa0\x80"}',  # U+D800, as if it were a character
        '{"model": "hi"}'.encode("utf-16"),
        '{"model": "hi"}'.encode("utf-32"),
        b'\xef\xbb\xbf{"model": "hi"}',
    ],
)
def test_a_body_is_utf_8(server: Server, raw: bytes) -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/adapters"):
        reply = ask(server, path, raw)
        assert reply.status == 400
        assert "not JSON" in reply.json["error"]["message"]


def test_a_text_that_cannot_fit_is_not_tokenized(
    server: Server, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(*_: Any) -> list[int]:
        pytest.fail("it was")

    monkeypatch.setattr(engine.tokenizer, "encode", encode)
    monkeypatch.setattr(engine.tokenizer, "encode_chat", encode)
    text = "a" * (16 * CONTEXT + 1)
    message = {"role": "user", "content": text}
    for path, field, value in (
        ("/v1/completions", "prompt", text),
        ("/v1/chat/completions", "messages", [message]),
    ):
        error = ask(server, path, {"model": "base", field: value}).json["error"]
        assert (error["param"], error["code"]) == (field, "context_length_exceeded")


def test_a_body_that_is_too_large_is_413(server: Server) -> None:
    reply = ask(server, "/v1/chat/completions", b" " * (3 << 20))
    assert reply.status == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_form_of_another_site_is_refused(server: Server, kind: str) -> None:
    for path in ("/v1/chat/completions", "/v1/adapters"):
        assert ask(server, path, b"{}", Content_Type=kind).status == 415


def test_what_there_is_not_is_told_in_the_same_form(server: Server) -> None:
    for path, method, status in (
        ("/v1/nothing", "GET", 404),
        ("/v1/chat/completions", "GET", 405),
        ("/v1/models", "POST", 405),
    ):
        reply = ask(server, path, b"{}" if method == "POST" else None, method)
        assert reply.status == status
        assert reply.json["error"]["message"]


def test_events_are_as_openai_sends_them(server: Server) -> None:
    reply = ask(server, "/v1/chat/completions", {**CHAT, "stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["content-length"] is None
    assert reply.headers["x-accel-buffering"] == "no"
    assert reply.body.isascii()
    events = reply.body.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: {") for event in events[:-2])
    assert all("usage" not in json.loads(event[6:]) for event in events[:-2])
    options = {"stream": True, "stream_options": {"include_usage": True}}
    events = ask(server, "/v1/chat/completions", {**CHAT, **options}).body.decode().split("\n\n")
    *others, last = (json.loads(event[6:]) for event in events[:-2])
    assert all(event["usage"] is None for event in others)
    assert last["usage"]["total_tokens"] > last["usage"]["completion_tokens"] > 0


def test_a_failure_of_the_model_is_500(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise InvalidArgumentError("no good")

    monkeypatch.setattr(LanguageModel, "reset", fail)
    reply = ask(server, "/v1/chat/completions", CHAT)
    assert (reply.status, reply.json["error"]["type"]) == (500, "server_error")


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)))


def head(length: int) -> bytes:
    return (
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length
    )


@pytest.mark.parametrize(("stream", "status"), [(True, 200), (False, 499)])
def test_who_hangs_up_without_reading_cancels(
    server: Server, engine: Engine, stream: bool, status: int
) -> None:
    body = {"model": "base", "prompt": "hi", "max_tokens": 60000, "ignore_eos": True}
    raw = json.dumps({**body, "stream": stream}).encode()
    with connect(server) as connection:
        connection.sendall(head(len(raw)) + raw)
        until(lambda: engine.scheduler.running == 1)
    until(lambda: engine.scheduler.running == 0)
    assert b'onepack_answers_total{model="base",outcome="cancelled"} 1.0' in metrics(server)
    endpoint = 'onepack_requests_total{endpoint="/v1/completions",'
    counted = f'{endpoint}model="base",status="{status}"}} 1.0'.encode()
    until(lambda: counted in metrics(server))
    assert metrics(server).count(endpoint.encode()) == 1


def test_who_hangs_up_in_the_middle_of_a_body_is_no_failure(server: Server) -> None:
    with connect(server) as connection:
        connection.sendall(head(100) + b"{")
    counted = b'onepack_requests_total{endpoint="/v1/completions",model="",status="499"} 1.0'
    until(lambda: counted in metrics(server))
    assert b'status="500"' not in metrics(server)


@pytest.mark.parametrize("stream", [True, False])
def test_an_answered_request_keeps_no_model(server: Server, engine: Engine, stream: bool) -> None:
    model = weakref.ref(engine.models.find("lora0"))
    gc.disable()
    try:
        body = {**CHAT, "model": "lora0", "stream": stream}
        assert ask(server, "/v1/chat/completions", body).status == 200
        assert ask(server, "/v1/adapters/lora0", method="DELETE").status == 200
        until(lambda: model() is None)
    finally:
        gc.enable()


# ---- Health and metrics


def metrics(server: Server) -> bytes:
    return ask(server, "/metrics").body


def test_health(server: Server) -> None:
    assert (ask(server, "/health").status, ask(server, "/health").json) == (200, {"status": "ok"})


def test_metrics_tell_what_was_done_and_what_is_held(server: Server, engine: Engine) -> None:
    ask(server, "/v1/chat/completions", {**CHAT, "ignore_eos": True})
    ask(server, "/v1/chat/completions", {**CHAT, "model": "not a model"})
    ask(server, "/v1/some/where")
    reply = ask(server, "/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    found = dict(line.rsplit(" ", 1) for line in reply.body.decode().splitlines() if line[0] != "#")
    endpoint = 'onepack_requests_total{endpoint="/v1/chat/completions",'
    assert found[endpoint + 'model="base",status="200"}'] == "1.0"
    assert found[endpoint + 'model="",status="404"}'] == "1.0"
    assert found['onepack_requests_total{endpoint="other",model="",status="404"}'] == "1.0"
    assert found['onepack_answers_total{model="base",outcome="length"}'] == "1.0"
    assert found['onepack_completion_tokens_total{model="base"}'] == "4.0"
    assert found['onepack_decode_tokens_total{model="base"}'] == "3.0"
    assert float(found['onepack_tokens_per_second{model="base"}']) > 0
    assert found['onepack_time_to_first_token_seconds_count{model="base"}'] == "1.0"
    assert found["onepack_running"] == "0.0"
    assert found["onepack_queue_limit"] == "2.0"
    stats = engine.models.cache.stats()
    assert float(found["onepack_cache_pins"]) == stats.pins > 0
    assert float(found["onepack_cache_hits_total"]) == stats.hits > 0
    assert float(found["onepack_process_anonymous_bytes"]) > 1e6
    base = engine.models.base.memory
    packed = 'onepack_model_weight_bytes{kind="packed",model="base"}'
    assert float(found[packed]) == base.packed_bytes
    assert "not a model" not in reply.body.decode()


def test_a_dropped_model_has_no_gauges(server: Server) -> None:
    gauges = (b'onepack_tokens_per_second{model="lora0"}', b'kind="packed",model="lora0"}')
    ask(server, "/v1/chat/completions", {**CHAT, "model": "lora0", "ignore_eos": True})
    assert all(gauge in metrics(server) for gauge in gauges)
    ask(server, "/v1/adapters/lora0", method="DELETE")
    assert not any(gauge in metrics(server) for gauge in gauges)


# ---- Keys and hosts


def test_with_a_key_only_the_page_and_health_are_open(engine: Engine) -> None:
    with serving(engine, AppOptions("a key")) as server:
        for path in ("/v1/models", "/v1/adapters", "/metrics", "/v1/chat/completions"):
            assert ask(server, path).status == 401
            assert ask(server, path, Authorization="Basic a key").status == 401
            assert ask(server, path, Authorization="Bearer cl\xe9").status == 401
        for path in ("/", "/page.js", "/page.css", "/health"):
            assert ask(server, path).status == 200
        reply = ask(server, "/v1/models")
        assert reply.headers["www-authenticate"] == "Bearer"
        assert reply.json["error"]["code"] == "invalid_api_key"
        assert ask(server, "/metrics", Authorization="bearer a key").status == 200
        refused = b'onepack_requests_total{endpoint="/v1/models",model="",status="401"} 4.0'
        assert refused in ask(server, "/metrics", Authorization="Bearer a key").body


def test_only_names_that_are_the_servers_own_are_answered(engine: Engine) -> None:
    hosts = ("LocalHost", "127.0.0.1", "::1")
    with serving(engine, AppOptions(allowed_hosts=hosts)) as server:
        assert ask(server, "/v1/models").status == 200
        for own in ("localhost", "localhost:8000", "LOCALHOST", "[::1]", "[::1]:8000"):
            assert ask(server, "/v1/models", Host=own).status == 200
        for other in ("rebound.example", "rebound.example:8000", "localhost.example", "[::2]"):
            reply = ask(server, "/v1/models", Host=other)
            assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_host")


# ---- Adapters


def test_adapters_are_listed_with_their_memory(server: Server, engine: Engine) -> None:
    found = ask(server, "/v1/adapters").json
    assert [model["id"] for model in found["data"]] == ["base", "lora0", "lora1"]
    assert [model["is_base"] for model in found["data"]] == [True, False, False]
    assert found["data"][0]["memory"] == vars(engine.models.base.memory)
    assert found["data"][0]["max_context"] == 65536
    assert found["has_chat_template"]
    assert found["can_change"]
    assert found["process"]["anonymous_bytes"] > 1e6


def test_adapters_are_added_and_dropped_while_others_answer(server: Server) -> None:
    with server.client() as client:
        messages: Any = CHAT["messages"]
        stream = client.chat.completions.create(
            model="lora0", messages=messages, stream=True, **FOREVER
        )
        next(stream)
        body = {"name": "org/new:v1", "program": "lora1.pte", "data": "lora1.ptd"}
        added = ask(server, "/v1/adapters", body)
        assert (added.status, added.json["id"]) == (201, "org/new:v1")
        assert client.models.retrieve("org/new:v1").id == "org/new:v1"
        old, new = (
            client.chat.completions.create(
                model=name, messages=messages, seed=7, max_tokens=24
            ).choices[0]
            for name in ("lora1", "org/new:v1")
        )
        assert new.message == old.message
        assert ask(server, "/v1/adapters", body).status == 409
        dropped = ask(server, "/v1/adapters/org/new:v1", method="DELETE")
        assert dropped.json == {"id": "org/new:v1", "object": "adapter", "deleted": True}
        assert [model.id for model in client.models.list()] == ["base", "lora0", "lora1"]
        assert ask(server, "/v1/adapters/org/new:v1", method="DELETE").status == 404
        # The one that answers goes, and answers on.
        assert ask(server, "/v1/adapters/lora0", method="DELETE").status == 200
        assert any(chunk.choices[0].delta.content for _, chunk in zip(range(9), stream))
        assert ask(server, "/v1/chat/completions", {**CHAT, "model": "lora0"}).status == 404
        stream.close()


def test_slow_loads_hold_one_thread_and_few_wait(
    server: Server, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    running: list[str] = []

    def add(name: str, *_: Any) -> Any:
        running.append(name)
        assert go_on.wait(60)
        return engine.models.base

    monkeypatch.setattr(engine.models, "add", add)
    statuses: list[int] = []

    def load(name: str) -> None:
        body = {"name": name, "program": "lora0.pte"}
        statuses.append(ask(server, "/v1/adapters", body).status)

    loads = [threading.Thread(target=load, args=(f"a{i}",)) for i in range(12)]
    for thread in loads:
        thread.start()
    until(lambda: len(statuses) == 3)  # one loads, eight wait
    assert statuses == [429] * 3
    assert len(running) == 1
    assert ask(server, "/v1/chat/completions", CHAT).status == 200
    go_on.set()
    for thread in loads:
        thread.join()
    assert sorted(statuses) == [201] * 9 + [429] * 3


def test_the_base_stays(server: Server) -> None:
    reply = ask(server, "/v1/adapters/base", method="DELETE")
    assert reply.status == 400
    assert "base" in reply.json["error"]["message"]


def test_an_adapter_that_does_not_fit_is_refused_by_name(
    server: Server, model_folder: Path, tmp_path: Path
) -> None:
    make_model(tmp_path, seed=1, adapters=1)
    for file in ("lora0.pte", "lora0.ptd", "foundation.ptd"):
        shutil.copy(tmp_path / file, model_folder / f"other_{file}")
    (model_folder / "damaged.pte").write_bytes(b"no program")
    for body, code in (
        ({"program": "other_lora0.pte", "data": "other_lora0.ptd"}, None),
        (
            {"program": "other_lora0.pte", "data": ["other_lora0.ptd", "other_foundation.ptd"]},
            "mismatch",
        ),
        ({"program": "lora0.pte"}, "not_found"),
        ({"program": "nothing.pte"}, "not_found"),
        ({"program": "damaged.pte"}, "invalid_file"),
    ):
        reply = ask(server, "/v1/adapters", {"name": "misfit", **body})
        assert reply.status == 400
        error = reply.json["error"]
        assert error["message"].startswith("adapter 'misfit' is refused: ")
        assert code in (None, error["code"])
    names = [model["id"] for model in ask(server, "/v1/models").json["data"]]
    assert names == ["base", "lora0", "lora1"]


def test_adapters_come_from_their_folder_only(
    server: Server, model_folder: Path, tmp_path: Path
) -> None:
    for file in ("lora0.pte", "lora0.ptd"):
        shutil.copy(model_folder / file, tmp_path / file)
    (model_folder / "link.pte").symlink_to(tmp_path / "lora0.pte")
    inside = {"name": "new", "program": "lora0.pte", "data": "lora0.ptd"}
    for field, path in (
        ("program", str(tmp_path / "lora0.pte")),
        ("program", f"../{tmp_path.name}/lora0.pte"),
        ("program", "link.pte"),
        ("data", str(tmp_path / "lora0.ptd")),
        ("data", "../nothing"),
    ):
        reply = ask(server, "/v1/adapters", {**inside, field: path})
        error = reply.json["error"]
        assert (reply.status, error["param"], error["code"]) == (400, field, "path_not_allowed")
    assert ask(server, "/v1/adapters", {**inside, "program": "a\0b"}).status == 400
    assert ask(server, "/v1/adapters", inside).status == 201


def test_adapters_are_fixed_without_a_folder(engine: Engine) -> None:
    with serving(engine) as server:
        body = {"name": "new", "program": "lora0.pte"}
        assert ask(server, "/v1/adapters", body).status == 403
        assert ask(server, "/v1/adapters/lora0", method="DELETE").status == 403
        assert not ask(server, "/v1/adapters").json["can_change"]
        assert len(ask(server, "/v1/models").json["data"]) == 3


# ---- Tokenizers


def test_without_a_chat_template_there_are_texts_and_no_chats(
    model_folder: Path, tmp_path: Path
) -> None:
    make_tokenizer(tmp_path, chat_template=None)
    files = EngineFiles(
        model_folder / "base.pte", (model_folder / "foundation.ptd",), tmp_path, name="a name"
    )
    with serving(open_engine(files)) as server:
        reply = ask(server, "/v1/chat/completions", {**CHAT, "model": "a name"})
        assert reply.status == 400
        assert "chat template" in reply.json["error"]["message"]
        assert ask(server, "/v1/completions", {"model": "a name", "prompt": "hi"}).status == 200
        assert not ask(server, "/v1/adapters").json["has_chat_template"]


def test_a_template_that_refuses_is_400(model_folder: Path, tmp_path: Path) -> None:
    make_tokenizer(tmp_path, chat_template="{{ raise_exception('roles must alternate') }}")
    files = EngineFiles(model_folder / "base.pte", (model_folder / "foundation.ptd",), tmp_path)
    with serving(open_engine(files)) as server:
        reply = ask(server, "/v1/chat/completions", CHAT)
        assert reply.status == 400
        assert "roles must alternate" in reply.json["error"]["message"]
