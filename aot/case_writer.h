// Writes a recorded case: NAME.json says which files to load, what to call and the expected
// results; NAME.bin holds the tensors.
//
// Ownership: owns what it was told. Threads: one at a time. Errors: those of writing, naming the
//            path.

#ifndef ONEPACK_AOT_CASE_WRITER_H_
#define ONEPACK_AOT_CASE_WRITER_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "aot/output_files.h"
#include "onepack/scalar_type.h"
#include "onepack/span.h"
#include "onepack/status.h"

namespace onepack {

struct CaseFiles {
  std::string family;  // the case is called "family/name"
  std::string name;
  std::string program;
  std::vector<std::string> data;  // in the order the loader is given them
  double tolerance = 1e-3;        // absolute, and relative to the recorded number
};

struct CaseTensor {
  ScalarType scalar_type = ScalarType::kFloat;
  std::vector<int32_t> sizes;
  Bytes bytes;
};

class CaseWriter {
 public:
  explicit CaseWriter(CaseFiles files) : files_(std::move(files)) {}

  // Copies the bytes.
  void AddCall(const std::vector<CaseTensor>& inputs, const std::vector<CaseTensor>& outputs);

  // FOLDER/NAME.bin and FOLDER/NAME.json.
  Status Write(const std::string& folder, OutputFiles& files) const;

 private:
  struct Value {
    ScalarType scalar_type;
    std::vector<int32_t> sizes;
    size_t offset;
    size_t size_bytes;
  };
  struct Call {
    std::vector<Value> inputs;
    std::vector<Value> outputs;
  };

  std::vector<Value> AddTensors(const std::vector<CaseTensor>& tensors);

  CaseFiles files_;
  std::vector<Call> calls_;
  std::vector<uint8_t> bytes_;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_CASE_WRITER_H_
