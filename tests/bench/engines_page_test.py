"""What bench/peer/engines makes of results: needs none of the engines."""

from __future__ import annotations

import json
import pathlib
import sys
import tempfile
import unittest
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/peer"))

from engines import measure, page, peers, plot, processor, readme, records, scenarios
from engines.figures import AGAINST, TABLES, Figure, Goal, at, is_complete

MEMORY = {"anonymous_bytes": 20_000_000, "file_bytes": 380_000_000}


def start_result(factor: float) -> dict[str, Any]:
    def program(index: int) -> dict[str, Any]:
        grown = {"anonymous_bytes": MEMORY["anonymous_bytes"] + index * 1_000_000 * factor}
        return {
            "load_ms": 2 * factor,
            "first_token_ms": 30.0,
            "first_token_at_ns": 1_000_000_000 * factor,
            "loaded": grown,
            "memory": {**MEMORY, **grown},
        }

    return {"started_at_ns": 0, "programs": [program(index) for index in range(4)]}


def result_of(scenario: scenarios.Scenario, factor: float) -> dict[str, Any]:
    """Of a peer that is so many times as slow."""
    speed = 60 / factor
    by_name: dict[str, dict[str, Any]] = {
        "start": start_result(factor),
        "speed": {
            "prompts": {str(tokens): 4 * speed for tokens in (16, 128, 512)},
            "generation": {str(context): speed for context in (0, 500, 1800)},
            "memory": {kind: size * factor for kind, size in MEMORY.items()},
        },
        "adapters": {"tokens_per_second": [speed, 0.99 * speed, 0.9 * speed, 0.8 * speed]},
        "switch": {"alone_per_second": speed, "switching_per_second": speed},
        "together": {"alone_per_second": speed, "together_per_second": 1.5 * speed},
        "busy": {"tokens_per_second": speed / 2},
    }
    return by_name[scenario.name]


FACTORS = {"onepack": 1.0, "llama": 2.0, "genai": 1.5, "executorch": 1.25}


def turn(times: float = 1.0) -> records.Turn:
    return {
        scenario.key: {
            peer: result_of(scenario, times * factor) for peer, factor in FACTORS.items()
        }
        for scenario in scenarios.SCENARIOS
    }


def results(turns: list[records.Turn]) -> records.Results:
    return {
        "processor": "avx2",
        "flags": ["avx2"],
        "machine": "A machine",
        "versions": "Some versions",
        "turns": turns,
    }


def cells_of(text: str, title: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


class Page(unittest.TestCase):
    def test_a_row_has_every_peer_and_the_ratio_to_the_better(self) -> None:
        text = page.markdown({"avx2": results([turn()])}, {})
        self.assertEqual(
            cells_of(text, "generation after 0, 1 thread")[1:],
            ["**60.0**", "**30.0**", "**40.0**", "**48.0**", "**1.50**", "**1.25**", "≥ 1 ✓"],
        )

    def test_ratios_are_of_one_turn(self) -> None:
        """The machine is half as fast in the second turn: that is no part of the ratio."""
        text = page.markdown({"avx2": results([turn(), turn(2)])}, {})
        cells = cells_of(text, "generation after 0, 1 thread")
        self.assertEqual(cells[1], "**45.0** (30.0 to 60.0)")
        self.assertEqual(cells[5], "**1.50** (1.50 to 1.50)")

    def test_a_goal_that_is_missed_says_so(self) -> None:
        text = page.markdown({"avx2": results([turn()])}, {})
        self.assertEqual(cells_of(text, "start to first token")[7], "≤ 0.1 ✗")
        self.assertEqual(cells_of(text, "load a further adapter")[7], "≤ 5 ms ✓")

    def test_memory_is_compared_where_all_hold_the_same_tokens(self) -> None:
        text = page.markdown({"avx2": results([turn()])}, {})
        cells = cells_of(text, "resident memory with a context of 1,800, 2 threads")
        self.assertEqual(cells[5:], ["**0.67**", "**0.80**", "≤ 1 ✓"])
        cells = cells_of(text, "resident memory after the first token")
        self.assertEqual(cells[5:], ["–", "–", ""])

    def test_a_peer_without_a_result_has_no_figure(self) -> None:
        found = turn()
        del found["switch"]["genai"]
        text = page.markdown({"avx2": results([found])}, {})
        cells = cells_of(text, "generation, another adapter for each token, 1 thread")
        self.assertEqual((cells[3], cells[5]), ("–", "**2.00**"))

    def test_a_failure_is_named_and_counts_for_nothing(self) -> None:
        found = turn()
        found["speed_1"]["llama"] = {"error": "first\nno such file"}
        text = page.markdown({"avx2": results([found])}, {})
        self.assertIn("- llama.cpp, `speed_1`: no such file", text)
        self.assertEqual(cells_of(text, "generation after 0, 1 thread")[2], "–")

    def test_every_figure_is_read(self) -> None:
        for _, figures in TABLES:
            for figure in figures:
                self.assertIsNotNone(figure.of(turn(), peers.OWN), figure.title)

    def test_a_kind_of_processor_that_was_not_measured_keeps_its_section(self) -> None:
        old = {"avx512_vnni": "## Old section\n", "avx2": "## Old, measured since\n"}
        text = page.markdown({"avx2": results([turn()])}, old)
        self.assertIn("## Old section", text)
        self.assertNotIn("measured since", text)

    def test_costs_are_compared_with_the_lowest(self) -> None:
        figure = Figure("a cost", "x", "ms", at("ms"), goal=Goal(1.0))
        found = {"x": {"onepack": {"ms": 3}, "llama": {"ms": 2}, "genai": {"ms": 6}}}
        self.assertEqual(figure.ratio(found, AGAINST), 1.5)
        self.assertFalse(figure.reaches(1.5))

    def test_the_picture_has_a_bar_for_every_peer(self) -> None:
        picture = plot.svg(results([turn()]))
        self.assertEqual(picture.count(">llama.cpp<"), len(TABLES[0][1]))


class Readme(unittest.TestCase):
    def test_its_lines_name_what_is_measured_and_the_better_of_the_others(self) -> None:
        text = "| tokens per second, prompt of another length | 1 | 2 | who |\n"
        self.assertEqual(
            readme.updated(text, {"avx2": results([turn()])}),
            "| tokens per second, prompt of 128 | 240 | 160 | ONNX Runtime GenAI, the better of it "
            "and llama.cpp ([engines.md](docs/engines.md)) |\n",
        )


class Recorded(unittest.TestCase):
    """docs/ says what bench/results/ has."""

    def test_the_page_is_that_of_the_recorded_results(self) -> None:
        folder = ROOT / "bench/results"
        text = page.markdown(records.read_all(folder), records.read_old_sections(folder))
        self.assertEqual(text, (ROOT / "docs/engines.md").read_text(encoding="utf-8"))

    def test_the_pictures_are_those_of_the_recorded_results(self) -> None:
        for kind, found in records.read_all(ROOT / "bench/results").items():
            path = ROOT / f"docs/engines_{kind}.svg"
            self.assertEqual(plot.svg(found), path.read_text(encoding="utf-8"))

    def test_the_readme_names_the_recorded_results(self) -> None:
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertEqual(readme.updated(text, records.read_all(ROOT / "bench/results")), text)
        for beginning, _, _ in readme.LINES:
            self.assertEqual(text.count(f"\n| {beginning} "), 1)

    def test_an_old_section_goes_only_when_all_is_measured(self) -> None:
        self.assertTrue(is_complete([turn()]))
        found = turn()
        found["speed_1"]["llama"] = {"error": "no such file"}
        self.assertFalse(is_complete([found]))
        self.assertTrue(is_complete([found, turn()]))
        del found["busy_2"]
        self.assertFalse(is_complete([found]))

    def test_results_are_written_into_a_new_folder_beside_an_old_section(self) -> None:
        with tempfile.TemporaryDirectory() as parent:
            folder = pathlib.Path(parent) / "new"
            records.write(folder, results([turn()]))
            (folder / "engines_avx2.md").write_text("## Old\n", encoding="utf-8")
            records.write(folder, results([turn(), turn()]))
            self.assertEqual(list(records.read_old_sections(folder)), ["avx2"])
            self.assertEqual(len(records.read_all(folder)["avx2"]["turns"]), 2)
            records.drop_old_section(folder, "avx2")
            self.assertEqual(records.read_old_sections(folder), {})

    def test_what_is_written_is_read_again(self) -> None:
        found = results([turn(), turn(2)])
        self.assertEqual(json.loads(records.text_of(found)), found)


class Measuring(unittest.TestCase):
    def test_the_order_of_peers_changes_and_each_is_first_once(self) -> None:
        orders = [measure.order_of(number) for number in range(len(peers.PEERS))]
        self.assertEqual({order[0] for order in orders}, set(peers.PEERS))
        for order in orders:
            self.assertEqual(set(order), set(peers.PEERS))

    def test_adapters_have_files_of_their_rank(self) -> None:
        self.assertEqual(
            peers.program("llama", "m", (16, 0)), "m/llama/base.gguf,m/llama/rank16_0.gguf"
        )
        self.assertEqual(
            peers.program("executorch", "m", (4, 2)),
            "m/onepack/rank4/lora2.pte,m/onepack/rank4/foundation.ptd,m/onepack/rank4/lora2.ptd",
        )

    def test_adapters_that_change_nothing_are_an_error(self) -> None:
        wrong = measure.adapters_that_change_nothing
        self.assertIsNone(wrong({}))
        self.assertIsNone(wrong({"first_outputs": [0.5, 0.25, 0.75]}))
        for outputs in ([0.5, 0.5, 0.75], [0.5, 0.25, 0.25], [0.5, None, 0.25]):
            self.assertIn("not applied", str(wrong({"first_outputs": outputs})))

    def test_the_best_instructions_name_the_kind_of_processor(self) -> None:
        self.assertEqual(processor.kind({"avx2", "avx512_vnni"}), "avx512_vnni")
        self.assertEqual(processor.kind({"avx2", "fma"}), "avx2")
        self.assertEqual(processor.kind(set()), "other")


if __name__ == "__main__":
    unittest.main()
