#include "onepack/operator_registry.h"

#include <gtest/gtest.h>

namespace onepack {
namespace {

Status DoNothing(void*, Span<Value* const>) { return Status::Ok(); }

TEST(OperatorRegistryTest, FindsByNameAndOverload) {
  const Operator operators[] = {{"aten::add.out", DoNothing, nullptr},
                                {"custom::op", DoNothing, nullptr}};
  const OperatorRegistry registry((Span<const Operator>(operators)));
  EXPECT_EQ(registry.Find("aten::add", "out"), &operators[0]);
  EXPECT_EQ(registry.Find("custom::op", ""), &operators[1]);
  EXPECT_EQ(registry.Find("aten::add.out", ""), &operators[0]);
  EXPECT_EQ(registry.Find("aten::add", ""), nullptr);
  EXPECT_EQ(registry.Find("aten::add", "in"), nullptr);
  EXPECT_EQ(registry.Find("aten::ad", "dout"), nullptr);
  EXPECT_EQ(registry.Find("", ""), nullptr);
}

TEST(OperatorRegistryTest, TheFirstOfANameCounts) {
  const Operator operators[] = {{"a.out", DoNothing, nullptr}, {"a.out", nullptr, nullptr}};
  EXPECT_EQ(OperatorRegistry(Span<const Operator>(operators)).Find("a", "out"), &operators[0]);
}

TEST(OperatorRegistryTest, AnEmptyRegistryFindsNothing) {
  EXPECT_EQ(OperatorRegistry().Find("aten::add", "out"), nullptr);
}

}  // namespace
}  // namespace onepack
