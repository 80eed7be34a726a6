#include "onepack/status.h"

#include <errno.h>

#include <string>

#include "onepack/result.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

TEST(StatusTest, OkHasNoMessage) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_STREQ(status.message(), "");
  EXPECT_TRUE(Status::Ok().ok());
}

TEST(StatusTest, ErrorKeepsCodeAndFormattedMessage) {
  const Status status = Status::Error(StatusCode::kMismatch, "%d of %s", 3, "four");
  EXPECT_EQ(status.code(), StatusCode::kMismatch);
  EXPECT_STREQ(status.message(), "3 of four");
}

TEST(StatusTest, MovedFromIsOk) {
  Status status = Status::Error(StatusCode::kIoError, "gone");
  const Status other = std::move(status);
  EXPECT_TRUE(status.ok());  // NOLINT: what is left is the point
  EXPECT_STREQ(status.message(), "");
  EXPECT_STREQ(other.message(), "gone");
}

TEST(StatusTest, MoveAssignmentReplacesTheMessage) {
  Status status = Status::Error(StatusCode::kIoError, "first");
  status = Status::Error(StatusCode::kNotFound, "second");
  EXPECT_TRUE(IsError(status, StatusCode::kNotFound, {"second"}));
  Status& same = status;
  status = std::move(same);
  EXPECT_STREQ(status.message(), "second");
}

TEST(StatusTest, ContextComesBeforeTheMessage) {
  const Status status = Status::Error(StatusCode::kInvalidFile, "bad")
                            .WithContext("value %d", 7)
                            .WithContext("file %s", "a.pte");
  EXPECT_EQ(status.code(), StatusCode::kInvalidFile);
  EXPECT_STREQ(status.message(), "file a.pte: value 7: bad");
}

TEST(StatusTest, ContextLeavesOkAlone) {
  EXPECT_TRUE(Status::Ok().WithContext("value %d", 7).ok());
}

TEST(StatusTest, LongMessagesAreKeptWhole) {
  const std::string text(100000, 'x');
  const Status status =
      Status::Error(StatusCode::kInternal, "%s", text.c_str()).WithContext("%s", text.c_str());
  EXPECT_EQ(status.message(), text + ": " + text);
}

TEST(StatusTest, PercentSignsInArgumentsAreNotFormats) {
  const Status status =
      Status::Error(StatusCode::kInternal, "%s", "100%s%n").WithContext("%s", "%d");
  EXPECT_STREQ(status.message(), "%d: 100%s%n");
}

TEST(StatusTest, EveryCodeHasItsOwnName) {
  std::string names;
  for (int code = 0; code <= static_cast<int>(StatusCode::kInternal); ++code) {
    const std::string name = StatusCodeName(static_cast<StatusCode>(code));
    EXPECT_NE(name, "unknown status");
    EXPECT_EQ(names.find("[" + name + "]"), std::string::npos) << name;
    names += "[" + name + "]";
  }
  EXPECT_STREQ(StatusCodeName(static_cast<StatusCode>(200)), "unknown status");
}

TEST(StatusTest, PosixErrorsBecomeCodes) {
  EXPECT_TRUE(IsError(PosixError("a", ENOENT), StatusCode::kNotFound, {"a: ", "errno 2"}));
  EXPECT_TRUE(IsError(PosixError("b", ENOMEM), StatusCode::kResourceExhausted, {"b: "}));
  EXPECT_TRUE(IsError(PosixError("c", EACCES), StatusCode::kIoError, {"c: ", "errno 13"}));
}

Status FailWith(Status status, bool* reached) {
  ONEPACK_RETURN_IF_ERROR(std::move(status));
  *reached = true;
  return Status::Ok();
}

TEST(StatusTest, ReturnIfErrorReturnsOnlyErrors) {
  bool reached = false;
  EXPECT_TRUE(IsError(FailWith(Status::Error(StatusCode::kInternal, "no"), &reached),
                      StatusCode::kInternal, {"no"}));
  EXPECT_FALSE(reached);
  EXPECT_TRUE(IsOk(FailWith(Status::Ok(), &reached)));
  EXPECT_TRUE(reached);
}

Result<std::string> Twice(Result<std::string> text) {
  ONEPACK_ASSIGN_OR_RETURN(const std::string value, std::move(text));
  return value + value;
}

TEST(ResultTest, HoldsAValueOrAnError) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const std::string value, Twice(std::string("ab")));
  EXPECT_EQ(value, "abab");
  EXPECT_TRUE(IsError(Twice(Status::Error(StatusCode::kNotFound, "no text")), StatusCode::kNotFound,
                      {"no text"}));
}

TEST(ResultTest, MovesItsContents) {
  Result<std::string> from = std::string(1000, 'y');
  Result<std::string> to = std::move(from);
  EXPECT_EQ(to->size(), 1000u);
  EXPECT_EQ((*to)[0], 'y');
  Result<std::string> error = Status::Error(StatusCode::kIoError, "broken");
  Result<std::string> moved = std::move(error);
  EXPECT_TRUE(IsError(moved.TakeStatus(), StatusCode::kIoError, {"broken"}));
}

}  // namespace
}  // namespace onepack
