#include "tools/print_stats.h"

#include <stdio.h>

#include <initializer_list>
#include <utility>

#include "onepack/thread_pool.h"
#include "tools/format.h"
#include "tools/memory_usage.h"

namespace onepack {
namespace {

std::string Number(uint64_t number) { return std::to_string(number); }

using Reason = std::pair<uint64_t, const char*>;

// "68 new, 3 with other content": reasons that never occurred are left out.
std::string DescribeReasons(std::initializer_list<Reason> reasons) {
  std::string text;
  for (const auto& [count, reason] : reasons) {
    if (count > 0) text += (text.empty() ? "" : ", ") + Number(count) + " " + reason;
  }
  return text;
}

std::string DescribeMisses(const WeightCacheMisses& misses) {
  return DescribeReasons({{misses.absent, "new"},
                          {misses.other_content, "with other content"},
                          {misses.other_quantization, "with other quantization"},
                          {misses.other_layout, "in another layout"}});
}

std::string DescribeFileMisses(const PackedFileMisses& misses) {
  return DescribeReasons({{misses.absent, "not in the file"},
                          {misses.other_layout, "in another layout"},
                          {misses.damaged, "damaged"}});
}

double SecondsOf(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

void PrintCacheStats(const WeightCacheStats& stats) {
  TextTable table(2);
  table.AddRow({"held now", FormatBytes(stats.bytes),
                FormatCount(stats.entries, "shared entry", "shared entries") + ", " +
                    FormatBytes(stats.private_bytes) + " private, " +
                    FormatBytes(stats.retained_bytes) + " not pinned"});
  table.AddRow({"in place", FormatBytes(stats.in_place_bytes), "used as the files have them"});
  table.AddRow(
      {"copied", FormatBytes(stats.copied_bytes), "the same, of files that are not mapped"});
  table.AddRow({"heap", FormatBytes(stats.heap_bytes), "address space for what is held"});
  table.AddRow({"pins", Number(stats.pins)});
  table.AddRow({"hits", Number(stats.hits), FormatBytes(stats.hit_bytes) + " not packed again"});
  table.AddRow({"misses", Number(stats.misses.total()), DescribeMisses(stats.misses)});
  table.AddRow({"packed", FormatBytes(stats.packed_bytes),
                "in " + FormatSeconds(SecondsOf(stats.packing_ns)) + ", summed over threads"});
  table.AddRow({"waits", Number(stats.waits),
                FormatSeconds(SecondsOf(stats.wait_ns)) + " for another program's packing"});
  table.AddRow({"evictions", Number(stats.evictions)});
  table.AddRow({"locks", Number(stats.lock_count), "times the cache was locked"});
  printf("weight cache\n%s", table.ToString().c_str());
}

void PrintFileStats(const WeightCacheStats& stats) {
  const PackedFileStats& file = stats.file;
  TextTable table(2);
  table.AddRow(
      {"weights", "packed " + Number(file.misses.total()) + ", from file " + Number(file.hits)});
  table.AddRow({"served", FormatBytes(file.hit_bytes), FormatBytes(stats.file_bytes) + " now"});
  table.AddRow({"misses", Number(file.misses.total()), DescribeFileMisses(file.misses)});
  table.AddRow({"hashed", FormatBytes(file.hashed_bytes), "of raw weights that were not known"});
  table.AddRow({"written", FormatBytes(file.written_bytes),
                FormatCount(file.written, "weight", "weights") + ", " + Number(file.pending) +
                    " to be written"});
  table.AddRow({"file", FormatBytes(file.file_bytes),
                FormatCount(file.entries, "weight", "weights") + ", " +
                    FormatBytes(file.dead_bytes) + " dead"});
  table.AddRow({"troubles", Number(file.troubles)});
  printf("packed file\n%s", table.ToString().c_str());
}

}  // namespace

void PrintMemory() {
  auto usage = CurrentMemoryUsage();
  if (!usage.ok()) {
    printf("memory of this process\n  unknown: %s\n", usage.status().message());
    return;
  }
  TextTable table(2);
  table.AddRow({"resident", FormatBytes(usage->resident_bytes)});
  table.AddRow({"anonymous", FormatBytes(usage->anonymous_bytes)});
  table.AddRow({"file-backed", FormatBytes(usage->file_backed_bytes)});
  printf("memory of this process\n%s", table.ToString().c_str());
}

void PrintStats(const ProgramLoader& loader) {
  printf("thread pool\n  %s\n", ThreadPoolSuitsBusyMachines()
                                    ? "waits only for threads that have taken work"
                                    : "waits for each thread: stalls on busy machines");
  if (loader.weight_cache() != nullptr) {
    const WeightCacheStats stats = loader.weight_cache()->Stats();
    PrintCacheStats(stats);
    if (!loader.weight_cache()->options().packed_file.path.empty()) PrintFileStats(stats);
  } else {
    printf("weight cache\n  none: every method packed for itself\n");
  }
  PrintMemory();
}

}  // namespace onepack
