#include "c_api/boundary.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>

namespace onepack {
namespace {

struct Outcome {
  onepack_status status;
  std::string message;
};

// What a caller gets of `function`.
template <typename Function>
Outcome Through(const Function& function) {
  char left_over[] = "left over";
  char* message = left_over;
  Outcome outcome;
  outcome.status = Guard(&message, function);
  EXPECT_NE(message, left_over);
  outcome.message = message == nullptr ? "(null)" : message;
  onepack_message_free(message);
  return outcome;
}

TEST(BoundaryTest, AStatusIsACodeAndACopyOfItsMessage) {
  Outcome outcome = Through([] { return Status::Ok(); });
  EXPECT_EQ(outcome.status, ONEPACK_OK);
  EXPECT_EQ(outcome.message, "(null)");
  outcome = Through([] { return Status::Error(StatusCode::kMismatch, "a.ptd and b.ptd"); });
  EXPECT_EQ(outcome.status, ONEPACK_MISMATCH);
  EXPECT_EQ(outcome.message, "a.ptd and b.ptd");
  EXPECT_EQ(Guard(nullptr, [] { return Status::Error(StatusCode::kIoError, "x"); }),
            ONEPACK_IO_ERROR);
}

TEST(BoundaryTest, NoExceptionPasses) {
  Outcome outcome = Through([]() -> Status { throw std::bad_alloc(); });
  EXPECT_EQ(outcome.status, ONEPACK_RESOURCE_EXHAUSTED);
  EXPECT_EQ(outcome.message, "out of memory");
  outcome = Through([]() -> Status { throw std::runtime_error("a defect"); });
  EXPECT_EQ(outcome.status, ONEPACK_INTERNAL);
  EXPECT_EQ(outcome.message, "a defect");
  outcome = Through([]() -> Status { throw 7; });
  EXPECT_EQ(outcome.status, ONEPACK_INTERNAL);
}

TEST(BoundaryTest, AHandleThatCannotBeMadeIsNull) {
  int stale = 0;
  int* handle = &stale;
  EXPECT_EQ(GuardNew(&handle, nullptr, []() -> Result<int> { throw std::bad_alloc(); }),
            ONEPACK_RESOURCE_EXHAUSTED);
  EXPECT_EQ(handle, nullptr);
  int** const no_place = nullptr;
  EXPECT_EQ(GuardNew(no_place, nullptr, []() -> Result<int> { return 1; }),
            ONEPACK_INVALID_ARGUMENT);
  EXPECT_EQ(GuardNew(&handle, nullptr, []() -> Result<int> { return 1; }), ONEPACK_OK);
  ASSERT_NE(handle, nullptr);
  EXPECT_EQ(*handle, 1);
  delete handle;
}

}  // namespace
}  // namespace onepack
