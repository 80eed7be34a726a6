"""OUT_DIR has all files of an export or none, whatever fails. What exports is replaced: it takes minutes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")
pytest.importorskip("executorch.examples.models.llama.export_llama_lib")
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "examples/hugging_face"))

from executorch.extension.llm.export.config.llm_config import LlmConfig, LoraConfig

import export


class SmallModel:
    """As much of a ModelFolder as an export asks for."""

    def eos_ids(self) -> list[int]:
        return [1]

    def architecture(self) -> dict[str, object]:
        return {}

    def weights(self) -> dict[str, Any]:
        return {}

    def copy_tokenizer(self, folder: Path) -> None:
        (folder / "tokenizer.json").write_text("{}")


def export_to(out: Path, *adapters: str) -> None:
    model: Any = SmallModel()
    lora = LoraConfig(
        adapter_checkpoint="a file", lora_rank=8, lora_alpha=8, target_modules=["q_proj"]
    )
    export.export_all(model, dict.fromkeys(adapters, lora), "fp32", 128, out)


def files_of(config: LlmConfig, foundation: str = "of all") -> None:
    folder, name = Path(config.export.output_dir), config.export.output_name
    (folder / f"{name}.pte").write_text("new")
    (folder / "foundation.ptd").write_text(foundation)
    if name != export.BASE:
        (folder / f"{name}.ptd").write_text("new")


def test_a_finished_export_has_its_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "export_llama", files_of)
    (tmp_path / "base.pte").write_text("old")
    export_to(tmp_path, "a", "b")
    names = ["a.ptd", "a.pte", "b.ptd", "b.pte", "base.pte", "foundation.ptd", "tokenizer.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "base.pte").read_text() == "new"


def test_a_failed_export_leaves_the_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_another_foundation_for_b(config: LlmConfig) -> None:
        files_of(config, "another" if config.export.output_name == "b" else "of all")

    monkeypatch.setattr(export, "export_llama", with_another_foundation_for_b)
    (tmp_path / "base.pte").write_text("old")
    with pytest.raises(SystemExit, match="the foundation of 'b' is not that of the base"):
        export_to(tmp_path, "a", "b")
    assert [path.name for path in tmp_path.iterdir()] == ["base.pte"]
    assert (tmp_path / "base.pte").read_text() == "old"
