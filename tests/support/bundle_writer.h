// Bundled programs (.bpte) of recorded cases.

#ifndef ONEPACK_TESTS_SUPPORT_BUNDLE_WRITER_H_
#define ONEPACK_TESTS_SUPPORT_BUNDLE_WRITER_H_

#include <stdint.h>

#include <vector>

#include "onepack/span.h"
#include "tools/recorded_case.h"

namespace onepack {

// As exporters align the program inside and the tensors, or as flatbuffers alone does.
enum class BundleAlignment { kOfExporters, kNone };

// `program` with the calls of each of `cases` as the test cases of its method.
std::vector<uint8_t> WriteBundle(Bytes program, const std::vector<RecordedCase>& cases,
                                 BundleAlignment alignment = BundleAlignment::kOfExporters);

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_BUNDLE_WRITER_H_
