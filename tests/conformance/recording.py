"""Exports a small module, runs it, and writes what came back as a recorded case.

A case is what tools/recorded_case.h reads: NAME.pte, NAME.json, NAME.bin. The expected outputs are
those of ExecuTorch's own runtime. They are compared with the module in eager mode before they are
written, so that no case holds an answer that only one of the two gives, unless it says why.
"""

import dataclasses
import json
import pathlib
import zlib
from typing import Any, Callable, Optional

import torch
from executorch.backends.xnnpack import xnnpack_preprocess
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.backends.xnnpack.serialization.xnnpack_graph_schema import PerTensorQuant
from executorch.exir import (
    EdgeCompileConfig,
    ExecutorchBackendConfig,
    to_edge,
    to_edge_transform_and_lower,
)
from executorch.exir.passes.external_constants_pass import (
    delegate_external_constants_pass_unlifted,
)
from executorch.extension.pybindings import portable_lib

# By element type: (atol, rtol) of an answer against another implementation's.
TOLERANCES = {
    torch.float32: (1e-5, 1e-5),
    torch.float16: (2e-3, 4e-3),
    torch.bfloat16: (2e-2, 2e-2),
}


@dataclasses.dataclass(frozen=True)
class T:
    """An input tensor to be: sizes, and which values it holds."""

    sizes: tuple
    low: float = -2.0
    high: float = 2.0
    dtype: Optional[torch.dtype] = None
    channels_last: bool = False

    def make(self, dtype):
        dtype = self.dtype or dtype
        if dtype == torch.bool:
            return torch.rand(self.sizes) < 0.5
        if not dtype.is_floating_point:
            return torch.randint(int(self.low), int(self.high) + 1, self.sizes, dtype=dtype)
        tensor = (torch.rand(self.sizes) * (self.high - self.low) + self.low).to(dtype)
        return tensor.to(memory_format=torch.channels_last) if self.channels_last else tensor


def t(*sizes, **kwargs):
    return T(sizes, **kwargs)


class Fn(torch.nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class MethodOf(torch.nn.Module):
    """One of a module's methods as a module, over the same parameters."""

    def __init__(self, inner, name):
        super().__init__()
        self.inner, self.name = inner, name

    def forward(self, *inputs):
        return getattr(self.inner, self.name)(*inputs)


def lower_at_once(exported, partitioner, config):
    return to_edge_transform_and_lower(
        exported, partitioner={name: [partitioner()] for name in exported}, compile_config=config)


def lower_in_two_steps(exported, partitioner, config):
    """The older flow, which decomposes linear layers and finds them again."""
    return to_edge(exported, compile_config=config).to_backend(
        {name: partitioner() for name in exported})


@dataclasses.dataclass
class Case:
    """One program and the calls that are recorded."""

    name: str
    module: Callable[[], torch.nn.Module]
    # Each a tuple of T, tensors or numbers. The first one is exported, unless there is an `example`.
    # Of a program with several methods: {method: calls}.
    calls: Any
    nodes: tuple = ()  # node types that the delegates must hold
    dtype: torch.dtype = torch.float32
    example: Optional[tuple] = None
    dynamic_shapes: Any = None
    # Takes a module and the inputs to calibrate with, gives the quantized module.
    quantize: Optional[Callable] = None
    partitioner: Callable[[], Any] = XnnpackPartitioner
    # Takes exported programs by method, what makes a partitioner, and the edge_config.
    lower: Callable = lower_at_once
    atol: Optional[float] = None
    rtol: Optional[float] = None
    # Not 0: `atol` is so many steps of the coarsest scale of a statically quantized value.
    steps: float = 0.0
    # How much wider the comparison of runtime and eager is than that of two runtimes.
    eager_slack: float = 4.0
    # Why the expected outputs are eager mode's, where ExecuTorch's runtime does not run the program.
    eager_because: str = ""
    outside: bool = False  # no delegate is expected
    # The delegates' constants go to a data file of this name, without ".ptd".
    data: str = ""
    backend_config: Any = dataclasses.field(default_factory=ExecutorchBackendConfig)
    edge_config: Any = dataclasses.field(
        default_factory=lambda: EdgeCompileConfig(_check_ir_validity=False))


class Payloads:
    """What the payloads hold that are serialized while this is open, as a context."""

    def __enter__(self):
        self.nodes, self.scales = [], []
        self._original = xnnpack_preprocess.serialize_xnnpack_binary

        def listen(graph, constants):
            self.nodes.append([type(node.xnode_union).__name__ for node in graph.xnodes])
            quantized = [getattr(v.xvalue_union, "quant_params", None) for v in graph.xvalues]
            self.scales += [q.scale for q in quantized if isinstance(q, PerTensorQuant)]
            return self._original(graph, constants)

        xnnpack_preprocess.serialize_xnnpack_binary = listen
        return self

    def __exit__(self, *unused):
        xnnpack_preprocess.serialize_xnnpack_binary = self._original


class CaseFiles:
    """NAME.json and NAME.bin, call by call."""

    def __init__(self, folder, name, program, data, method, atol, rtol, family="conformance"):
        self._folder, self._name, self._bytes = folder, name, bytearray()
        self._document = {"name": f"{family}/{name}", "program": program, "data": data,
                          "method": method, "atol": atol, "rtol": rtol, "calls": []}

    def add_call(self, inputs, outputs):
        self._document["calls"].append({"inputs": [self._value(v) for v in inputs],
                                        "outputs": [self._value(v) for v in outputs]})

    def write(self, **more):
        text = json.dumps(self._document | more, indent=None, separators=(", ", ": "))
        (self._folder / f"{self._name}.json").write_text(text + "\n")
        # A mapping of nothing is an error, so a case without tensors still has a byte.
        (self._folder / f"{self._name}.bin").write_bytes(bytes(self._bytes) or b"\0")

    def _value(self, value):
        for kind, key in ((bool, "bool"), (int, "int"), (float, "double")):
            if isinstance(value, kind):
                return {key: value}
        order = list(value.dim_order()) if value.dim() else []
        stored = value.detach().permute(order).contiguous() if order else value.detach()
        raw = bytes(stored.reshape(-1).view(torch.uint8).numpy()) if stored.numel() else b""
        self._bytes += b"\0" * (-len(self._bytes) % 16)
        offset = len(self._bytes)
        self._bytes += raw
        return {"dtype": str(value.dtype).replace("torch.", ""), "sizes": list(value.shape),
                "dim_order": order, "offset": offset, "nbytes": len(raw)}


def materialize(call, dtype):
    return tuple(v.make(dtype) if isinstance(v, T) else v for v in call)


def flat(outputs):
    if isinstance(outputs, (tuple, list)):
        return [leaf for item in outputs for leaf in flat(item)]
    return [outputs]


def export_method(case, module, example):
    exported = torch.export.export(module, example, dynamic_shapes=case.dynamic_shapes, strict=True)
    changed = None
    if case.quantize:
        changed = case.quantize(exported.module(), example)
    if case.data:
        changed = changed or exported.module()
        delegate_external_constants_pass_unlifted(changed, gen_tag_fn=lambda node: case.data)
    if changed is None:
        return exported
    return torch.export.export(changed, example, dynamic_shapes=case.dynamic_shapes, strict=True)


def lower(case, exported):
    edge = case.lower(exported, case.partitioner, case.edge_config)
    return edge.to_executorch(case.backend_config)


def tolerance_of(case, outputs):
    dtypes = [o.dtype for o in outputs if isinstance(o, torch.Tensor)] + [case.dtype]
    pairs = [TOLERANCES[d] for d in dtypes if d in TOLERANCES]
    atol = max(p[0] for p in pairs) if case.atol is None else case.atol
    rtol = max(p[1] for p in pairs) if case.rtol is None else case.rtol
    return atol, rtol


def difference(found, expected, atol, rtol):
    """The worst error relative to the tolerance; raises where shapes or types differ."""
    if not isinstance(expected, torch.Tensor):
        return 0.0 if found == expected else float("inf")
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ValueError(f"{found.dtype} {tuple(found.shape)}, but in eager mode "
                         f"{expected.dtype} {tuple(expected.shape)}")
    if not expected.numel():
        return 0.0
    a, b = found.double(), expected.double()
    if not expected.dtype.is_floating_point:
        return float((a != b).sum())
    same = (a == b) | (a.isnan() & b.isnan())
    error = torch.where(same, torch.zeros(()).double(), (a - b).abs() / (atol + rtol * b.abs()))
    return float(error.nan_to_num(nan=float("inf")).max())


def run_calls(case, runtime, method, module, calls):
    """[(inputs, outputs)], the tolerance that they keep, and how far runtime and eager differ."""
    recorded, atol, rtol, worst = [], 0.0, 0.0, 0.0
    for inputs in calls:
        with torch.no_grad():
            eager = flat(module(*[i.clone() if isinstance(i, torch.Tensor) else i for i in inputs]))
        atol, rtol = tolerance_of(case, eager)
        outputs = eager
        if runtime:
            outputs = [o.clone() if isinstance(o, torch.Tensor) else o
                       for o in runtime.run_method(method, inputs)]
            if len(outputs) != len(eager):
                raise ValueError(f"{len(outputs)} outputs, but {len(eager)} in eager mode")
            for found, expected in zip(outputs, eager):
                worst = max(worst, difference(found, expected, atol, rtol))
        recorded.append((inputs, outputs))
    if worst > case.eager_slack:
        raise ValueError(f"ExecuTorch's runtime and eager mode differ by {worst:.3g} tolerances")
    return recorded, atol, rtol, worst


def check_nodes(case, payloads):
    found = {name for nodes in payloads for name in nodes}
    missing = set(case.nodes) - found
    if missing:
        raise ValueError(f"no {', '.join(sorted(missing))} in the delegates, only {sorted(found)}")
    if not payloads and not case.outside:
        raise ValueError("nothing was delegated")


def write_files(case, folder, lowered):
    """The program and its data file; gives the names of the data files."""
    (folder / f"{case.name}.pte").write_bytes(lowered.buffer)
    names = []
    for name, content in sorted((lowered._tensor_data or {}).items()):
        names.append(f"{name}.ptd")
        (folder / names[-1]).write_bytes(bytes(content))
    return names


def load(case, folder, data):
    if case.eager_because:
        return None
    path = str(folder / f"{case.name}.pte")
    return portable_lib._load_for_executorch(path, str(folder / data[0]) if data else None)


def methods_of(case):
    """{method: (module, calls, example)}"""
    module = case.module().eval().to(case.dtype)
    named = case.calls if isinstance(case.calls, dict) else {"forward": case.calls}
    methods = {}
    for name, specs in named.items():
        calls = [materialize(call, case.dtype) for call in specs]
        example = materialize(case.example, case.dtype) if case.example else calls[0]
        part = MethodOf(module, name) if isinstance(case.calls, dict) else module
        methods[name] = (part, calls, example)
    return methods


def export_case(case, folder: pathlib.Path):
    """Writes the files; returns what a log says about them."""
    torch.manual_seed(zlib.crc32(case.name.encode()))
    methods = methods_of(case)
    exported = {name: export_method(case, module, example)
                for name, (module, _, example) in methods.items()}
    modules = {name: program.module() for name, program in exported.items()}
    with Payloads() as payloads:
        lowered = lower(case, exported)
    check_nodes(case, payloads.nodes)
    if case.steps:
        # A hair more, for the rounding of the scale itself.
        case.atol = 1.001 * case.steps * max(payloads.scales)
    data = write_files(case, folder, lowered)
    worst = 0.0
    for name, (_, calls, _) in methods.items():
        runtime = load(case, folder, data)
        recorded, atol, rtol, error = run_calls(case, runtime, name, modules[name], calls)
        stem = case.name if len(methods) == 1 else f"{case.name}_{name}"
        files = CaseFiles(folder, stem, f"{case.name}.pte", data, name, atol, rtol)
        for inputs, outputs in recorded:
            files.add_call(inputs, outputs)
        files.write()
        worst = max(worst, error)
    plans = lowered.executorch_program.execution_plan
    operators = sorted({f"{op.name}.{op.overload}" if op.overload else op.name
                        for plan in plans for op in plan.operators})
    return {"bytes": len(lowered.buffer), "nodes": payloads.nodes, "operators": operators,
            "worst": worst}
