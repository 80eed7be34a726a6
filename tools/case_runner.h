// A recorded case on a loaded method: makes the calls, compares the results.
//
// Ownership: keeps the case and the method; the loader must outlive it.
// Threads:   belongs to one thread at a time.

#ifndef ONEPACK_TOOLS_CASE_RUNNER_H_
#define ONEPACK_TOOLS_CASE_RUNNER_H_

#include "tools/program_loader.h"
#include "tools/recorded_case.h"

namespace onepack {

struct CaseOutcome {
  bool passed = false;
  bool compared = false;   // false: nothing came back to compare
  double worst_error = 0;  // relative to the tolerance, of all calls that were made
  std::string reason;      // why it did not pass
};

class CaseRunner {
 public:
  static Result<CaseRunner> Load(ProgramLoader& loader, RecordedCase recorded);

  // For a caller that has loaded the case's method.
  CaseRunner(RecordedCase recorded, Ref<Method> method)
      : recorded_(std::move(recorded)), method_(std::move(method)) {}

  const std::string& program() const { return recorded_.program; }
  // Data files of the case of which its method uses no key; those of Load only.
  const std::vector<std::string>& unused_files() const { return unused_files_; }

  // Once for each loaded method: state such as a KV cache may carry over from call to call. Stops
  // at the first call that fails; makes the calls after one that merely differs.
  CaseOutcome Run();

 private:
  Status MakeCall(const RecordedCall& call);
  void CompareOutputs(size_t call, CaseOutcome& outcome) const;

  RecordedCase recorded_;
  Ref<Method> method_;
  std::vector<std::string> unused_files_;
};

}  // namespace onepack

#endif  // ONEPACK_TOOLS_CASE_RUNNER_H_
