#include "tests/hardening/operator_calls.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace onepack {
namespace {

constexpr int kCallsEach = 150;

TEST(OperatorCallsTest, EveryOperatorReturnsWhateverItsArgumentsAre) {
  const std::vector<OperatorSignature> signatures = FindOperatorSignatures();
  ASSERT_GT(signatures.size(), 100u);
  size_t succeeded = 0;
  size_t never = 0;
  for (const OperatorSignature& signature : signatures) {
    std::mt19937 random(static_cast<uint32_t>(std::hash<std::string>()(signature.name)));
    size_t succeeded_here = 0;
    for (int i = 0; i < kCallsEach; ++i) {
      std::vector<uint8_t> script(96);
      for (uint8_t& byte : script) byte = static_cast<uint8_t>(random());
      const OperatorCallOutcome outcome = CallOperator(signature, {script.data(), script.size()});
      ASSERT_EQ(outcome.violation, "") << signature.name << ": " << outcome.message;
      ASSERT_TRUE(outcome.succeeded || !outcome.message.empty()) << signature.name;
      succeeded_here += outcome.succeeded ? 1 : 0;
    }
    succeeded += succeeded_here;
    never += succeeded_here == 0 ? 1 : 0;
  }
  printf("%zu operators, %zu of %zu calls succeeded\n", signatures.size(), succeeded,
         signatures.size() * kCallsEach);
  // Else the calls would say nothing of what operators do.
  EXPECT_LT(never, signatures.size() / 4);
}

}  // namespace
}  // namespace onepack
