// Calls a fuzz target once for each file of the folders that are given, in place of libFuzzer.

#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "tests/support/files.h"

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      paths.push_back(entry.path().string());
    }
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    fprintf(stderr, "%s\n", path.c_str());
    const std::vector<uint8_t> bytes = onepack::ReadFile(path);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  printf("%zu files replayed\n", paths.size());
  return paths.empty() ? 1 : 0;
}
