#include "tools/print_test_cases.h"

#include <stdio.h>

#include "base/printable.h"
#include "bundled_program_generated.h"
#include "schema/verify_bundled_program.h"
#include "schema/verify_text.h"
#include "tools/format.h"

namespace onepack {
namespace {

namespace wire_bundle = wire::bundled_program;

// "float32 [1, 64]", "int 5".
std::string Describe(const wire_bundle::Value& value) {
  if (const auto* tensor = value.val_as_Tensor()) return LayoutText(LayoutOf(*tensor)).c_str();
  if (const auto* number = value.val_as_Int()) return "int " + std::to_string(number->int_val());
  if (const auto* truth = value.val_as_Bool()) {
    return truth->bool_val() ? "bool true" : "bool false";
  }
  return "double " + std::to_string(value.val_as_Double()->double_val());
}

std::string DescribeAll(
    const flatbuffers::Vector<flatbuffers::Offset<wire_bundle::Value>>* values) {
  std::string text;
  for (uint32_t i = 0; i < CountOf(values); ++i) {
    text += (text.empty() ? "" : ", ") + Describe(*values->Get(i));
  }
  return text.empty() ? "none" : text;
}

void PrintSuite(const wire_bundle::BundledMethodTestSuite& suite) {
  printf("    method '%s': %s\n", Printable(TextOf(suite.method_name())).c_str(),
         FormatCount(CountOf(suite.test_cases()), "test case", "test cases").c_str());
  TextTable table(6);
  for (uint32_t i = 0; i < CountOf(suite.test_cases()); ++i) {
    const wire_bundle::BundledMethodTestCase& test_case = *suite.test_cases()->Get(i);
    table.AddRow({std::to_string(i), "inputs", DescribeAll(test_case.inputs())});
    table.AddRow({"", "outputs", DescribeAll(test_case.expected_outputs())});
  }
  printf("%s", table.ToString().c_str());
}

}  // namespace

void PrintTestCases(const BundledProgram& bundle) {
  printf("  test cases%s\n", bundle.suite_count() == 0 ? ": none" : "");
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    PrintSuite(*bundle.wire().method_test_suites()->Get(i));
  }
}

}  // namespace onepack
