#include "tests/c_api/recorded_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <variant>

#include "tools/recorded_case.h"

namespace {

using onepack::RecordedCase;
using onepack::RecordedTensor;
using onepack::RecordedValue;

bool Copy(const RecordedCase& recorded, const RecordedValue& value, recorded_floats* copy) {
  const auto* tensor = std::get_if<RecordedTensor>(&value);
  if (tensor == nullptr || tensor->scalar_type != onepack::ScalarType::kFloat) return false;
  copy->rank = tensor->sizes.size();
  std::copy(tensor->sizes.begin(), tensor->sizes.end(), copy->sizes);
  copy->count = tensor->size_bytes / sizeof(float);
  copy->numbers = static_cast<float*>(malloc(tensor->size_bytes));
  if (copy->numbers == nullptr) return false;
  memcpy(copy->numbers, recorded.tensors.bytes().data() + tensor->offset, tensor->size_bytes);
  return true;
}

}  // namespace

size_t count_recorded_calls(const char* json_path) {
  auto recorded = onepack::ReadRecordedCase(json_path);
  if (recorded.ok()) return recorded->calls.size();
  fprintf(stderr, "%s\n", recorded.status().message());
  return 0;
}

int read_recorded_call(const char* json_path, size_t index, recorded_call* call) {
  *call = recorded_call{};
  auto recorded = onepack::ReadRecordedCase(json_path);
  if (!recorded.ok()) {
    fprintf(stderr, "%s\n", recorded.status().message());
    return 0;
  }
  const auto& calls = recorded->calls;
  if (index < calls.size() && calls[index].inputs.size() == 1 && calls[index].outputs.size() == 1 &&
      Copy(*recorded, calls[index].inputs[0], &call->input) &&
      Copy(*recorded, calls[index].outputs[0], &call->output)) {
    call->atol = recorded->tolerance.atol;
    call->rtol = recorded->tolerance.rtol;
    return 1;
  }
  free_recorded_call(call);
  fprintf(stderr, "%s: call %zu is none of one float tensor in and one out\n", json_path, index);
  return 0;
}

void free_recorded_call(recorded_call* call) {
  free(call->input.numbers);
  free(call->output.numbers);
  *call = recorded_call{};
}
