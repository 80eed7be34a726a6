"""From a Qwen3 model of Hugging Face's and LoRA adapters of PEFT's to files for onepack.

    python export.py MODEL_DIR OUT_DIR --weights 8da4w --context 2048 --adapter french=PEFT_DIR

The package `executorch` exports one program after the other; here the folders are read, and the
foundation is kept once.
"""

import argparse
import contextlib
import filecmp
import json
import logging
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from executorch.examples.models.llama.export_llama_lib import export_llama
from executorch.extension.llm.export.config.llm_config import (
    BaseConfig,
    ExportConfig,
    LlmConfig,
    LoraConfig,
    ModelConfig,
    ModelType,
    QuantizationConfig,
)

from adapter_folder import AdapterFolder
from model_folder import ModelFolder

BASE, FOUNDATION = "base", "foundation"

# A longer prompt takes several calls. The program plans memory for one as long as this.
LONGEST_CALL = 256

QUANTIZATION = {
    "fp32": {},
    # Weights int4 in blocks of 32, activations int8 as they come; the embedding int8 by row.
    "8da4w": {"qmode": "8da4w", "group_size": 32, "embedding_quantize": "8,0"},
}


class Exporter:
    """Exports programs over the weights of one model, each into a new folder where it works.

    Paths are relative, for the exporter takes a checkpoint to be quantized when its path has
    "int8" or "8da4w" anywhere in it.
    """

    checkpoint = Path("checkpoint.pth")
    params = Path("params.json")

    def __init__(self, model: ModelFolder, weights: str, context: int):
        self.weights = weights
        self.context = context
        self.eos_ids = model.eos_ids()
        self.params.write_text(json.dumps(model.architecture()))
        torch.save(model.weights(), self.checkpoint)

    def export(self, name: str, lora: LoraConfig | None) -> Path:
        """The folder of NAME.pte, foundation.ptd and, with an adapter, NAME.ptd."""
        folder = Path(name)
        folder.mkdir()
        export_llama(self._config(name, lora, folder))
        return folder

    def _config(self, name: str, lora: LoraConfig | None, folder: Path) -> LlmConfig:
        config = LlmConfig(
            base=BaseConfig(
                model_class=ModelType.qwen3_0_6b,  # of any size: `params` has the numbers
                checkpoint=str(self.checkpoint),
                params=str(self.params),
                metadata=json.dumps({"get_eos_ids": self.eos_ids}),
                lora_config=lora,
            ),
            model=ModelConfig(use_kv_cache=True, use_sdpa_with_kv_cache=True),
            export=ExportConfig(
                max_seq_length=min(self.context, LONGEST_CALL),
                max_context_length=self.context,
                output_dir=str(folder),
                output_name=name,
                foundation_weights_file=FOUNDATION,
                lora_weights_file=name,
            ),
            quantization=QuantizationConfig(**QUANTIZATION[self.weights]),
        )
        config.backend.xnnpack.enabled = True
        config.backend.xnnpack.extended_ops = True  # more than the quantized linears
        return config


def export_all(
    model: ModelFolder, adapters: dict[str, LoraConfig], weights: str, context: int, out: Path
) -> None:
    """All files or none: they get into `out` when the last one is there."""
    out.mkdir(parents=True, exist_ok=True)
    out = out.resolve()
    with tempfile.TemporaryDirectory(dir=out) as scratch, contextlib.chdir(scratch):
        exporter = Exporter(model, weights, context)
        ready = exporter.export(BASE, None)  # the others join it
        foundation = ready / f"{FOUNDATION}.ptd"
        for name, lora in adapters.items():
            folder = exporter.export(name, lora)
            if not filecmp.cmp(folder / foundation.name, foundation, shallow=False):
                raise SystemExit(f"the foundation of '{name}' is not that of the base")
            for file in (f"{name}.pte", f"{name}.ptd"):
                (folder / file).replace(ready / file)
            shutil.rmtree(folder)
        model.copy_tokenizer(ready)
        for path in ready.iterdir():
            path.replace(out / path.name)


class ErrorsEnd(logging.Handler):
    """The exporter logs that it could not write a file, and goes on."""

    def emit(self, record: logging.LogRecord) -> None:
        raise SystemExit(record.getMessage())


def adapter_argument(text: str) -> tuple[str, AdapterFolder]:
    name, _, folder = text.partition("=")
    # Without dots: the exporter takes a name that ends in ".pte" for a path.
    if not folder or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        expected = "NAME=PEFT_DIR expected, NAME a letter and then letters, digits, '_' or '-'"
        raise argparse.ArgumentTypeError(f"'{text}': {expected}")
    if name in (BASE, FOUNDATION):
        raise argparse.ArgumentTypeError(f"'{text}': the name '{name}' is taken")
    return name, AdapterFolder(Path(folder))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--weights", choices=QUANTIZATION, required=True)
    parser.add_argument("--context", type=int, required=True, help="tokens of prompt and answer")
    parser.add_argument(
        "--adapter", type=adapter_argument, action="append", default=[], metavar="NAME=PEFT_DIR"
    )
    args = parser.parse_args(arguments)
    names = [name for name, _ in args.adapter]
    for name in names:
        if names.count(name) > 1:
            parser.error(f"argument --adapter: the name '{name}' is given more than once")
    return args


def main() -> None:
    args = parse_arguments()
    model = ModelFolder(args.model_dir)
    layers = model.config.num_hidden_layers
    adapters = {name: folder.lora_config(layers) for name, folder in args.adapter}

    logging.getLogger().setLevel(logging.ERROR)
    logging.getLogger().addHandler(ErrorsEnd(logging.ERROR))
    warnings.simplefilter("ignore")  # of the libraries about each other
    export_all(model, adapters, args.weights, args.context, args.out_dir)


if __name__ == "__main__":
    main()
