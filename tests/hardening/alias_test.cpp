// Calls with one value in two places: each argument of each call of the seeds in the place of each
// other one of that call, loaded and run beside the good program.

#include <gtest/gtest.h>
#include <string.h>

#include <string>
#include <utility>
#include <vector>

#include "program_generated.h"
#include "tests/hardening/seed_programs.h"
#include "tests/support/sanitizers.h"

namespace onepack {
namespace {

// Of one program.
constexpr size_t kMaxDelegateCalls = 3000;
constexpr size_t kMaxKernelCalls =
    200;  // operator_calls_test tries them with the same tensors, too
// One of so many is tried where each takes several times as long; without a sanitizer all are.
constexpr size_t kStride = kSanitized ? 5 : 1;

using Arguments = flatbuffers::Vector<int32_t>;

// The arguments of all calls of a program, of delegates or of kernels.
template <typename Call>
std::vector<const Arguments*> CallsOf(const std::vector<uint8_t>& program) {
  std::vector<const Arguments*> calls;
  for (const auto* plan : *wire::program::GetProgram(program.data())->execution_plan()) {
    for (const auto* chain : *plan->chains()) {
      for (const auto* instruction : *chain->instructions()) {
        const Call* call = instruction->instr_args_as<Call>();
        if (call != nullptr) calls.push_back(call->args());
      }
    }
  }
  return calls;
}

// Where in the file argument `index` is.
size_t OffsetOf(const std::vector<uint8_t>& program, const Arguments& arguments, uint32_t index) {
  return static_cast<size_t>(arguments.Data() - program.data()) + index * sizeof(int32_t);
}

// `most` of them at most; how many were tried.
size_t TryAliases(const UntrustedFiles& good, const std::vector<const Arguments*>& calls,
                  size_t most, Neighbour& neighbour) {
  size_t found = 0;
  size_t tried = 0;
  UntrustedFiles files = good;
  for (const Arguments* arguments : calls) {
    for (uint32_t i = 0; i < arguments->size(); ++i) {
      for (uint32_t j = 0; j < arguments->size() && found < most; ++j) {
        const int32_t other = arguments->Get(j);
        if (other == arguments->Get(i)) continue;
        ++found;
        if (found % kStride != 0) continue;
        const size_t offset = OffsetOf(good.program, *arguments, i);
        memcpy(files.program.data() + offset, &other, sizeof(other));
        const UntrustedOutcome outcome = RunUntrusted(files, &neighbour);
        EXPECT_EQ(outcome.violation, "") << good.name << ", argument at byte " << offset << " = "
                                         << other << ": " << outcome.message;
        memcpy(files.program.data() + offset, good.program.data() + offset, sizeof(other));
        ++tried;
      }
    }
  }
  return tried;
}

TEST(AliasTest, OneValueInTwoPlacesOfACallDoesNoHarm) {
  std::vector<UntrustedFiles> seeds = GeneratedSeeds();
  for (UntrustedFiles& files : RecordedSeeds()) seeds.push_back(std::move(files));
  size_t tried = 0;
  for (const UntrustedFiles& files : seeds) {
    Neighbour neighbour(files);
    tried += TryAliases(files, CallsOf<wire::program::DelegateCall>(files.program),
                        kMaxDelegateCalls, neighbour);
    tried += TryAliases(files, CallsOf<wire::program::KernelCall>(files.program), kMaxKernelCalls,
                        neighbour);
  }
  EXPECT_GT(tried, 5000 / kStride);
}

}  // namespace
}  // namespace onepack
