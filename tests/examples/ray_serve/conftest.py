from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from cluster import ADAPTERS, Cluster, running
from serving import COMMAND, VOCABULARY, make_tokenizer

# 54 MB of 4-bit weights, beside which embeddings are small: not all of them are ever read.
_SIZES = {"layers": 6, "dim": 1024, "heads": 8, "kv-heads": 2, "head-dim": 64, "ffn": 4096}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the models."""
    if not COMMAND:
        pytest.skip("ONEPACK_COMMAND names no command")
    folder = tmp_path_factory.mktemp("served")
    sizes = {**_SIZES, "vocabulary": VOCABULARY, "context": 8192, "adapters": len(ADAPTERS)}
    options = [text for name, size in sizes.items() for text in (f"--{name}", str(size))]
    command = [COMMAND, "make-model", "llm", str(folder), "--weights", "8da4w", *options]
    command.append("--int8-embedding")
    subprocess.run(command, check=True, capture_output=True)
    make_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def cluster(folder: Path) -> Iterator[Cluster]:
    with running(folder) as cluster:
        yield cluster


@pytest.fixture
def client(cluster: Cluster) -> Iterator[openai.OpenAI]:
    with cluster.client() as client:
        yield client
