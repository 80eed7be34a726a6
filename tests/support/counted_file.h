// A data file in memory that counts what is loaded of it.

#ifndef ONEPACK_TESTS_SUPPORT_COUNTED_FILE_H_
#define ONEPACK_TESTS_SUPPORT_COUNTED_FILE_H_

#include <gtest/gtest.h>

#include <utility>

#include "aot/ptd_writer.h"
#include "onepack/data_source.h"
#include "onepack/named_data_map.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {

class CountedFile {
 public:
  explicit CountedFile(const PtdWriter& writer) {
    auto bytes = writer.ToBytes();
    EXPECT_TRUE(IsOk(bytes));
    auto source = MakeRef<Source>(HeapAllocator(), SourceOf(std::move(bytes).value(), "test.ptd"));
    EXPECT_TRUE(IsOk(source));
    source_ = *source;
    auto map = NamedDataMap::Open(source_);
    EXPECT_TRUE(IsOk(map));
    map_ = *map;
    source_->loads = 0;
  }

  const Ref<NamedDataMap>& map() const { return map_; }
  size_t loads() const { return source_->loads; }

 private:
  struct Source final : DataSource {
    explicit Source(Ref<DataSource> bytes) : bytes_(std::move(bytes)) {}
    const char* name() const override { return bytes_->name(); }
    uint64_t size() const override { return bytes_->size(); }
    Result<Buffer> Load(const Segment& range) const override {
      ++loads;
      return bytes_->Load(range);
    }
    mutable size_t loads = 0;
    Ref<DataSource> bytes_;
  };

  Ref<Source> source_;
  Ref<NamedDataMap> map_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_COUNTED_FILE_H_
