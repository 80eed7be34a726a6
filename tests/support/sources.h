// Programs and data files that tests make in memory.

#ifndef ONEPACK_TESTS_SUPPORT_SOURCES_H_
#define ONEPACK_TESTS_SUPPORT_SOURCES_H_

#include <stdint.h>

#include <vector>

#include "onepack/data_source.h"
#include "onepack/named_data_map.h"
#include "onepack/program.h"
#include "onepack/ref.h"
#include "onepack/result.h"

namespace onepack {

// A source that owns its bytes.
Ref<DataSource> SourceOf(std::vector<uint8_t> bytes, const char* name);

inline Result<Ref<Program>> OpenProgram(std::vector<uint8_t> bytes, const char* name = "test.pte") {
  return Program::Open(SourceOf(std::move(bytes), name));
}

inline Result<Ref<NamedDataMap>> OpenData(std::vector<uint8_t> bytes,
                                          const char* name = "test.ptd") {
  return NamedDataMap::Open(SourceOf(std::move(bytes), name));
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_SOURCES_H_
