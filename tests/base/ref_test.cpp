#include "onepack/ref.h"

#include <thread>
#include <vector>

#include "tests/support/counting_allocator.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

class Counted : public RefCounted {
 public:
  explicit Counted(int* alive) : alive_(alive) { ++*alive_; }
  ~Counted() override { --*alive_; }

 private:
  int* alive_;
};

class Derived final : public Counted {
 public:
  using Counted::Counted;
};

TEST(RefTest, TheLastReferenceDestroys) {
  int alive = 0;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Counted> first, MakeRef<Counted>(HeapAllocator(), &alive));
    Ref<Counted> second = first;
    first = nullptr;
    EXPECT_FALSE(first);
    EXPECT_EQ(alive, 1);
    const Ref<Counted> third = std::move(second);
    EXPECT_FALSE(second);  // NOLINT: what is left is the point
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(RefTest, AReferenceToTheBaseDestroysTheDerivedObjectAndGivesBackAllMemory) {
  int alive = 0;
  CountingAllocator counting;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Derived> derived,
                                 MakeRef<Derived>(counting.allocator(), &alive));
    const Ref<const RefCounted> base = derived;
    derived = nullptr;
    EXPECT_EQ(alive, 1);
    EXPECT_EQ(counting.bytes, sizeof(Derived));
  }
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(counting.bytes, 0u);
}

TEST(RefTest, ShareAddsAnOwner) {
  int alive = 0;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Counted> first, MakeRef<Counted>(HeapAllocator(), &alive));
  {
    const Ref<Counted> second = Ref<Counted>::Share(first.get());
    first = nullptr;
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(RefTest, SelfAssignmentKeepsTheObject) {
  int alive = 0;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Counted> ref, MakeRef<Counted>(HeapAllocator(), &alive));
  const Ref<Counted>& same = ref;
  ref = same;
  EXPECT_EQ(alive, 1);
}

TEST(RefTest, NoMemoryIsAnError) {
  int alive = 0;
  const Allocator none{[](void*, size_t, size_t) -> void* { return nullptr; },
                       [](void*, void*, size_t) {}, nullptr};
  EXPECT_TRUE(IsError(MakeRef<Counted>(none, &alive), StatusCode::kResourceExhausted));
  EXPECT_EQ(alive, 0);
}

TEST(RefTest, ThreadsMayCopyAndDropAtOnce) {
  int alive = 0;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Counted> shared,
                                 MakeRef<Counted>(HeapAllocator(), &alive));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([copy = shared] {
        for (int i = 0; i < 10000; ++i) const Ref<Counted> another = copy;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(alive, 0);
}

TEST(RefTest, AnObjectThatIsGoingHasNoFurtherOwner) {
  // Looks at itself while it is destroyed, as a table of objects may do.
  struct Table final : public RefCounted {
    explicit Table(bool* found) : was_found_(found) {}
    ~Table() override { *was_found_ = static_cast<bool>(Ref<Table>::ShareIfOwned(this)); }
    bool* was_found_;
  };
  bool was_found = true;
  ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<Table> table, MakeRef<Table>(HeapAllocator(), &was_found));
  EXPECT_TRUE(Ref<Table>::ShareIfOwned(table.get()));
  table = nullptr;
  EXPECT_FALSE(was_found);
}

}  // namespace
}  // namespace onepack
