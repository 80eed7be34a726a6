// Assertions about Status and Result that show the message when they fail.
//
//     EXPECT_TRUE(IsOk(method->Execute()));
//     EXPECT_TRUE(IsError(Open(path), StatusCode::kNotFound, {"missing.ptd"}));
//     ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Program> program, Program::Open(source));

#ifndef ONEPACK_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define ONEPACK_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <gtest/gtest.h>

#include <initializer_list>
#include <string_view>

#include "onepack/result.h"
#include "onepack/status.h"

namespace onepack {

inline testing::AssertionResult IsOk(const Status& status) {
  if (status.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << StatusCodeName(status.code()) << ": " << status.message();
}

template <typename T>
testing::AssertionResult IsOk(const Result<T>& result) {
  return result.ok() ? testing::AssertionSuccess() : IsOk(result.status());
}

// An error of this code whose message has all of `parts`.
inline testing::AssertionResult IsError(const Status& status, StatusCode code,
                                        std::initializer_list<std::string_view> parts = {}) {
  if (status.code() != code) {
    return testing::AssertionFailure() << StatusCodeName(code) << " expected, got "
                                       << StatusCodeName(status.code()) << ": " << status.message();
  }
  const std::string_view message = status.message();
  for (const std::string_view part : parts) {
    if (message.find(part) == std::string_view::npos) {
      return testing::AssertionFailure() << "no \"" << part << "\" in \"" << message << "\"";
    }
  }
  return testing::AssertionSuccess();
}

template <typename T>
testing::AssertionResult IsError(const Result<T>& result, StatusCode code,
                                 std::initializer_list<std::string_view> parts = {}) {
  if (result.ok()) {
    return testing::AssertionFailure() << StatusCodeName(code) << " expected, got a value";
  }
  return IsError(result.status(), code, parts);
}

}  // namespace onepack

#define ONEPACK_ASSERT_OK_AND_ASSIGN_(result, target, expression) \
  auto result = (expression);                                     \
  ASSERT_TRUE(::onepack::IsOk(result));                           \
  target = std::move(result).value()

#define ONEPACK_ASSERT_OK_AND_ASSIGN(target, expression) \
  ONEPACK_ASSERT_OK_AND_ASSIGN_(ONEPACK_CONCAT_(onepack_test_result_, __LINE__), target, expression)

#endif  // ONEPACK_TESTS_SUPPORT_STATUS_MATCHERS_H_
