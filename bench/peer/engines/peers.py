"""The engines that are compared: which program measures each, and which files are the base and its adapters."""

from . import shape

OWN = "onepack"
OTHERS = ("llama", "genai")
EXECUTORCH = "executorch"
PEERS = (OWN, *OTHERS, EXECUTORCH)
TITLES = {
    OWN: "onepack",
    "llama": "llama.cpp",
    "genai": "ONNX Runtime GenAI",
    EXECUTORCH: "ExecuTorch",
}
# Tokens of a prompt that one run takes: as many as the exported program has room for, or all.
CHUNK = {OWN: 128, "llama": shape.CONTEXT, "genai": shape.CONTEXT, EXECUTORCH: 128}


def program(peer: str, models: str, adapter: tuple[int, int] | None) -> str:
    """What the peer's program takes as --program; `adapter` is None for the base, or rank and number."""
    if peer == "llama":
        files = [f"{models}/llama/base.gguf"]
        if adapter:
            files.append(f"{models}/llama/rank{adapter[0]}_{adapter[1]}.gguf")
    elif peer == "genai":
        files = [f"{models}/genai/base"]
        if adapter:
            files = [
                f"{models}/genai/with_adapters",
                f"{models}/genai/rank{adapter[0]}_{adapter[1]}.onnx_adapter",
            ]
    else:
        folder = f"{models}/onepack/rank{adapter[0] if adapter else min(shape.ADAPTERS)}"
        files = [f"{folder}/base.pte", f"{folder}/foundation.ptd"]
        if adapter:
            files = [
                f"{folder}/lora{adapter[1]}.pte",
                f"{folder}/foundation.ptd",
                f"{folder}/lora{adapter[1]}.ptd",
            ]
    return ",".join(files)
