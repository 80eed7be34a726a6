#include "tests/support/sources.h"

#include <stdexcept>
#include <utility>

namespace onepack {
namespace {

class OwnedSource final : public DataSource {
 public:
  OwnedSource(std::vector<uint8_t> bytes, const char* name) : bytes_(std::move(bytes)) {
    auto view = WrapMemory(bytes_, name);
    if (!view.ok()) throw std::runtime_error(view.status().message());
    view_ = std::move(view).value();
  }

  const char* name() const override { return view_->name(); }
  uint64_t size() const override { return view_->size(); }
  Result<Buffer> Load(const Segment& range) const override {
    auto buffer = view_->Load(range);
    if (buffer.ok()) buffer->owner = Ref<const RefCounted>::Share(this);
    return buffer;
  }

 private:
  const std::vector<uint8_t> bytes_;
  Ref<DataSource> view_;
};

}  // namespace

Ref<DataSource> SourceOf(std::vector<uint8_t> bytes, const char* name) {
  auto source = MakeRef<OwnedSource>(HeapAllocator(), std::move(bytes), name);
  if (!source.ok()) throw std::runtime_error(source.status().message());
  return *source;
}

}  // namespace onepack
