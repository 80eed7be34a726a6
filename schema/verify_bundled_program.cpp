#include "schema/verify_bundled_program.h"

#include "base/printable.h"
#include "schema/identifier.h"
#include "schema/sharing_budget.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::bundled_program::BundledMethodTestCase;
using wire::bundled_program::BundledMethodTestSuite;
using wire::bundled_program::BundledProgram;
using wire::bundled_program::Tensor;
using wire::bundled_program::Value;
using wire::bundled_program::ValueUnion;

using Values = flatbuffers::Vector<flatbuffers::Offset<Value>>;

// Duplicate names are looked for pair by pair, which this bounds.
constexpr size_t kMaxSuites = 1024;

Status VerifyTensor(const Tensor& tensor, SharingBudget& budget) {
  ONEPACK_RETURN_IF_ERROR(budget.Spend(tensor.sizes()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(tensor.dim_order()));
  ONEPACK_RETURN_IF_ERROR(budget.Spend(tensor.data()));
  ONEPACK_ASSIGN_OR_RETURN(const size_t needed, VerifiedSizeBytes(LayoutOf(tensor)));
  const size_t available = CountOf(tensor.data());
  if (needed <= available) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "%s needs %zu bytes, %zu are there",
                       LayoutText(LayoutOf(tensor)).c_str(), needed, available);
}

Status VerifyValue(const Value& value, SharingBudget& budget) {
  // The flatbuffers verifier lets an unknown or absent member of a union pass.
  if (value.val() == nullptr || value.val_type() <= ValueUnion::NONE ||
      value.val_type() > ValueUnion::MAX) {
    return Status::Error(StatusCode::kInvalidFile, "no value of kind %d",
                         static_cast<int>(value.val_type()));
  }
  const Tensor* tensor = value.val_as_Tensor();
  return tensor == nullptr ? Status::Ok() : VerifyTensor(*tensor, budget);
}

Status VerifyValues(const Values* values, const char* what, SharingBudget& budget) {
  ONEPACK_RETURN_IF_ERROR(budget.Spend(values));
  for (size_t i = 0; i < CountOf(values); ++i) {
    Status status = VerifyValue(*values->Get(static_cast<uint32_t>(i)), budget);
    if (!status.ok()) return std::move(status).WithContext("%s %zu", what, i);
  }
  return Status::Ok();
}

Status VerifyTestCase(const BundledMethodTestCase& test_case, SharingBudget& budget) {
  ONEPACK_RETURN_IF_ERROR(VerifyValues(test_case.inputs(), "input", budget));
  return VerifyValues(test_case.expected_outputs(), "expected output", budget);
}

Status VerifySuite(const BundledMethodTestSuite& suite, SharingBudget& budget) {
  ONEPACK_RETURN_IF_ERROR(budget.Spend(suite.test_cases()));
  for (size_t i = 0; i < CountOf(suite.test_cases()); ++i) {
    Status status = VerifyTestCase(*suite.test_cases()->Get(static_cast<uint32_t>(i)), budget);
    if (!status.ok()) return std::move(status).WithContext("test case %zu", i);
  }
  return Status::Ok();
}

Status VerifyMethodNames(const BundledProgram& bundle, SharingBudget& budget) {
  const size_t count = CountOf(bundle.method_test_suites());
  if (count > kMaxSuites) {
    return Status::Error(StatusCode::kInvalidFile,
                         "test cases of %zu methods, at most %zu expected", count, kMaxSuites);
  }
  for (size_t i = 0; i < count; ++i) {
    const auto* name = bundle.method_test_suites()->Get(static_cast<uint32_t>(i))->method_name();
    ONEPACK_RETURN_IF_ERROR(budget.Spend(name));
    if (!IsName(name)) {
      return Status::Error(StatusCode::kInvalidFile, "test suite %zu has no usable method name", i);
    }
    for (size_t j = 0; j < i; ++j) {
      const auto* other = bundle.method_test_suites()->Get(static_cast<uint32_t>(j));
      if (TextOf(name) != TextOf(other->method_name())) continue;
      return Status::Error(StatusCode::kInvalidFile, "two test suites of method '%s'",
                           Printable(TextOf(name)).c_str());
    }
  }
  return Status::Ok();
}

}  // namespace

bool IsBundledProgram(Bytes head) {
  return head.size() >= kIdentifierOffset + kIdentifierSize &&
         IdentifierAt(head, kIdentifierOffset) == wire::bundled_program::BundledProgramIdentifier();
}

Result<const BundledProgram*> VerifyBundledProgram(Bytes file) {
  ONEPACK_RETURN_IF_ERROR(CheckIdentifier(file, wire::bundled_program::BundledProgramIdentifier(),
                                          "a bundled program (.bpte)"));
  if (!IsSoundFlatbuffer<BundledProgram>(file)) {
    return Status::Error(StatusCode::kInvalidFile,
                         "the bundle's flatbuffer of %zu bytes is damaged", file.size());
  }
  const BundledProgram* bundle = wire::bundled_program::GetBundledProgram(file.data());
  if (CountOf(bundle->program()) == 0) {
    return Status::Error(StatusCode::kInvalidFile, "the bundle holds no program");
  }
  SharingBudget budget(file);
  ONEPACK_RETURN_IF_ERROR(VerifyMethodNames(*bundle, budget));
  for (size_t i = 0; i < CountOf(bundle->method_test_suites()); ++i) {
    const auto* suite = bundle->method_test_suites()->Get(static_cast<uint32_t>(i));
    Status status = VerifySuite(*suite, budget);
    if (!status.ok()) {
      return std::move(status).WithContext("test suite of method '%s'",
                                           Printable(TextOf(suite->method_name())).c_str());
    }
  }
  return bundle;
}

Segment EmbeddedProgram(const BundledProgram& bundle, Bytes file) {
  return {static_cast<uint64_t>(bundle.program()->data() - file.data()), bundle.program()->size()};
}

TensorLayout LayoutOf(const Tensor& tensor) {
  TensorLayout layout;
  layout.scalar_type = static_cast<ScalarType>(tensor.scalar_type());
  if (tensor.sizes() != nullptr) layout.sizes = {tensor.sizes()->data(), tensor.sizes()->size()};
  if (tensor.dim_order() != nullptr) {
    layout.dim_order = {tensor.dim_order()->data(), tensor.dim_order()->size()};
  }
  return layout;
}

}  // namespace onepack
