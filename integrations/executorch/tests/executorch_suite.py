"""Runs ExecuTorch's own pytest suite for its XNNPACK delegate, which its wheel contains.

    python executorch_suite.py                   the wheel's own backend (the baseline)
    python executorch_suite.py --library PATH    the backend in PATH, loaded before the wheel's
    python executorch_suite.py --only conv       only the files whose name contains "conv"

It is started with the Python that has `executorch`, `torch` and `pytest`, and needs no network.

Each file of FILES runs in a process of its own, so that a crash or a hang costs one file. A pytest
plugin, written to a temporary folder, is imported before any test file is. It loads the library
given with --library while nothing of ExecuTorch is in the process, and after the last test asks
ExecuTorch's registry for "XnnpackBackend": the virtual table of the object it answers with lies in
the file that runs the delegates. That must be the given library, or else the wheel's.

The tests draw their weights and inputs from torch's generator. It is seeded before the file is
imported and before each test, so that two backends are asked the same.

Exit status: 0 if tests ran and none failed, but those of EXPECTED_FAILURES in the baseline; 1 if a
test failed, a process crashed or ran out of time, or another backend answered; 2 if nothing could
be run.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

# Below executorch/backends/xnnpack/test.
#
# Left out, for reasons that have nothing to do with the backend:
#   ops/test_elu.py, models/very_big_model.py: no test that pytest collects.
#   models/deeplab_v3.py, emformer_rnnt.py, inception_v3.py, mobilenet_v2.py, mobilenet_v3.py,
#     torchvision_vit.py: they download trained weights.
#   models/inception_v4.py: three minutes. models/mobilebert.py: more than six minutes.
FILES = [
    "ops/test_abs.py",
    "ops/test_add.py",
    "ops/test_avgpool2d.py",
    "ops/test_batch_norm.py",
    "ops/test_bilinear2d.py",
    "ops/test_bmm.py",
    "ops/test_cat.py",
    "ops/test_ceil.py",
    "ops/test_check_quant_params.py",
    "ops/test_clamp.py",
    "ops/test_clone.py",
    "ops/test_conv1d.py",
    "ops/test_conv2d.py",
    "ops/test_cos.py",
    "ops/test_div.py",
    "ops/test_exp.py",
    "ops/test_floor.py",
    "ops/test_gelu.py",
    "ops/test_hardswish.py",
    "ops/test_hardtanh.py",
    "ops/test_leaky_relu.py",
    "ops/test_linear.py",
    "ops/test_log.py",
    "ops/test_lstm.py",
    "ops/test_max_dim.py",
    "ops/test_maximum.py",
    "ops/test_maxpool2d.py",
    "ops/test_mean_dim.py",
    "ops/test_minimum.py",
    "ops/test_multiply.py",
    "ops/test_negate.py",
    "ops/test_permute.py",
    "ops/test_pow.py",
    "ops/test_prelu.py",
    "ops/test_quantize_per_tensor.py",
    "ops/test_relu.py",
    "ops/test_rsqrt.py",
    "ops/test_sigmoid.py",
    "ops/test_sin.py",
    "ops/test_slice_copy.py",
    "ops/test_softmax.py",
    "ops/test_sqrt.py",
    "ops/test_square.py",
    "ops/test_static_constant_pad.py",
    "ops/test_sub.py",
    "ops/test_tanh.py",
    "ops/test_to_copy.py",
    "models/edsr.py",
    "models/llama2_et_example.py",
    "models/resnet.py",
    "models/w2l.py",
]

# Tests that the wheel's own backend fails: "file::class::test" -> why. They are excused in the
# baseline only; another backend is to pass them.
INT4_ODD = "4-bit weights, 63 input channels: all rows but the first are wrong if 2 to 8 are drawn"
EXPECTED_FAILURES = {
    "ops/test_linear.py::TestLinear::test_linear_qd8_f16_per_channel_int4": INT4_ODD,
    "ops/test_linear.py::TestLinear::test_linear_qd8_f32_per_channel_int4": INT4_ODD,
}

# For one file: three times what the slowest need on two cores that are busy with other work.
TIME_LIMIT_SECONDS = 2400

# Imported by pytest (`-p`) before any test file. What it needs comes through the
# environment: the library ("" for the baseline), the file for its events (one JSON object a line),
# the seed.
PLUGIN = '''
import ctypes
import json
import os
import random
import sys

LIBRARY = os.environ["EXECUTORCH_SUITE_LIBRARY"]
REPORT = open(os.environ["EXECUTORCH_SUITE_REPORT"], "a", encoding="utf-8")
SEED = int(os.environ["EXECUTORCH_SUITE_SEED"])
GET_BACKEND_CLASS = "_ZN10executorch7runtime17get_backend_classEPKc"


def write_event(**fields):
    REPORT.write(json.dumps(fields) + "\\n")
    REPORT.flush()


def mappings():
    """(first address, end address, file) of each mapped file."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            fields = line.rstrip("\\n").split(None, 5)
            if len(fields) == 6 and fields[5].startswith("/"):
                first, end = (int(address, 16) for address in fields[0].split("-"))
                yield first, end, fields[5]


def refuse_if_late():
    mapped = {file for _, _, file in mappings() if "libexecutorch" in os.path.basename(file)}
    if mapped or "executorch" in sys.modules:
        raise RuntimeError("ExecuTorch was here before the library: %s" % sorted(mapped))


def answering_file():
    """The file with the virtual table of the backend that is registered as XnnpackBackend."""
    import executorch.extension.pybindings.portable_lib  # noqa: F401

    get_backend_class = getattr(ctypes.CDLL("libexecutorch.so"), GET_BACKEND_CLASS)
    get_backend_class.restype = ctypes.c_void_p
    get_backend_class.argtypes = [ctypes.c_char_p]
    backend = get_backend_class(b"XnnpackBackend")
    if not backend:
        return ""
    table = ctypes.c_void_p.from_address(backend).value
    return next((file for first, end, file in mappings() if first <= table < end), "")


def seed():
    import torch

    random.seed(SEED)
    torch.manual_seed(SEED)


def name_of(nodeid):
    return "::".join(nodeid.split("::")[1:])


refuse_if_late()
if LIBRARY:
    ctypes.CDLL(LIBRARY)


def pytest_collection(session):
    seed()


def pytest_collectreport(report):
    if report.failed:
        write_event(event="broken", why=str(report.longrepr))


def pytest_collection_finish(session):
    from executorch.backends.test.harness.stages import Serialize

    run_artifact = Serialize.run_artifact

    def counted(self, inputs):
        write_event(event="run")
        return run_artifact(self, inputs)

    Serialize.run_artifact = counted


def pytest_runtest_logstart(nodeid, location):
    write_event(event="start", test=name_of(nodeid))
    seed()


def pytest_runtest_logreport(report):
    if report.when == "call" or not report.passed:
        why = "" if report.passed else str(report.longrepr)
        write_event(event="end", test=name_of(report.nodeid), outcome=report.outcome, why=why)


def pytest_sessionfinish(session, exitstatus):
    mapped = {file for _, _, file in mappings()}
    is_mapped = os.path.realpath(LIBRARY) in mapped
    write_event(event="finish", answering=answering_file(), mapped=is_mapped)
'''


class FileResult:
    """What one file's process reported."""

    def __init__(self):
        self.outcomes = {}  # test -> "passed", "failed" or "skipped"
        self.reasons = {}  # failing test -> text
        self.problems = []  # what is wrong with the process itself, apart from its tests
        self.runs = 0  # serialized programs that were run
        self.seconds = 0.0

    def count(self, outcome):
        return sum(1 for found in self.outcomes.values() if found == outcome)

    def failing(self):
        return sorted(test for test, found in self.outcomes.items() if found == "failed")


def test_folder():
    """The suite's folder in the installed wheel, found without importing the wheel."""
    spec = importlib.util.find_spec("executorch")
    for root in spec.submodule_search_locations if spec else []:
        folder = os.path.join(root, "backends", "xnnpack", "test")
        if os.path.isdir(folder):
            return folder
    return None


def read_events(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.endswith("\n")]


def telling_lines(text):
    """The lines of a pytest failure that say what is wrong, or else its first ones."""
    lines = text.splitlines()
    return ([line for line in lines if line.startswith("E ")] or lines)[:8]


def take_events(result, events):
    """Fills `result`; returns the plugin's last word, or None if the process did not get there."""
    finish = None
    for event in events:
        if event["event"] == "start":
            # Stands if the process ends within this test.
            result.outcomes[event["test"]] = "failed"
            result.reasons[event["test"]] = "the process ended within this test"
        elif event["event"] == "end":
            result.outcomes[event["test"]] = event["outcome"]
            result.reasons[event["test"]] = event["why"]
        elif event["event"] == "run":
            result.runs += 1
        elif event["event"] == "broken":
            result.problems.append("cannot be collected:")
            result.problems += ["    " + line for line in telling_lines(event["why"])]
        else:
            finish = event
    return finish


def check_backend(result, finish, wanted, is_given):
    if finish is None:
        result.problems.append("the process did not reach its end")
        return
    if not finish["answering"] or not os.path.samefile(finish["answering"], wanted):
        result.problems.append(
            "XnnpackBackend is answered by %s, not %s" % (finish["answering"] or "nobody", wanted)
        )
    if is_given and not finish["mapped"]:
        result.problems.append("%s is not mapped at the end" % wanted)


def run_file(path, wanted, is_given, seed, scratch):
    """Runs one test file in its own process."""
    report = os.path.join(scratch, "report.jsonl")
    if os.path.exists(report):
        os.remove(report)
    environment = dict(
        os.environ,
        EXECUTORCH_SUITE_LIBRARY=wanted if is_given else "",
        EXECUTORCH_SUITE_REPORT=report,
        EXECUTORCH_SUITE_SEED=str(seed),
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTHONPATH=os.pathsep.join(filter(None, [scratch, os.environ.get("PYTHONPATH")])),
    )
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "executorch_suite_plugin"]
    command += ["-p", "no:cacheprovider", "--disable-warnings"]
    command += ["--rootdir", scratch, "-c", os.path.join(scratch, "pytest.ini")]
    result = FileResult()
    start = time.monotonic()
    try:
        process = subprocess.run(
            command + [path], cwd=scratch, env=environment, timeout=TIME_LIMIT_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        status, output = process.returncode, process.stdout
    except subprocess.TimeoutExpired:
        status, output = None, ""
        result.problems.append("not done after %d seconds" % TIME_LIMIT_SECONDS)
    result.seconds = time.monotonic() - start

    check_backend(result, take_events(result, read_events(report)), wanted, is_given)
    if status is not None and status < 0:
        result.problems.append("ended by %s" % signal.Signals(-status).name)
    elif status not in (None, 0, 1):
        result.problems.append("pytest's exit status is %d" % status)
    elif status == 1 and not result.failing():
        result.problems.append("pytest reports a failure outside of the tests")
    if not result.outcomes:
        result.problems.append("no test ran")
    if result.problems and output:
        result.problems += ["  | " + line for line in output.splitlines()[-15:]]
    return result


def print_row(name, result):
    print(
        "%-34s %6d %6d %7d %5d %8.1f"
        % (
            name, result.count("passed"), result.count("failed"), result.count("skipped"),
            result.runs, result.seconds,
        ),
        flush=True,
    )


def print_failures(name, result, is_baseline):
    """Prints what did not pass; returns how much of it was not expected."""
    unexpected = 0
    for test in result.failing():
        expected = EXPECTED_FAILURES.get(name + "::" + test) if is_baseline else None
        unexpected += expected is None
        print("    failed, %s: %s" % ("as expected" if expected else "NOT EXPECTED", test))
        for line in [expected] if expected else telling_lines(result.reasons[test]):
            print("        " + line[:160])
    for problem in result.problems:
        print("    " + problem)
    return unexpected + bool(result.problems)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--library", help="a libexecutorch_backend_xnnpack.so to load first")
    parser.add_argument("--only", default="", help="run the files with this in their name")
    parser.add_argument("--seed", type=int, default=0, help="of torch's generator (default 0)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    tests = test_folder()
    if tests is None:
        print("this Python has no executorch wheel with backends/xnnpack/test", file=sys.stderr)
        return 2
    wheel = os.path.normpath(
        os.path.join(tests, "..", "..", "..", "lib", "libexecutorch_backend_xnnpack.so")
    )
    wanted = os.path.realpath(arguments.library or wheel)
    if not os.path.isfile(wanted):
        print("%s: no such file" % wanted, file=sys.stderr)
        return 2
    files = [name for name in FILES if arguments.only in name]
    if not files:
        print("no file has '%s' in its name" % arguments.only, file=sys.stderr)
        return 2

    print("XnnpackBackend: " + wanted)
    print("%-34s %6s %6s %7s %5s %8s" % ("file", "passed", "failed", "skipped", "runs", "seconds"))
    total, unexpected = FileResult(), 0
    with tempfile.TemporaryDirectory(prefix="executorch_suite.") as scratch:
        with open(os.path.join(scratch, "executorch_suite_plugin.py"), "w") as plugin:
            plugin.write(PLUGIN)
        with open(os.path.join(scratch, "pytest.ini"), "w") as ini:
            ini.write("[pytest]\n")
        for name in files:
            result = run_file(
                os.path.join(tests, name), wanted, bool(arguments.library), arguments.seed, scratch
            )
            print_row(name, result)
            unexpected += print_failures(name, result, not arguments.library)
            total.outcomes.update((name + "::" + test, o) for test, o in result.outcomes.items())
            total.runs += result.runs
            total.seconds += result.seconds
    print_row("%d files" % len(files), total)
    print(
        "%d passed, %d failed, %d skipped"
        % (total.count("passed"), total.count("failed"), total.count("skipped"))
    )
    if unexpected:
        print("%d of these not expected" % unexpected)
    return 1 if unexpected or not total.count("passed") else 0


if __name__ == "__main__":
    sys.exit(main())
