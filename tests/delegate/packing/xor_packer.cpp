#include "tests/delegate/packing/xor_packer.h"

#include <string.h>

#include <algorithm>

namespace onepack {
namespace {

constexpr size_t kHeader = 64;

// What is shown of one constant, channel by channel.
struct Rows {
  const uint8_t* data;
  size_t bytes;  // of a channel
};

std::vector<Rows> RowsOf(const Plan& plan, const Weight& weight, const ShownWeight& shown,
                         size_t all_channels) {
  std::vector<Rows> rows;
  const auto add = [&](const void* data, uint32_t constant_index) {
    if (data == nullptr || constant_index == 0) return;
    rows.push_back({static_cast<const uint8_t*>(data),
                    plan.payload().constant(constant_index).size() / all_channels});
  };
  add(shown.kernel.data, weight.kernel.constant_index);
  add(shown.kernel.scales, weight.kernel.scale_index);
  add(shown.bias.data, weight.bias.constant_index);
  return rows;
}

}  // namespace

Result<NodePacker::Packed> XorPacker::Pack(const Plan& plan, const Weight& weight,
                                           const ShownWeight& shown, PackingMemory& memory) const {
  if (on_pack) ONEPACK_RETURN_IF_ERROR(on_pack(weight, shown));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    calls_.push_back({&weight, shown.channels, std::this_thread::get_id()});
  }
  const size_t all_channels = plan.values.at(weight.kernel.value_id).dim(0);
  const size_t channels = shown.channels.value_or(all_channels);
  const std::vector<Rows> rows = RowsOf(plan, weight, shown, all_channels);
  size_t size = (layout == Layout::kWithHeader ? kHeader : 0) + extra_bytes;
  for (const Rows& row : rows) size += channels * row.bytes;
  uint8_t* to = memory.Reserve(size);
  if (to == nullptr) {
    return Status::Error(StatusCode::kResourceExhausted, "no memory for %zu bytes", size);
  }
  const uint8_t* const end = to + size;
  if (layout == Layout::kWithHeader) to = std::fill_n(to, kHeader, uint8_t{0});
  for (size_t channel = 0; channel < channels; ++channel) {
    const auto number = static_cast<uint8_t>(layout == Layout::kNumbered ? channel : 0);
    for (const Rows& row : rows) {
      const uint8_t* from = row.data + channel * row.bytes;
      to = std::transform(from, from + row.bytes, to, [&](uint8_t byte) {
        return static_cast<uint8_t>(byte ^ kMask ^ number);
      });
    }
  }
  memset(to, 0, static_cast<size_t>(end - to));
  return Packed{layout == Layout::kTagOfItsOwn ? tag + channels : tag ^ channels, size};
}

std::vector<XorPacker::Call> XorPacker::calls() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calls_;
}

size_t XorPacker::CountWhole() const {
  const std::vector<Call> all = calls();
  return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [](const Call& call) { return !call.channels; }));
}

}  // namespace onepack
