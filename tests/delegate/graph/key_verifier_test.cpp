#include "delegate/graph/key_verifier.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/content_key.h"
#include "tests/support/counted_file.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

std::string HashOf(const char* text) { return ContentKeyOf(AsBytes(text)); }

TEST(KeyVerifierTest, ReadsEachEntryOnce) {
  PtdWriter writer;
  for (const char* text : {"a", "b", "c"}) writer.AddBytes(HashOf(text), AsBytes(text));
  const CountedFile file(writer);
  KeyVerifier verifier;
  for (int time = 0; time < 2; ++time) {
    for (const NamedData& data : file.map()->entries()) {
      ASSERT_TRUE(IsOk(verifier.Verify(data)));
    }
    EXPECT_EQ(file.loads(), 3u);
  }
}

TEST(KeyVerifierTest, AForgedEntryIsRefusedEveryTime) {
  PtdWriter writer;
  writer.AddBytes(HashOf("b"), AsBytes("c"));
  const CountedFile file(writer);
  KeyVerifier verifier;
  for (int time = 0; time < 2; ++time) {
    EXPECT_TRUE(IsError(verifier.Verify(file.map()->entries()[0]), StatusCode::kInvalidFile));
  }
}

}  // namespace
}  // namespace onepack
