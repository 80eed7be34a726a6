// Bytes as a bundled program (.bpte): its test cases are read and given to the methods of the
// program inside, which then goes the way of every program.

#include "onepack/method.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/sources.h"
#include "tools/bundled_program.h"
#include "tools/program_loader.h"

namespace onepack {
namespace {

void SetInputs(const BundledProgram& bundle, size_t suite, const Ref<Program>& program,
               ProgramLoader& loader) {
  auto recorded = bundle.TestCasesOf(suite);
  auto options = loader.OptionsFor({});
  if (!recorded.ok() || !options.ok()) return;
  auto method = Method::Load(program, recorded->method, *options);
  if (!method.ok()) return;
  for (const RecordedCall& call : recorded->calls) {
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      Tensor tensor;
      (void)(*method)->SetInput(i, recorded->ToValue(call.inputs[i], &tensor)).ok();
    }
  }
}

void ReadBundle(const BundledProgram& bundle) {
  const Ref<DataSource>& source = bundle.program_source();
  auto inside = source->LoadWhole({0, source->size()});
  if (!inside.ok()) abort();
  AbortOnViolation(RunUntrusted({"fuzz", {inside->bytes.begin(), inside->bytes.end()}, {}}));
  auto program = Program::Open(source);
  auto loader = ProgramLoader::Create({});
  if (!program.ok() || !loader.ok()) return;
  (void)CheckTestSuites(bundle, **program).ok();
  for (size_t i = 0; i < bundle.suite_count(); ++i) SetInputs(bundle, i, *program, **loader);
}

}  // namespace
}  // namespace onepack

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto bundle = onepack::BundledProgram::Open(onepack::SourceOf({data, data + size}, "fuzz"));
  if (bundle.ok()) onepack::ReadBundle(**bundle);
  return 0;
}
