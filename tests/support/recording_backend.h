// A backend that remembers what it was given and runs what the test says.

#ifndef ONEPACK_TESTS_SUPPORT_RECORDING_BACKEND_H_
#define ONEPACK_TESTS_SUPPORT_RECORDING_BACKEND_H_

#include <stdint.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "onepack/backend.h"

namespace onepack {

struct RecordedDelegate {
  size_t index = 0;
  std::vector<uint8_t> payload;
  uint64_t payload_offset = 0;
  std::string source_name;
  std::vector<std::pair<std::string, std::vector<uint8_t>>> compile_specs;
  int session = 0;  // 1 for the first session that was opened
};

// Outlives the backend that writes to it.
struct BackendRecord {
  int sessions_opened = 0;
  int sessions_alive = 0;
  int delegates_alive = 0;
  std::vector<RecordedDelegate> delegates;

  // What the test wants; empty means success.
  std::function<Status(const DelegateRequest& request)> on_load;
  std::function<Status(Span<Value* const> arguments)> on_execute;
};

// `name` and `record` outlive the backend.
Ref<Backend> MakeRecordingBackend(const char* name, BackendRecord* record);

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_RECORDING_BACKEND_H_
