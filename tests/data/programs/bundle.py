"""Writes linear.bpte, a program of two methods with test cases, with the exporter's own bundling.

    pip install executorch==1.5.1 torch==2.13.0
    python bundle.py linear.bpte
"""

import sys

import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.devtools import BundledProgram
from executorch.devtools.bundled_program.config import MethodTestCase, MethodTestSuite
from executorch.devtools.bundled_program.serialize import serialize_from_bundled_program_to_flatbuffer
from executorch.exir import to_edge_transform_and_lower


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(8, 4)

    def forward(self, x):
        return torch.relu(self.linear(x))


class Count(torch.nn.Module):
    """Changes its state with each call: a test case must not see another's."""

    def __init__(self):
        super().__init__()
        self.register_buffer("sum", torch.zeros(3))

    def forward(self, x):
        self.sum.add_(x)
        return self.sum * 2


def main(path):
    torch.manual_seed(0)
    linear = Linear().eval()
    rows = torch.export.Dim("rows", max=4)
    exported = {
        "forward": torch.export.export(linear, (torch.randn(4, 8),), dynamic_shapes=({0: rows},)),
        "count": torch.export.export(Count().eval(), (torch.randn(3),)),
    }
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    forward = [torch.randn(rows, 8) for rows in (1, 4, 3)]
    count = [torch.randn(3) for _ in range(2)]
    suites = [
        MethodTestSuite("forward", [MethodTestCase((x,), (linear(x).detach(),)) for x in forward]),
        MethodTestSuite("count", [MethodTestCase((x,), (x * 2,)) for x in count]),
    ]
    bundle = BundledProgram(lowered.to_executorch(), suites)
    with open(path, "wb") as file:
        file.write(serialize_from_bundled_program_to_flatbuffer(bundle))


if __name__ == "__main__":
    main(sys.argv[1])
