#include "tools/memory_usage.h"

#include <errno.h>

#include <fstream>
#include <sstream>
#include <string>

namespace onepack {
namespace {

constexpr char kPath[] = "/proc/self/smaps_rollup";

// The counter that a line "Rss:   1234 kB" belongs to; null for lines that are not used.
uint64_t* CounterOf(const std::string& name, MemoryUsage& usage) {
  if (name == "Rss:") return &usage.resident_bytes;
  if (name == "Anonymous:") return &usage.anonymous_bytes;
  if (name == "Pss:") return &usage.proportional_bytes;
  return nullptr;
}

}  // namespace

Result<MemoryUsage> CurrentMemoryUsage() {
  std::ifstream file(kPath);
  if (!file) return PosixError(kPath, errno);
  MemoryUsage usage;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    uint64_t kilobytes = 0;
    if (!(words >> name >> kilobytes)) continue;
    uint64_t* counter = CounterOf(name, usage);
    if (counter != nullptr) *counter = kilobytes * 1024;
  }
  if (usage.resident_bytes == 0) {
    return Status::Error(StatusCode::kIoError, "%s: no line \"Rss:\"", kPath);
  }
  // Two counters read at one moment; the difference is still taken with care.
  usage.file_backed_bytes = usage.resident_bytes > usage.anonymous_bytes
                                ? usage.resident_bytes - usage.anonymous_bytes
                                : 0;
  return usage;
}

}  // namespace onepack
