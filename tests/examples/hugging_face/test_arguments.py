"""What examples/hugging_face refuses before it exports: in its environment (README.md there), without onepack.

python -m pytest tests/examples/hugging_face
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")
pytest.importorskip("executorch.examples.models.llama.export_llama_lib")
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples/hugging_face"))

import torch
from peft import AdaLoraConfig, LoraConfig
from safetensors.torch import save_file

from adapter_folder import AdapterFolder
from export import parse_arguments

LAYERS, RANK, WIDTH = 2, 4, 8


def make_adapter(folder: Path, **settings: Any) -> Path:
    """An adapter of `q_proj` as PEFT saves it, but for settings, which are changed in the JSON."""
    LoraConfig(r=RANK, lora_alpha=8, target_modules=["q_proj"]).save_pretrained(folder)
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    start, end = "base_model.model.model.layers", "self_attn.q_proj"
    weights = {f"{start}.{i}.{end}.lora_A.weight": torch.ones(RANK, WIDTH) for i in range(LAYERS)}
    weights |= {f"{start}.{i}.{end}.lora_B.weight": torch.ones(WIDTH, RANK) for i in range(LAYERS)}
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


def arguments(*adapters: str) -> list[str]:
    options = [f"--adapter={adapter}" for adapter in adapters]
    return ["model", "out", "--weights", "fp32", "--context", "128", *options]


def test_what_is_taken_gets_to_the_exporter(tmp_path: Path) -> None:
    config = AdapterFolder(make_adapter(tmp_path)).lora_config(LAYERS)
    assert (config.lora_rank, config.lora_alpha, config.target_modules) == (RANK, 8, ["q_proj"])
    of_its_root = AdapterFolder(make_adapter(tmp_path, use_rslora=True)).lora_config(LAYERS)
    assert of_its_root.lora_alpha == 16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"use_newer_scaling": True}, "'use_newer_scaling' is not a setting of LoRA in PEFT "),
        ({"peft_type": "NEWKIND"}, "'peft_type' is 'NEWKIND', 'LORA' expected"),
        ({"use_dora": True}, "'use_dora' is True, False expected"),
        (
            {"init_lora_weights": "pissa"},
            "'init_lora_weights' is 'pissa': the base was another one",
        ),
    ],
)
def test_a_setting_that_would_be_lost_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    folder = make_adapter(tmp_path, **settings)
    with pytest.raises(SystemExit, match=re.escape(f"{folder}/adapter_config.json: {message}")):
        AdapterFolder(folder)


def test_another_kind_of_adapter_is_refused(tmp_path: Path) -> None:
    make_adapter(tmp_path)
    AdaLoraConfig(total_step=1, target_modules=["q_proj"]).save_pretrained(tmp_path)
    with pytest.raises(SystemExit, match="'peft_type' is 'ADALORA', 'LORA' expected"):
        AdapterFolder(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    make_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(SystemExit, match=r"adapter_config\.json: (not JSON|an object expected)"):
        AdapterFolder(tmp_path)


def test_an_adapter_of_fewer_layers_is_refused(tmp_path: Path) -> None:
    adapter = AdapterFolder(make_adapter(tmp_path))
    with pytest.raises(SystemExit, match=r"'base_model\.model\.model\.layers\.2\..*' is missing"):
        adapter.lora_config(LAYERS + 1)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([""], "NAME=PEFT_DIR expected"),
        ([".."], "NAME=PEFT_DIR expected"),
        (["a/b"], "NAME=PEFT_DIR expected"),
        (["a.pte"], "NAME=PEFT_DIR expected"),
        (["params.json"], "NAME=PEFT_DIR expected"),
        (["base"], "the name 'base' is taken"),
        (["foundation"], "the name 'foundation' is taken"),
        (["a", "b", "a"], "the name 'a' is given more than once"),
    ],
)
def test_a_name_is_for_one_adapter(
    tmp_path: Path, names: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_adapter(tmp_path)
    with pytest.raises(SystemExit):
        parse_arguments(arguments(*(f"{name}={folder}" for name in names)))
    assert message in capsys.readouterr().err


def test_adapters_keep_their_order(tmp_path: Path) -> None:
    folder = make_adapter(tmp_path)
    parsed = parse_arguments(arguments(*(f"{name}={folder}" for name in ("french", "a-1_B"))))
    assert [name for name, _ in parsed.adapter] == ["french", "a-1_B"]
