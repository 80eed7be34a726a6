"""python -m onepack serve, as a process."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from serving import FOREVER, make_tokenizer

from onepack.__main__ import main
from onepack.serve import AppOptions, cli
from onepack.serve.cli import KEY_VARIABLE


def arguments(folder: Path) -> list[str]:
    return [
        str(folder / "base.pte"),
        f"--data={folder / 'foundation.ptd'}",
        f"--tokenizer={folder}",
        f"--adapter=first={folder / 'lora0.pte'},{folder / 'lora0.ptd'}",
    ]


def client_of(process: subprocess.Popen[str], key: str) -> openai.OpenAI:
    """Of a server that says on its standard error where it listens."""
    assert process.stderr is not None
    found = next(
        match
        for line in process.stderr
        if (match := re.search(r"running on (http://127\.0\.0\.1:\d+)", line))
    )
    return openai.OpenAI(base_url=f"{found[1]}/v1", api_key=key)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(model_folder: Path, told: signal.Signals) -> None:
    command = [sys.executable, "-m", "onepack", "serve", *arguments(model_folder)]
    command += ["--port=0", "--grace=0"]
    environment = {**os.environ, KEY_VARIABLE: "a key\n"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        try:
            client = client_of(process, "a key")
            assert [model.id for model in client.models.list()] == ["base", "first"]
            stream = client.completions.create(
                model="first", prompt="one foundation", stream=True, **FOREVER
            )
            next(stream)
            process.send_signal(told)
            with pytest.raises(openai.APIError, match="closing"):
                list(stream)
            rest = process.stderr.read()
        finally:
            process.terminate()
    assert process.returncode in (0, -told)
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("options", "reused"), [([], 63), (["--prefill-chunk=16"], 96), (["--context-memory=0"], 0)]
)
def test_what_is_kept_of_prompts_is_as_it_was_told(
    model_folder: Path, options: list[str], reused: int
) -> None:
    command = [sys.executable, "-m", "onepack", "serve", *arguments(model_folder)]
    with subprocess.Popen(
        [*command, "--port=0", *options], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            client = client_of(process, "none")
            prompt = list(range(10, 110))
            answers = [
                client.completions.create(model="first", prompt=prompt, max_tokens=4, temperature=0)
                for _ in range(3)
            ]
        finally:
            process.terminate()
    assert answers[0].choices == answers[1].choices == answers[2].choices
    found = []
    for answer in answers:
        assert answer.usage is not None
        assert answer.usage.prompt_tokens_details is not None
        found.append(answer.usage.prompt_tokens_details.cached_tokens)
    assert found == [0, 0, reused]


def test_an_answer_may_end_in_the_grace(model_folder: Path) -> None:
    command = [sys.executable, "-m", "onepack", "serve", *arguments(model_folder)]
    command += ["--port=0", "--grace=60"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            client = client_of(process, "none")
            options: dict[str, object] = {**FOREVER, "max_tokens": 3000}
            stream = client.completions.create(  # type: ignore[call-overload]
                model="first", prompt="one foundation", stream=True, **options
            )
            next(stream)
            process.send_signal(signal.SIGTERM)
            assert list(stream)[-1].choices[0].finish_reason == "length"
            process.stderr.read()
        finally:
            process.terminate()


def test_a_port_that_is_taken_is_a_failure(
    model_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as raised:
            main(["serve", *arguments(model_folder), f"--port={port}"])
    assert raised.value.code not in (None, 0)
    assert "in use" in capfd.readouterr().err


def test_what_does_not_fit_is_named(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tokenizer(tmp_path)
    wrong = f"--adapter=misfit={model_folder / 'lora0.pte'}"
    for options, expected in (
        ([wrong], "adapter 'misfit': "),
        ([f"--api-key-file={tmp_path / 'nothing'}"], "nothing"),
        ([f"--tokenizer={tmp_path / 'nowhere'}"], "nowhere"),
    ):
        assert main(["serve", *arguments(model_folder), *options]) == 1
        assert expected in capsys.readouterr().err
    empty = tmp_path / "key"
    empty.write_text("\n")
    assert main(["serve", *arguments(model_folder), f"--api-key-file={empty}"]) == 1
    assert "empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    ["--adapter=a", "--adapter==a.pte", "--adapters-dir=/no/folder", "--parallel=0", "--queue=-1"],
)
def test_a_wrong_command_line_is_status_2(model_folder: Path, option: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["serve", *arguments(model_folder), option])
    assert raised.value.code == 2


def test_a_number_that_is_too_small_is_named(
    model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", *arguments(model_folder), "--parallel=0"])
    assert "--parallel: '0' is not a number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "names", "is_open"),
    [
        ("127.0.0.1", {"localhost", "127.0.0.1", "::1"}, False),
        ("Localhost", {"localhost", "127.0.0.1", "::1", "Localhost"}, False),
        ("127.0.0.2", {"localhost", "127.0.0.1", "::1", "127.0.0.2"}, False),
        ("::1", {"localhost", "127.0.0.1", "::1"}, False),
        ("0.0.0.0", set(), True),
    ],
)
def test_a_server_knows_its_own_names_and_warns_where_others_reach_it(
    model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    host: str,
    names: set[str],
    is_open: bool,
) -> None:
    found: list[AppOptions] = []

    def stop_here(_: object, options: AppOptions) -> None:
        found.append(options)
        raise SystemExit

    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.setattr(cli, "create_app", stop_here)
    with pytest.raises(SystemExit):
        main(["serve", *arguments(model_folder), f"--host={host}"])
    assert set(found[0].allowed_hosts) == names
    assert ("no API key is required" in capsys.readouterr().err) == is_open


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "pydantic", "prometheus_client"])
def test_what_is_not_installed_is_named_with_the_extra(missing: str) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from onepack.__main__ import main\n"
        "main(['serve', '--help'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"onepack.serve needs {missing}: pip install 'onepack[serve]'\n"
