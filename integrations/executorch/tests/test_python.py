"""The Python package, as it is installed: run by pytest, or as a script.

What loads programs through ExecuTorch's Python API needs torch, and is skipped without it. Each test has a process of
its own: what a process has loaded first stays.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CASES = Path(os.environ.get("ONEPACK_CASES", ROOT / "tests/data/cases"))
HAS_TORCH = importlib.util.find_spec("torch") is not None


def run(script):
    """What `script` prints."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr[-3000:])
    return done.stdout


class PackageTest(unittest.TestCase):
    def test_says_what_the_cache_holds(self):
        stats = json.loads(run("""
            import json, onepack_executorch
            print(json.dumps(onepack_executorch.stats()))
        """))
        self.assertEqual(stats["bytes"], 0)
        self.assertIn("hits", stats)

    def test_takes_options_and_refuses_wrong_ones(self):
        found = run("""
            import onepack_executorch
            onepack_executorch.set_options(weight_cache_enabled=True, workspace_sharing_mode=2, retained_mebibytes=3,
                                           linears="packed")
            for wrong in ({"nonsense": 1}, {"weight_cache_enabled": 1}, {"retained_mebibytes": True},
                          {"linears": 1}, {"linears": "Packed"}, {"workspace_sharing_mode": 3},
                          {"packed_cache_path": "x" * 300}):
                try:
                    onepack_executorch.set_options(**wrong)
                except (TypeError, ValueError) as error:
                    print(type(error).__name__)
        """)
        self.assertEqual(found.split(), ["TypeError"] * 4 + ["ValueError"] * 3)

    def test_too_late_is_an_import_error(self):
        found = run("""
            import ctypes, importlib.util, os
            folder = importlib.util.find_spec("executorch").submodule_search_locations[0]
            theirs = os.path.join(folder, "lib", "libexecutorch_backend_xnnpack.so")
            ctypes.CDLL(theirs)
            try:
                import onepack_executorch
            except ImportError as error:
                print(theirs in str(error), "before executorch" in str(error))
        """)
        self.assertEqual(found.split(), ["True", "True"])

    def test_says_where_its_libraries_and_cmake_package_are(self):
        found = run("""
            import onepack_executorch
            print((onepack_executorch.library_dir / "libexecutorch_backend_xnnpack.so").exists(),
                  (onepack_executorch.cmake_dir / "onepack_executorch-config.cmake").exists())
        """)
        self.assertEqual(found.split(), ["True", "True"])


# Loads all programs of the families that have at most one data file each, keeps them alive, and runs them.
RUN_CASES = """
    import json, sys
    from pathlib import Path
    import onepack_executorch
    if len(sys.argv) > 2:
        onepack_executorch.set_options(packed_cache_path=sys.argv[2])
    import numpy as np
    import torch
    import executorch.kernels.quantized  # the operators of language models register themselves
    from executorch.extension.llm.custom_ops import custom_ops
    from executorch.extension.pybindings import portable_lib

    TYPES = {"float32": np.float32, "int64": np.int64}

    def tensor(raw, value):
        numbers = np.frombuffer(raw, TYPES[value["dtype"]], offset=value["offset"],
                                count=value["nbytes"] // np.dtype(TYPES[value["dtype"]]).itemsize)
        assert value["dim_order"] == sorted(value["dim_order"])
        return torch.from_numpy(numbers.reshape(value["sizes"]).copy())

    loaded = []
    for path in map(Path, json.loads(sys.argv[1])):
        case = json.loads(path.read_text())
        program = path.parent / case["program"]
        data = [str(path.parent / name) for name in case["data"]]
        load = portable_lib._load_for_executorch
        module = load(str(program), data[0]) if data else load(str(program))
        loaded.append((case, path.with_suffix(".bin").read_bytes(), module))
    for case, raw, module in loaded:
        for call in case["calls"]:
            found = module.run_method(case.get("method", "forward"), [tensor(raw, x) for x in call["inputs"]])
            for output, expected in zip(found, call["outputs"], strict=True):
                torch.testing.assert_close(output, tensor(raw, expected), atol=case["atol"], rtol=case["rtol"])
    print(json.dumps({"programs": len(loaded), **onepack_executorch.stats()}))
"""


@unittest.skipUnless(HAS_TORCH, "torch is not installed: ExecuTorch's Python API needs it")
class PortableLibTest(unittest.TestCase):
    def run_cases(self, paths, *arguments):
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(RUN_CASES), json.dumps(list(map(str, paths))),
                               *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return json.loads(done.stdout.splitlines()[-1])

    def test_recorded_cases_give_their_answers_alive_together(self):
        paths = [path for family in ("lora_fp32", "lora_8da4w", "lora_8da8w", "scale_8da4w", "llm_fp32", "llm_8da4w")
                 for path in sorted((CASES / family).glob("*.json"))
                 if len(json.loads(path.read_text())["data"]) <= 1]
        self.assertGreater(len(paths), 5)
        for order in (paths, paths[::-1]):
            found = self.run_cases(order)
            self.assertEqual(found["programs"], len(paths))
            self.assertGreater(found["misses"], 0)

    def test_two_of_one_program_share_all(self):
        path = CASES / "lora_8da8w" / "base.json"
        found = self.run_cases([path, path])
        self.assertEqual(found["hits"], found["misses"])

    def test_a_process_that_ends_at_once_leaves_its_packed_weights(self):
        path = CASES / "lora_8da8w" / "base.json"
        with tempfile.TemporaryDirectory() as folder:
            packed = str(Path(folder) / "weights.onepack")
            first = self.run_cases([path], packed)
            second = self.run_cases([path], packed)
        self.assertEqual(first["file_hits"], 0)
        self.assertGreater(second["file_hits"], 0)
        self.assertEqual(second["packed_bytes"], 0)


if __name__ == "__main__":
    unittest.main()
