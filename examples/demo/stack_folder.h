// A folder with a generated model, gone with its owner: programs that carry all of their data, as
// an export without data separation leaves them, split into slim ones over one foundation.

#ifndef ONEPACK_EXAMPLES_DEMO_STACK_FOLDER_H_
#define ONEPACK_EXAMPLES_DEMO_STACK_FOLDER_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "aot/lora_stack.h"
#include "aot/split_programs.h"
#include "onepack/result.h"

namespace onepack {

class StackFolder {
 public:
  // In the system's folder for temporary files (TMPDIR, or /tmp).
  static Result<StackFolder> Generate(const LoraStackOptions& options);

  StackFolder(StackFolder&& other) noexcept
      : root_(std::move(other.root_)), report_(std::move(other.report_)) {
    other.root_.clear();
  }
  StackFolder& operator=(StackFolder&&) = delete;
  ~StackFolder();

  std::string path() const;
  // What splitting saved.
  const SplitReport& report() const { return report_; }

 private:
  explicit StackFolder(std::string root) : root_(std::move(root)) {}

  std::string root_;  // empty: moved from
  SplitReport report_;
};

// A base program and two adapters of rank 16 over a foundation of about that many bytes.
LoraStackOptions StackOfSize(uint64_t foundation_bytes);

// The cases in `folder`, base first: base.json, lora0.json, lora1.json, ... Errors: kNotFound when
// there is no base.
Result<std::vector<std::string>> StackCases(const std::string& folder);

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_STACK_FOLDER_H_
