"""Which scenarios are run on which models, and which figures are read from them."""

ADAPTERS = 8
# What runs beside a busy process on each core, with so many threads each.
BUSY_MODELS = ("small", "stack_8da4w", "llm")
BUSY_THREADS = (1, 2)
# Ours with nothing in place.
PACKED = ["--linears", "packed"]


class Scenario:
    """One command line of the driver. `ours` is added for onepack only."""

    def __init__(self, name, model, arguments, programs, ours=(), inside=False):
        self.name = name
        self.inside = inside  # run with our backend in ExecuTorch, too
        self.model = model
        self.arguments = list(arguments)
        self.programs = programs
        self.ours = list(ours)

    def command(self, peer, peers, models):
        program = "peer_onepack" if peer == "onepack" else "peer_executorch"
        command = [f"{peers}/{program}"] + self.arguments + (self.ours if peer == "onepack" else [])
        for model, program in self.programs:
            folder = f"{models}/{model}"
            files = [f"{folder}/{program}.pte", f"{folder}/foundation.ptd"]
            if program != "base":
                files.append(f"{folder}/{program}.ptd")
            command += ["--program", ",".join(files)]
        return command


def of_model(model, adapters):
    """The scenarios that are the same for every model."""
    base = [(model, "base")]
    some = base + [(model, f"lora{i}") for i in range(adapters)]
    return [
        Scenario("load", model, ["load"], some, inside=True),
        Scenario("load_cold", model, ["load", "--cold"], some[:2]),
        Scenario("load_apart", model, ["load", "--apart"], some[:2]),
        Scenario("load_packed", model, ["load"], some[:2], PACKED),
        Scenario("load_all_cores", model, ["load"], some[:2], PACKED + ["--packing-threads", "0"]),
        Scenario("load_huge_pages", model, ["load"], some[:2],
                 PACKED + ["--packing-threads", "0", "--huge-pages"]),
        Scenario("execute", model, ["execute"], base, inside=True),
        Scenario("reload", model, ["reload"], some[:2], inside=True),
        Scenario("execute_packed", model, ["execute"], base, PACKED),
        Scenario("execute_huge_pages", model, ["execute"], base, PACKED + ["--huge-pages"]),
        Scenario("parallel", model, ["parallel"], some[1:3]),
    ]


def busy_name(threads):
    return f"busy_{threads}_threads"


SCENARIOS = (
    of_model("stack", ADAPTERS) + of_model("stack_8da4w", 2) + of_model("llm", ADAPTERS) + [
        Scenario("interference", "stack", ["interference"], [("small", "base"), ("stack", "base")], inside=True),
        Scenario("interference", "llm", ["interference"], [("small", "base"), ("llm", "base")], inside=True),
        Scenario("reload", "tiny", ["reload"], [("tiny", "base"), ("tiny", "lora0")], inside=True),
    ] + [Scenario(busy_name(threads), model, ["busy", "--threads", str(threads)], [(model, "base")])
         for model in BUSY_MODELS for threads in BUSY_THREADS])


def anonymous_added(result, index, moment="memory"):
    """Anonymous memory that program `index` added: loaded and run, or "loaded" only."""
    before = result["loads"][index - 1]["memory"] if index > 0 else result["start"]
    return (result["loads"][index][moment]["anonymous_bytes"] - before["anonymous_bytes"]) / 1e6


def anonymous_after(result, index):
    return (result["loads"][index]["memory"]["anonymous_bytes"] - result["start"]["anonymous_bytes"]) / 1e6


class Figure:
    """`goal` is the highest ratio, ours / theirs."""

    def __init__(self, title, scenario, unit, read, goal=None):
        self.title = title
        self.scenario = scenario
        self.unit = unit
        self.read = read
        self.goal = goal


def load_figures(goals):
    return [
        Figure("load, first program", "load", "ms", lambda r: r["loads"][0]["load_ms"], goals["in_place"]),
        Figure("the same, ours packed", "load_packed", "ms", lambda r: r["loads"][0]["load_ms"]),
        Figure("the same, ours packed on all cores", "load_all_cores", "ms", lambda r: r["loads"][0]["load_ms"],
               goals["first"]),
        Figure("the same, ours packed on all cores in huge pages", "load_huge_pages", "ms",
               lambda r: r["loads"][0]["load_ms"]),
        Figure("load, first program, page cache cold", "load_cold", "ms", lambda r: r["loads"][0]["load_ms"]),
        Figure("load, second program", "load", "ms", lambda r: r["loads"][1]["load_ms"], goals["second"]),
        Figure("load, last program", "load", "ms", lambda r: r["loads"][-1]["load_ms"]),
        Figure("load again after all were closed", "load", "ms", lambda r: r["reloads"][0]["load_ms"]),
        Figure("first output, first program", "load", "ms", lambda r: r["loads"][0]["first_output_ms"]),
        Figure("first output, second program", "load", "ms", lambda r: r["loads"][1]["first_output_ms"]),
        Figure("peak memory while loading the first", "load", "MB",
               lambda r: r["loads"][0]["loaded"]["peak_bytes"] / 1e6, goals["peak"]),
        Figure("anonymous memory of the first program, loaded", "load", "MB",
               lambda r: anonymous_added(r, 0, "loaded")),
        Figure("anonymous memory of the first program, run", "load", "MB", lambda r: anonymous_added(r, 0)),
        Figure("the same, ours packed", "load_packed", "MB", lambda r: anonymous_added(r, 0)),
        Figure("memory that the second adds, loaded", "load", "MB", lambda r: anonymous_added(r, 1, "loaded"),
               goals["added"]),
        Figure("memory that the second adds, run", "load", "MB", lambda r: anonymous_added(r, 1)),
        Figure("the same without sharing", "load_apart", "MB", lambda r: anonymous_added(r, 1)),
        Figure("proportional set size of all programs", "load", "MB",
               lambda r: r["loads"][-1]["memory"]["proportional_bytes"] / 1e6),
    ]


def run_figures(what, goals=None):
    """`goals` by rows, of what is not packed."""
    return [Figure(f"run of {rows} {what}{'s' if rows > 1 else ''}{how}", scenario, "ms",
                   lambda r, rows=rows: r[f"ms_of_{rows}_rows"], goals[rows] if goals and not how else None)
            for scenario, how in (("execute", ""), ("execute_packed", ", ours packed"),
                                  ("execute_huge_pages", ", ours packed in huge pages"))
            for rows in (1, 16, 128)]


INTERFERENCE = Figure("worst run of a small program meanwhile", "interference", "ms", lambda r: r["worst_ms"], 0.02)

# By rows.
IN_PLACE = {1: 0.75, 16: 0.8, 128: 0.8}
FLOATS_IN_PLACE = {1: 1.0, 16: 1.0, 128: 1.0}


def inside_figures(goals):
    """Our backend in ExecuTorch against ExecuTorch's own: `goals` by what is measured, of runs by rows."""
    return [
        Figure("load, first program", "load", "ms", lambda r: r["loads"][0]["load_ms"], goals.get("start")),
        Figure("anonymous memory of the first program, loaded", "load", "MB",
               lambda r: anonymous_added(r, 0, "loaded"), goals.get("anonymous")),
        Figure("load, second program", "load", "ms", lambda r: r["loads"][1]["load_ms"], 0.5),
        Figure("memory that the second adds, loaded", "load", "MB", lambda r: anonymous_added(r, 1, "loaded"), 0.9),
        Figure("load of an adapter that was dropped", "reload", "ms", lambda r: r["load_ms"], 1.0),
    ] + [Figure(f"run of {rows} row{'s' if rows > 1 else ''}", "execute", "ms",
                lambda r, rows=rows: r[f"ms_of_{rows}_rows"], goals["run"]) for rows in (1, 16, 128)]


MEANWHILE = Figure(INTERFERENCE.title, "interference", "ms", INTERFERENCE.read, 0.1)

# Model, figures.
INSIDE_TABLES = [
    ("stack", inside_figures({"run": 1.0}) + [MEANWHILE]),
    ("stack_8da4w", inside_figures({"run": 1.0})),
    ("llm", inside_figures({"start": 0.1, "anonymous": 0.1, "run": 0.75}) + [MEANWHILE]),
    ("tiny", [Figure("load of an adapter that was dropped", "reload", "ms", lambda r: r["load_ms"], 1.0)]),
]

# Model, what it is, its figures.
TABLES = [
    ("stack", "A stack of linear layers: 302 MB of f32 weights, adapters of rank 16 (3.9 MB each).",
     load_figures({"in_place": 0.1, "first": 0.7, "second": 0.5, "peak": 0.6, "added": 0.9}) +
     run_figures("row", FLOATS_IN_PLACE) + [INTERFERENCE]),
    ("stack_8da4w", "The same in 8da4w: int4 weights in groups of 32, activations rounded to int8 at run time; 42 MB.",
     load_figures({"in_place": 0.1, "first": 0.7, "second": None, "peak": None, "added": None}) + run_figures("row", IN_PLACE)),
    ("llm", "A language model of the widths and vocabulary of Qwen3-0.6B with 4 layers: 8da4w, an 8-bit embedding, "
     "280 MB, adapters of rank 16 (2.6 MB each), a context of 512. A run of one token is one of decoding, of more a "
     "prompt.",
     load_figures({"in_place": 0.1, "first": 0.7, "second": 0.1, "peak": 0.7, "added": 0.1}) + run_figures("token", IN_PLACE) + [INTERFERENCE]),
]
