#!/usr/bin/env python3
"""What a file of packed weights saves, beside ExecuTorch's packed cache and ONNX Runtime's prepacked initializers.

    python3 bench/peer/packed_files.py BUILD FOLDER [--pairs N]

BUILD is a build folder with bench/peer (the preset release); models are made in FOLDER where they are not there yet.
Prints the tables of docs/packed_files.md. Each start is a process of its own, and those of a round follow each other;
a figure is the median of N rounds. ONNX Runtime is measured where Python has the packages onnx and onnxruntime.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

WIDTH, HIDDEN, BLOCKS = 1024, 4096, 9


def start(command):
    """A process that holds what it has loaded; what it said when it was ready."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{' '.join(command)}: status {process.wait()}")
    return process, json.loads(line)


def ask(process):
    """What it holds now."""
    process.stdin.write("\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def finish(process):
    process.communicate("\n")
    if process.returncode != 0:
        raise RuntimeError(f"status {process.returncode}")


def run(command):
    process, ready = start(command)
    ask(process)
    finish(process)
    return ready


class Peer:
    """Starts over a file that is not there, over one that is, and without any."""

    def __init__(self, name, command, files, disk):
        self.name = name
        self.command = command  # of (packed file or None, adapter or None)
        self.files = files  # that a start over a packed file leaves
        self.disk = disk  # bytes of the model, without them

    def measure(self):
        for path in self.files:
            if os.path.exists(path):
                os.remove(path)
        figures = {}
        figures["without a file"] = run(self.command(None, None))
        figures["first start"] = run(self.command(self.files[0], None))
        figures["next start"] = run(self.command(self.files[0], None))
        first, _ = start(self.command(self.files[0], None))
        second, ready = start(self.command(self.files[0], None))
        figures["second process"] = ready
        figures["pair"] = sum(ask(process)["memory"]["proportional_bytes"] for process in (first, second))
        finish(first)
        finish(second)
        size = sum(os.path.getsize(path) for path in self.files if os.path.exists(path))
        figures["file"] = size
        figures["disk"] = self.disk + size
        if self.command(None, 0) is not None:
            figures["adapter, first start"] = run(self.command(self.files[0], 0))
            figures["adapter, next start"] = run(self.command(self.files[0], 0))
            figures["file with adapter"] = sum(os.path.getsize(path) for path in self.files if os.path.exists(path))
        return figures


def driver_peer(name, program, folder, build, packed, extra):
    def command(packed_file, adapter):
        names = ["base"] if adapter is None else [f"lora{adapter}"]
        arguments = [os.path.join(build, "bench", "peer", program), "hold"]
        for one in names:
            files = [f"{one}.pte", "foundation.ptd"] + ([f"{one}.ptd"] if one != "base" else [])
            arguments += ["--program", ",".join(os.path.join(folder, file) for file in files)]
        return arguments + extra + (["--packed", packed_file] if packed_file else [])

    disk = sum(os.path.getsize(os.path.join(folder, file)) for file in ("base.pte", "foundation.ptd"))
    return Peer(name, command, packed, disk)


# ONNX Runtime, in Python: a stack of the same matrices.

def make_onnx_stack(folder):
    """Blocks of three matrices, as onepack make-model stack makes them; weights in a file beside the model."""
    import numpy
    import onnx
    from onnx import TensorProto, helper

    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "stack.onnx")
    random = numpy.random.default_rng(1)
    nodes, initializers, value = [], [], "x"
    shapes = [(WIDTH, HIDDEN), (WIDTH, HIDDEN), (HIDDEN, WIDTH)]
    for block in range(BLOCKS):
        names = []
        for number, (inputs, outputs) in enumerate(shapes):
            name = f"w{block}.{number}"
            weight = random.standard_normal((inputs, outputs), dtype=numpy.float32) / inputs**0.5
            initializers.append(onnx.numpy_helper.from_array(weight, name))
            names.append(name)
        gate, up, product, result = (f"{part}{block}" for part in ("gate", "up", "product", "y"))
        nodes += [helper.make_node("MatMul", [value, names[0]], [gate]),
                  helper.make_node("MatMul", [value, names[1]], [up]),
                  helper.make_node("Mul", [gate, up], [product]),
                  helper.make_node("MatMul", [product, names[2]], [result])]
        value = result
    graph = helper.make_graph(nodes, "stack", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])],
                              [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["rows", WIDTH])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path, save_as_external_data=True, location="stack.data")
    return path


def memory():
    fields = {}
    with open("/proc/self/smaps_rollup") as rollup:
        for line in rollup:
            words = line.split()
            if len(words) == 3 and words[2] == "kB":
                fields[words[0].rstrip(":")] = int(words[1]) * 1024
    return {"anonymous_bytes": fields["Anonymous"], "proportional_bytes": fields["Pss"]}


def hold_onnx(model, save):
    """The process that is measured. `save`: where the model is saved with prepacked initializers, and not run."""
    import time

    import numpy
    import onnxruntime

    before = memory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if save:
        options.optimized_model_filepath = save
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name",
                                         os.path.basename(save) + ".data")
        options.add_session_config_entry("session.save_external_prepacked_constant_initializers", "1")
    begin = time.perf_counter()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    load_ms = (time.perf_counter() - begin) * 1e3

    def now():
        return {name: value - before[name] for name, value in memory().items()}

    loaded = now()
    session.run(None, {"x": numpy.ones((1, WIDTH), numpy.float32)})
    first_ms = (time.perf_counter() - begin) * 1e3
    print(json.dumps({"load_ms": load_ms, "first_output_ms": first_ms, "loaded": loaded, "memory": now()}), flush=True)
    sys.stdin.readline()
    print(json.dumps({"memory": now()}), flush=True)
    sys.stdin.readline()


def onnx_peer(folder):
    model = os.path.join(folder, "stack.onnx")
    if not os.path.exists(model):
        make_onnx_stack(folder)
    saved = os.path.join(folder, "prepacked.onnx")

    def command(packed_file, adapter):
        if adapter is not None:
            return None  # every session is of one model
        base = [sys.executable, os.path.abspath(__file__), "--hold-onnx"]
        if packed_file is None:
            return base + [model]
        return base + ([saved] if os.path.exists(saved) else [model, "--save", saved])

    disk = sum(os.path.getsize(os.path.join(folder, file)) for file in ("stack.onnx", "stack.data"))
    return Peer("ONNX Runtime", command, [saved + ".data", saved], disk)


# Tables.

def median(rounds, *path):
    values = []
    for one in rounds:
        for name in path:
            one = one[name]
        values.append(one)
    return statistics.median(values)


def milliseconds(number):
    return f"{number:.0f} ms" if number >= 99.5 else f"{number:.1f} ms"


def megabytes(number):
    return f"{number / 1e6:.0f} MB" if number >= 9.95e6 else f"{number / 1e6:.2f} MB"


ROWS = [
    ("load without a file", milliseconds, ("without a file", "load_ms")),
    ("load, first start with a file", milliseconds, ("first start", "load_ms")),
    ("load, next start", milliseconds, ("next start", "load_ms")),
    ("first output without a file", milliseconds, ("without a file", "first_output_ms")),
    ("first output, next start", milliseconds, ("next start", "first_output_ms")),
    ("anonymous memory without a file", megabytes, ("without a file", "memory", "anonymous_bytes")),
    ("anonymous memory, first start", megabytes, ("first start", "memory", "anonymous_bytes")),
    ("anonymous memory, next start", megabytes, ("next start", "memory", "anonymous_bytes")),
    ("load of a second process, while the first runs", milliseconds, ("second process", "load_ms")),
    ("proportional set size of both", megabytes, ("pair",)),
    ("packed file", megabytes, ("file",)),
    ("model and packed file", megabytes, ("disk",)),
    ("load with an adapter, the file being there", milliseconds, ("adapter, first start", "load_ms")),
    ("the same, next start", milliseconds, ("adapter, next start", "load_ms")),
    ("packed file with the adapter", megabytes, ("file with adapter",)),
]


def table(title, peers, pairs):
    rounds = {peer.name: [] for peer in peers}
    for _ in range(pairs):
        for peer in peers:
            rounds[peer.name].append(peer.measure())
    print(f"## {title}\n")
    print("| | " + " | ".join(peer.name for peer in peers) + " |")
    print("| --- |" + " ---: |" * len(peers))
    for name, write, path in ROWS:
        cells = []
        for peer in peers:
            has = path[0] in rounds[peer.name][0]
            cells.append(write(median(rounds[peer.name], *path)) if has else "–")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(flush=True)


def make_models(build, folder):
    command = os.path.join(build, "tools", "onepack")
    models = {"stack": ["stack", "--width", str(WIDTH), "--hidden", str(HIDDEN), "--blocks", str(BLOCKS)],
              "llm": ["llm", "--preset", "Qwen3-0.6B", "--layers", "4", "--weights", "8da4w", "--int8-embedding"]}
    for name, arguments in models.items():
        where = os.path.join(folder, name)
        if not os.path.exists(where):
            subprocess.run([command, "make-model", arguments[0], where] + arguments[1:], check=True,
                           stdout=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--hold-onnx", metavar="MODEL", help=argparse.SUPPRESS)
    parser.add_argument("--save", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hold_onnx:
        hold_onnx(options.hold_onnx, options.save)
        return
    if not options.folder:
        parser.error("BUILD and FOLDER are required")
    make_models(options.build, options.folder)
    has_executorch = os.path.exists(os.path.join(options.build, "bench", "peer", "peer_executorch"))
    for title, name in (("A stack of f32 linears", "stack"), ("A language model, 8da4w", "llm")):
        folder = os.path.join(options.folder, name)
        ours, theirs = (os.path.join(options.folder, f"{name}.{peer}.bin") for peer in ("onepack", "executorch"))
        packed = ["--linears", "packed"]
        peers = [driver_peer("onepack", "peer_onepack", folder, options.build, [ours], packed),
                 driver_peer("onepack, unchecked", "peer_onepack", folder, options.build, [ours], packed + ["--unchecked"])]
        if has_executorch:
            peers.append(driver_peer("ExecuTorch", "peer_executorch", folder, options.build, [theirs], []))
        if name == "stack":
            try:
                peers.append(onnx_peer(os.path.join(options.folder, "onnx")))
            except ImportError:
                pass
        table(title, peers, options.pairs)


if __name__ == "__main__":
    main()
