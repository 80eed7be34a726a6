#include "tests/support/resident_bytes.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace onepack {

namespace {

// Of a line such as "Rss:" of every mapping.
size_t SumOf(const char* name, const std::string& path, int* mappings) {
  std::ifstream smaps("/proc/self/smaps");
  std::string line;
  bool is_ours = false;
  size_t kilobytes = 0;
  int count = 0;
  while (std::getline(smaps, line)) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first.find('-') != std::string::npos && first.back() != ':') {
      is_ours = line.size() >= path.size() &&
                line.compare(line.size() - path.size(), path.size(), path) == 0;
      count += is_ours ? 1 : 0;
    } else if (is_ours && first == name) {
      size_t number = 0;
      words >> number;
      kilobytes += number;
    }
  }
  if (mappings != nullptr) *mappings = count;
  return kilobytes * 1024;
}

}  // namespace

size_t ResidentBytesOf(const std::string& path, int* mappings) {
  return SumOf("Rss:", path, mappings);
}

size_t ProportionalBytesOf(const std::string& path) { return SumOf("Pss:", path, nullptr); }

size_t OwnBytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  while (rollup >> word && word != "Anonymous:") {
  }
  size_t kilobytes = 0;
  rollup >> kilobytes;
  return kilobytes * 1024 + FileBytesOf("/memfd:");
}

size_t FileBytesOf(const std::string& prefix, int* descriptors) {
  size_t bytes = 0;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    struct stat info;
    if (target.rfind(prefix, 0) != 0 || stat(entry.path().c_str(), &info) != 0) continue;
    bytes += static_cast<size_t>(info.st_blocks) * 512;
    ++count;
  }
  if (descriptors != nullptr) *descriptors = count;
  return bytes;
}

}  // namespace onepack
