// A bundled program (.bpte): a program with test cases for its methods.
//
// Ownership: counted; keeps the file mapped. Sources of the program inside keep it by themselves.
// Threads:   immutable; any thread.
// Errors:    every message names the file.

#ifndef ONEPACK_TOOLS_BUNDLED_PROGRAM_H_
#define ONEPACK_TOOLS_BUNDLED_PROGRAM_H_

#include <memory>
#include <string>

#include "onepack/program.h"
#include "tools/recorded_case.h"

namespace onepack {

namespace wire::bundled_program {
struct BundledProgram;
}  // namespace wire::bundled_program

class BundledProgram {
 public:
  static Result<std::shared_ptr<const BundledProgram>> Open(const Ref<DataSource>& source);

  // The program inside, whose messages name the bundle. Its first byte may stand at any place.
  const Ref<DataSource>& program_source() const { return program_source_; }

  // The verified flatbuffer; to look inside include "bundled_program_generated.h".
  const wire::bundled_program::BundledProgram& wire() const { return *wire_; }

  // One suite for each method that was bundled with test cases. REQUIRES: suite < suite_count().
  size_t suite_count() const;
  size_t test_case_count(size_t suite) const;
  // A copy of a method's test cases, each a call on a method that has been reset. What data files
  // and tolerance they need is the caller's to say.
  Result<RecordedCase> TestCasesOf(size_t suite) const;

 private:
  BundledProgram() = default;

  Ref<DataSource> source_;
  Buffer file_;
  const wire::bundled_program::BundledProgram* wire_ = nullptr;  // in file_
  Ref<DataSource> program_source_;
};

// Whether each suite is one of a method that `program`, the one inside, has, with as many inputs,
// and as many outputs or none.
Status CheckTestSuites(const BundledProgram& bundle, const Program& program);

// A file that may be a program (.pte) or a bundled one.
struct ProgramFile {
  Ref<DataSource> program;                       // of the program, wherever it is
  std::shared_ptr<const BundledProgram> bundle;  // null where there is none
};
Result<ProgramFile> OpenProgramFile(const Ref<DataSource>& source);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_BUNDLED_PROGRAM_H_
