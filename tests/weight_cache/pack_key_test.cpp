#include "weight_cache/pack_key.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/weight_cache/cache_helpers.h"

namespace onepack {
namespace {

using Change = std::function<void(PackKey&)>;

// One change for each field.
const Change kChanges[] = {
    [](PackKey& key) { key.weight.kernel = DigestOf(-100); },
    [](PackKey& key) { key.weight.bias = DigestOf(-100); },
    [](PackKey& key) { key.weight.quantization = DigestOf(-100); },
    [](PackKey& key) { key.weight.consumer = DigestOf(-100); },
    [](PackKey& key) { key.layout = DigestOf(-100); },
};

TEST(PackKeyTest, EqualFieldsMakeEqualKeysWithEqualHashes) {
  EXPECT_EQ(KeyOf(1), KeyOf(1));
  EXPECT_EQ(PackKeyHash()(KeyOf(1)), PackKeyHash()(KeyOf(1)));
}

TEST(PackKeyTest, EveryFieldMakesKeysDiffer) {
  for (const Change& change : kChanges) {
    PackKey changed = KeyOf(1);
    change(changed);
    EXPECT_FALSE(changed == KeyOf(1)) << "change " << &change - kChanges;
  }
}

TEST(PackKeyTest, EveryFieldOfAWeightMakesIdentitiesDiffer) {
  for (int i = 0; i < 4; ++i) {
    PackKey changed = KeyOf(1);
    kChanges[i](changed);
    EXPECT_FALSE(changed.weight == KeyOf(1).weight) << "change " << i;
  }
}

TEST(PackKeyTest, FieldsDoNotReplaceEachOther) {
  PackKey swapped = KeyOf(1);
  std::swap(swapped.weight.kernel, swapped.weight.bias);
  EXPECT_FALSE(swapped == KeyOf(1));
}

// Equal bytes with several scales must not end up in one bucket.
TEST(PackKeyTest, HashesSpreadOverKernelsAndQuantizations) {
  for (const int field : {0, 2}) {
    PackKey changed = KeyOf(1);
    kChanges[field](changed);
    EXPECT_NE(PackKeyHash()(changed), PackKeyHash()(KeyOf(1))) << "change " << field;
  }
}

TEST(PackKeyTest, NoBiasIsNotABiasOfNoBytes) {
  EXPECT_NE(IdentityOfNothing(), IdentityOfBytes({}));
  EXPECT_EQ(IdentityOfNothing(), IdentityOfNothing());
}

}  // namespace
}  // namespace onepack
