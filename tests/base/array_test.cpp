#include "onepack/array.h"

#include "onepack/ref.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

class Counted final : public RefCounted {
 public:
  explicit Counted(int* alive) : alive_(alive) { ++*alive_; }
  ~Counted() override { --*alive_; }

 private:
  int* alive_;
};

TEST(ArrayTest, ElementsStartAsZero) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(Array<int> array, Array<int>::Create(HeapAllocator(), 100));
  ASSERT_EQ(array.size(), 100u);
  for (const int element : array) EXPECT_EQ(element, 0);
}

TEST(ArrayTest, AnEmptyArrayAllocatesNothing) {
  const Allocator none{[](void*, size_t, size_t) -> void* { return nullptr; },
                       [](void*, void*, size_t) {}, nullptr};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Array<int> array, Array<int>::Create(none, 0));
  EXPECT_TRUE(array.empty());
  EXPECT_EQ(array.begin(), array.end());
}

TEST(ArrayTest, ElementsAreDestroyedOnce) {
  int alive = 0;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Array<Ref<Counted>> array,
                                 Array<Ref<Counted>>::Create(HeapAllocator(), 3));
    for (Ref<Counted>& element : array) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(element, MakeRef<Counted>(HeapAllocator(), &alive));
    }
    Array<Ref<Counted>> moved = std::move(array);
    EXPECT_EQ(array.size(), 0u);  // NOLINT: what is left is the point
    EXPECT_EQ(alive, 3);
    moved = Array<Ref<Counted>>();
    EXPECT_EQ(alive, 0);
  }
  EXPECT_EQ(alive, 0);
}

TEST(ArrayTest, ASizeThatOverflowsIsAnError) {
  EXPECT_TRUE(IsError(Array<int>::Create(HeapAllocator(), SIZE_MAX / 2),
                      StatusCode::kResourceExhausted, {"4 bytes"}));
}

}  // namespace
}  // namespace onepack
