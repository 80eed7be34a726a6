#include "examples/demo/comparison_table.h"

#include <array>
#include <sstream>
#include <utility>

#include "tools/format.h"

namespace onepack {
namespace {

constexpr size_t kLineWidth = 118;
constexpr size_t kNameWidth = 8;
constexpr size_t kCellWidth = 9;
constexpr size_t kColumns = 5;
constexpr size_t kSideWidth = kColumns * kCellWidth;

using Cells = std::array<std::string, kColumns>;

std::string PadLeft(const std::string& text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string PadRight(const std::string& text, size_t width) {
  return text.size() < width ? text + std::string(width - text.size(), ' ') : text;
}

std::string Center(const std::string& text, size_t width) {
  return PadRight(PadLeft(text, (width + text.size()) / 2), width);
}

std::string TrimRight(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string Row(const std::string& name, const Cells& shared, const Cells& apart) {
  std::string line = PadRight(name, kNameWidth) + "|";
  for (const std::string& cell : shared) line += PadLeft(cell, kCellWidth);
  line += " |";
  for (const std::string& cell : apart) line += PadLeft(cell, kCellWidth);
  return TrimRight(std::move(line)) + "\n";
}

std::string Rule() {
  const std::string name(kNameWidth, '-');
  return name + "+" + std::string(kSideWidth + 1, '-') + "+" + std::string(kSideWidth, '-') + "\n";
}

std::string Header() {
  const Cells over = {"load", "found in", "added to", "anon.", ""};
  const Cells under = {"time", "cache", "cache", "memory", "answers"};
  return PadRight("", kNameWidth) + "|" +
         Center("SHARED: one cache for all programs", kSideWidth + 1) + "|" +
         TrimRight(Center("APART: a cache for each program", kSideWidth)) + "\n" +
         Row("", over, over) + Row("program", under, under) + Rule();
}

std::string BytesOrNone(uint64_t bytes) { return bytes == 0 ? "-" : FormatBytes(bytes); }

Cells ProgramCells(const ProgramMeasurement& program) {
  return {FormatSeconds(program.load_seconds), BytesOrNone(program.found_bytes),
          BytesOrNone(program.packed_bytes), FormatBytes(program.anonymous_bytes),
          program.mismatch.empty() ? "match" : "DIFFER"};
}

struct Totals {
  double load_seconds = 0;
  uint64_t found_bytes = 0;
  uint64_t packed_bytes = 0;
  // When all programs are loaded. A difference of two such numbers is without what the process
  // itself takes.
  uint64_t anonymous_bytes = 0;

  void Add(const Measurements& measurements) {
    for (const ProgramMeasurement& program : measurements) {
      load_seconds += program.load_seconds;
      found_bytes += program.found_bytes;
      packed_bytes += program.packed_bytes;
    }
    if (!measurements.empty()) anonymous_bytes += measurements.back().anonymous_bytes;
  }
};

Cells TotalCells(const Measurements& measurements) {
  Totals totals;
  totals.Add(measurements);
  return {FormatSeconds(totals.load_seconds), BytesOrNone(totals.found_bytes),
          BytesOrNone(totals.packed_bytes), "", ""};
}

std::string FormatGroup(const MeasuredGroup& group) {
  std::string text = group.title + "\n";
  for (size_t i = 0; i < group.shared.size(); ++i) {
    const ProgramMeasurement& shared = group.shared[i];
    text += Row(shared.name, ProgramCells(shared), ProgramCells(group.apart[i]));
  }
  return text + Row("sum", TotalCells(group.shared), TotalCells(group.apart)) + Rule();
}

// Breaks lines between words.
std::string Wrap(const std::string& text, size_t width) {
  std::string wrapped;
  size_t column = 0;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool fits = column + 1 + word.size() <= width;
    if (column > 0) wrapped += fits ? ' ' : '\n';
    column = column > 0 && fits ? column + 1 + word.size() : word.size();
    wrapped += word;
  }
  return wrapped + "\n";
}

// "403 MB less", "12.1 KB more".
template <typename T, typename Format>
std::string Difference(T shared, T apart, const Format& format) {
  return shared <= apart ? format(apart - shared) + " less" : format(shared - apart) + " more";
}

}  // namespace

std::string FormatTable(const std::vector<MeasuredGroup>& groups) {
  std::string text = Header();
  for (const MeasuredGroup& group : groups) text += FormatGroup(group);
  return text;
}

std::string FormatLegend() {
  TextTable table(0);
  table.AddRow({"load", "from the program's path to a method that is ready to run"});
  table.AddRow({"found in cache", "packed weights that an earlier program had left there"});
  table.AddRow({"added to cache", "packed weights that this program had to pack"});
  table.AddRow({"anon. memory",
                "resident after loading and running it: packed weights, activations; "
                "the kernel cannot drop it"});
  table.AddRow({"answers", "of the recorded calls, compared with the recording"});
  return table.ToString();
}

std::string FormatSaving(const std::vector<MeasuredGroup>& groups) {
  Totals shared;
  Totals apart;
  Totals in_place;
  size_t programs = 0;
  for (const MeasuredGroup& group : groups) {
    shared.Add(group.shared);
    apart.Add(group.apart);
    in_place.Add(group.in_place);
    programs += group.shared.size();
  }
  return Wrap("Sharing makes the " + FormatCount(programs, "program", "programs") + " take " +
                  Difference(shared.anonymous_bytes, apart.anonymous_bytes, FormatBytes) +
                  " memory (" + FormatBytes(shared.anonymous_bytes) + " instead of " +
                  FormatBytes(apart.anonymous_bytes) + ", anonymous) and " +
                  Difference(shared.load_seconds, apart.load_seconds, FormatSeconds) +
                  " time to load (" + FormatSeconds(shared.load_seconds) + " instead of " +
                  FormatSeconds(apart.load_seconds) + "). With linear layers in place they take " +
                  FormatBytes(in_place.anonymous_bytes) + " and " +
                  FormatSeconds(in_place.load_seconds) + ": the weights are the files' own pages.",
              kLineWidth);
}

std::string FormatMismatches(const std::vector<MeasuredGroup>& groups) {
  std::string text;
  const auto add = [&](const std::string& title, const char* how,
                       const Measurements& measurements) {
    for (const ProgramMeasurement& program : measurements) {
      if (program.mismatch.empty()) continue;
      text += title.substr(0, title.find(':')) + "/" + program.name + " " + how + ": " +
              program.mismatch + "\n";
    }
  };
  for (const MeasuredGroup& group : groups) {
    add(group.title, "with one cache for all", group.shared);
    add(group.title, "with a cache of its own", group.apart);
    add(group.title, "with linear layers in place", group.in_place);
  }
  return text;
}

}  // namespace onepack
