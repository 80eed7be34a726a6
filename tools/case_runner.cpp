#include "tools/case_runner.h"

#include <algorithm>

#include "tools/unused_data.h"

namespace onepack {
namespace {

std::string Where(size_t call) { return "call " + std::to_string(call) + ": "; }

}  // namespace

Result<CaseRunner> CaseRunner::Load(ProgramLoader& loader, RecordedCase recorded) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, loader.OpenProgram(recorded.program));
  ONEPACK_ASSIGN_OR_RETURN(const MethodOptions options, loader.OptionsFor(recorded.data));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method,
                           Method::Load(program, recorded.method, options));
  ONEPACK_ASSIGN_OR_RETURN(
      std::vector<std::string> unused,
      UnusedFiles(loader, recorded.data, options.named_data.get(),
                  [&method](size_t entry) { return method->UsesData(entry); }));
  CaseRunner runner(std::move(recorded), method);
  runner.unused_files_ = std::move(unused);
  return runner;
}

Status CaseRunner::MakeCall(const RecordedCall& call) {
  if (call.inputs.size() != method_->input_count()) {
    return Status::Error(StatusCode::kMismatch, "%zu inputs are recorded, the method takes %zu",
                         call.inputs.size(), method_->input_count());
  }
  if (call.outputs.size() != method_->output_count()) {
    return Status::Error(StatusCode::kMismatch, "%zu outputs are recorded, the method gives %zu",
                         call.outputs.size(), method_->output_count());
  }
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    Tensor tensor;
    ONEPACK_RETURN_IF_ERROR(method_->SetInput(i, recorded_.ToValue(call.inputs[i], &tensor)));
  }
  return method_->Execute();
}

void CaseRunner::CompareOutputs(size_t call, CaseOutcome& outcome) const {
  const std::vector<RecordedValue>& expected = recorded_.calls[call].outputs;
  for (size_t i = 0; i < expected.size(); ++i) {
    Tensor tensor;
    const Comparison comparison = CompareValues(
        method_->output(i), recorded_.ToValue(expected[i], &tensor), recorded_.tolerance);
    outcome.compared = true;
    outcome.worst_error = std::max(outcome.worst_error, comparison.worst_error);
    if (comparison.matches() || !outcome.reason.empty()) continue;
    outcome.reason = Where(call) + "output " + std::to_string(i) + ": " + comparison.mismatch;
  }
}

CaseOutcome CaseRunner::Run() {
  CaseOutcome outcome;
  for (size_t call = 0; call < recorded_.calls.size(); ++call) {
    Status status = Status::Ok();
    const bool is_fresh = recorded_.state == RecordedCase::State::kFreshForEachCall;
    if (call > 0 && is_fresh) status = method_->Reset();
    if (status.ok()) status = MakeCall(recorded_.calls[call]);
    if (!status.ok()) {
      if (outcome.reason.empty()) outcome.reason = Where(call) + status.message();
      return outcome;
    }
    CompareOutputs(call, outcome);
  }
  outcome.passed = outcome.reason.empty();
  return outcome;
}

}  // namespace onepack
