// A delegate that a test has the backend load and run itself, as ExecuTorch does, with named data
// of its own.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_DIRECT_PROGRAM_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_DIRECT_PROGRAM_H_

#include <executorch/extension/tensor/tensor.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "integrations/executorch/executorch_api.h"
#include "tests/support/files.h"

namespace onepack {

// Named data of ExecuTorch's that count what they are asked for; the backend asks for data alone.
class CountingMap : public et::NamedDataMap {
 public:
  et::Result<et::FreeableBuffer> get_data(std::string_view key) const final {
    ++requests;
    return Find(key);
  }
  et::Result<const et::TensorLayout> get_tensor_layout(std::string_view) const final {
    return et::Error::NotSupported;
  }
  et::Error load_data_into(std::string_view, void*, size_t) const final {
    return et::Error::NotSupported;
  }
  et::Result<uint32_t> get_num_keys() const final { return et::Error::NotSupported; }
  et::Result<const char*> get_key(uint32_t) const final { return et::Error::NotSupported; }

  mutable std::atomic<size_t> requests{0};

 private:
  virtual et::Result<et::FreeableBuffer> Find(std::string_view key) const = 0;
};

// Bytes in memory that it does not own, as of a BufferDataLoader.
class FakeMap final : public CountingMap {
 public:
  std::map<std::string, std::vector<uint8_t>> data;
  bool is_elsewhere = false;  // in the memory of another processor

 private:
  et::Result<et::FreeableBuffer> Find(std::string_view key) const override {
    const auto found = data.find(std::string(key));
    if (found == data.end()) return et::Error::NotFound;
    if (is_elsewhere) {
      return et::FreeableBuffer(uint64_t{1} << 40, found->second.size(), nullptr);
    }
    return et::FreeableBuffer(found->second.data(), found->second.size(), nullptr);
  }
};

// A weight of f32 that is all one number.
inline std::vector<uint8_t> FloatWeight(size_t count, float number) {
  const std::vector<float> numbers(count, number);
  const Bytes bytes = AsBytes(numbers);
  return {bytes.begin(), bytes.end()};
}

inline et::BackendInterface& XnnpackBackend() { return *et::get_backend_class("XnnpackBackend"); }

// A loaded delegate, destroyed by the destructor.
class DirectDelegate {
 public:
  // Of `payload`, which is not kept.
  DirectDelegate(std::vector<uint8_t> payload, const et::NamedDataMap* map,
                 et::Span<const et::BackendOption> options = {}) {
    et::BackendInitContext context(nullptr, nullptr, "forward", map, options);
    et::FreeableBuffer processed(payload.data(), payload.size(), nullptr);
    auto handle = XnnpackBackend().init(context, &processed, {});
    error = handle.error();
    if (handle.ok()) handle_ = *handle;
    // ExecuTorch's memory is not there for longer than it says.
    std::fill(payload.begin(), payload.end(), uint8_t{0xee});
  }
  ~DirectDelegate() { Destroy(); }
  DirectDelegate(const DirectDelegate&) = delete;
  DirectDelegate& operator=(const DirectDelegate&) = delete;

  void Destroy() { XnnpackBackend().destroy(std::exchange(handle_, nullptr)); }

  et::Error Execute(std::vector<et::EValue*> arguments) {
    et::BackendExecutionContext context;
    return XnnpackBackend().execute(context, handle_, {arguments.data(), arguments.size()});
  }

  // Of a graph with one input and one output of f32.
  std::vector<float> Run(const std::vector<int32_t>& input_sizes, std::vector<float> input,
                         const std::vector<int32_t>& output_bound) {
    size_t count = 1;
    for (const int32_t size : output_bound) count *= static_cast<size_t>(size);
    auto x = ::executorch::extension::make_tensor_ptr(input_sizes, std::move(input));
    auto y = ::executorch::extension::make_tensor_ptr(
        output_bound, std::vector<float>(count), {}, {}, ::executorch::aten::ScalarType::Float,
        ::executorch::aten::TensorShapeDynamism::DYNAMIC_BOUND);
    et::EValue in(*x), out(*y);
    error = Execute({&in, &out});
    if (error != et::Error::Ok) return {};
    output_sizes.assign(y->sizes().begin(), y->sizes().end());
    const float* const numbers = y->const_data_ptr<float>();
    return {numbers, numbers + y->numel()};
  }

  et::Error error = et::Error::Ok;    // of the last call
  std::vector<int32_t> output_sizes;  // of the last Run

 private:
  et::DelegateHandle* handle_ = nullptr;
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_TESTS_DIRECT_PROGRAM_H_
