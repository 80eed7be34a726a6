#include "tests/hardening/untrusted_run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "delegate/xnnpack_backend.h"
#include "kernels/cpu_operators.h"
#include "runtime/method.h"
#include "schema/tensor_layout.h"
#include "tests/hardening/program_features.h"
#include "weight_cache/weight_cache.h"

namespace onepack {
namespace {

// Of processor time: other processes do not count.
constexpr double kMaxSeconds = 1;

// What the core may take for a file, beside the planned memory, which is a mapping of its own, the
// saved state that RunFromSavedState asks for, and what a run takes for the inputs that it is
// given.
constexpr size_t kMaxBytesPerFileByte = 16;
constexpr size_t kMaxBytesBeside = size_t{1} << 20;

// Some of these small programs have weights that large, which are packed in slices then.
constexpr size_t kLargeWeightBytes = 4096;

// More planned memory, and larger inputs, than these small programs ever need.
constexpr uint64_t kMaxPlannedBytes = uint64_t{1} << 24;

constexpr size_t kMaxMessageSize = 4096;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Counts what is allocated and not given back.
class CountingHeap {
 public:
  Allocator allocator() { return {Allocate, Deallocate, this}; }
  size_t bytes() const { return bytes_; }
  size_t peak() const { return peak_; }

 private:
  static void* Allocate(void* context, size_t size, size_t alignment) {
    auto& heap = *static_cast<CountingHeap*>(context);
    void* pointer = HeapAllocator().Allocate(size, alignment);
    if (pointer == nullptr) return nullptr;
    heap.bytes_ += size;
    heap.peak_ = std::max(heap.peak_, heap.bytes_);
    return pointer;
  }
  static void Deallocate(void* context, void* pointer, size_t size) {
    static_cast<CountingHeap*>(context)->bytes_ -= size;
    HeapAllocator().Deallocate(pointer, size);
  }

  size_t bytes_ = 0;
  size_t peak_ = 0;
};

// Bytes in an allocation of just their size, so that a sanitizer sees a read past the end.
class ExactCopy {
 public:
  explicit ExactCopy(const std::vector<uint8_t>& bytes)
      : size_(bytes.size()), copy_(new uint8_t[bytes.size()]) {
    if (size_ > 0) memcpy(copy_.get(), bytes.data(), size_);
  }
  Bytes bytes() const { return {copy_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> copy_;
};

// What the compiler must not leave out.
volatile uint8_t sink;

void ReadAll(const uint8_t* data, size_t size) {
  uint8_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum = static_cast<uint8_t>(sum + data[i]);
  sink = sum;
}

void Touch(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kTensor: {
      const Tensor& tensor = value.tensor();
      if (tensor.size_bytes() > kMaxPlannedBytes) return;
      ReadAll(tensor.data(), tensor.size_bytes());
      if (!tensor.is_constant() && tensor.size_bytes() > 0) {
        memset(tensor.mutable_data(), 0x3c, tensor.size_bytes());
      }
      return;
    }
    case ValueKind::kString:
      ReadAll(reinterpret_cast<const uint8_t*>(value.string_value().data()),
              value.string_value().size());
      return;
    case ValueKind::kBoolList:
      for (const bool item : value.bool_list()) sink = item ? 1 : 0;
      return;
    case ValueKind::kDoubleList:
      for (const double item : value.double_list()) sink = item > 0 ? 1 : 0;
      return;
    case ValueKind::kIntList:
    case ValueKind::kTensorList:
    case ValueKind::kOptionalTensorList:
      // One level: a tensor in a list is no list.
      for (const Value* item : value.list()) {
        if (item != nullptr && item->is(ValueKind::kTensor)) Touch(*item);
      }
      return;
    default:
      return;
  }
}

Status TouchAll(void* /*context*/, Span<Value* const> arguments) {
  for (Value* argument : arguments) {
    Touch(*argument);
    if (argument->is(ValueKind::kBool)) *argument = Value::OfBool(!argument->bool_value());
  }
  return Status::Ok();
}

Operator TouchOperator(std::string_view name) {
  Operator touch;
  touch.name = name;
  touch.function = TouchAll;
  return touch;
}

// Values to give to a method, with what they are views of.
class Inputs {
 public:
  enum class Sizes { kBounds, kLeast };

  // False when an input is too large to try.
  bool Set(Method& method, Sizes sizes, Status* status) {
    for (size_t i = 0; i < method.input_count(); ++i) {
      const Value& expected = method.input(i);
      Value value = expected;
      if (expected.is(ValueKind::kTensor) && !MakeTensor(expected.tensor(), sizes, &value)) {
        return false;
      }
      *status = method.SetInput(i, value);
      if (!status->ok()) return true;
    }
    return true;
  }

  size_t size_bytes() const {
    size_t total = 0;
    for (const std::vector<uint8_t>& bytes : bytes_) total += bytes.size();
    return total;
  }

 private:
  bool MakeTensor(const Tensor& expected, Sizes sizes, Value* value) {
    std::vector<int32_t>& dims =
        sizes_.emplace_back(expected.bounds().begin(), expected.bounds().end());
    if (sizes == Sizes::kLeast && expected.is_dynamic()) {
      for (int32_t& size : dims) size = std::min(size, 1);
    }
    const TensorLayout layout{expected.scalar_type(), dims, expected.dim_order()};
    auto needed = VerifiedSizeBytes(layout);
    if (!needed.ok() || *needed > kMaxPlannedBytes) return false;
    std::vector<uint8_t>& bytes = bytes_.emplace_back(*needed);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i % 64);
    auto tensor = Tensor::Over(layout, {bytes.data(), bytes.size()});
    if (!tensor.ok()) return false;
    *value = Value::OfTensor(&tensors_.emplace_back(*tensor));
    return true;
  }

  std::deque<std::vector<int32_t>> sizes_;
  std::deque<std::vector<uint8_t>> bytes_;
  std::deque<Tensor> tensors_;
};

class Session {
 public:
  explicit Session(const UntrustedFiles& files) : files_(files) {}

  UntrustedOutcome Run() {
    const double start = CpuSeconds();
    {
      Status status = LoadAndRunAll();
      if (!status.ok()) Note(status);
    }
    size_t file_bytes = files_.program.size();
    for (const auto& file : files_.data) file_bytes += file.size();
    CheckAfterwards(CpuSeconds() - start, file_bytes);
    return std::move(outcome_);
  }

  UntrustedOutcome ReadData(const std::vector<uint8_t>& file) {
    const double start = CpuSeconds();
    {
      Status status = ReadAllData(file);
      if (!status.ok()) Note(status);
    }
    CheckAfterwards(CpuSeconds() - start, file.size());
    return std::move(outcome_);
  }

 private:
  void Violate(std::string what) {
    if (outcome_.violation.empty()) outcome_.violation = std::move(what);
  }

  // An error is fine; its message must be of use, and safe to print.
  void Note(const Status& status) {
    outcome_.message = status.message();
    const auto is_unprintable = [](char c) { return c < 0x20 || c == 0x7f; };
    const std::string& text = outcome_.message;
    if (text.empty() || text.size() > kMaxMessageSize ||
        std::any_of(text.begin(), text.end(), is_unprintable)) {
      Violate("a message that nobody can read: " + text.substr(0, 200));
    }
  }

  Status ReadAllData(const std::vector<uint8_t>& file) {
    const ExactCopy copy(file);
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> map, OpenData(copy));
    uint64_t total = 0;
    for (const NamedData& entry : map->entries()) {
      if (map->Find(entry.key) == nullptr) Violate("a key that is there and cannot be found");
      ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, entry.Load());
      // Segments may overlap: what is read many times is read once here.
      if ((total += buffer.bytes.size()) > 4 * file.size()) break;
      ReadAll(buffer.bytes.data(), buffer.bytes.size());
    }
    ++outcome_.methods_loaded;
    return Status::Ok();
  }

  Result<Ref<NamedDataMap>> OpenData(const ExactCopy& copy) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> source,
                             WrapMemory(copy.bytes(), "mutated.ptd", heap_.allocator()));
    return NamedDataMap::Open(source, heap_.allocator());
  }

  Status LoadAndRunAll() {
    const ExactCopy program_copy(files_.program);
    std::deque<ExactCopy> data_copies;
    std::vector<Ref<NamedDataMap>> maps;
    for (const auto& file : files_.data) {
      ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, OpenData(data_copies.emplace_back(file)));
      maps.push_back(std::move(map));
    }
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source,
                             WrapMemory(program_copy.bytes(), "mutated.pte", heap_.allocator()));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(source, heap_.allocator()));
    MethodOptions options;
    options.allocator = heap_.allocator();
    ONEPACK_ASSIGN_OR_RETURN(options.named_data, NamedDataMap::Merge(maps, heap_.allocator()));
    XnnpackBackendOptions backend_options;
    backend_options.weight_cache = cache_;
    backend_options.large_weight_bytes = kLargeWeightBytes;
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend(backend_options));
    options.backends = {&backend, 1};
    options.max_instructions_per_run = 1000;
    const std::set<std::string> names = OperatorNamesOf(*program);
    ONEPACK_RETURN_IF_ERROR(RunWithKernels(program, options));
    if (!names.empty()) RunWithTouch(program, names, options);
    return Status::Ok();
  }

  // The operators compute what their names say.
  Status RunWithKernels(const Ref<Program>& program, MethodOptions options) {
    const Operator touch = TouchOperator(kTouchOperator);
    CpuOperatorOptions operator_options;
    operator_options.allocator = heap_.allocator();
    operator_options.additional = {&touch, 1};
    ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, CpuOperators::Create(operator_options));
    options.operators = operators.registry();
    RunMethods(program, options);
    return Status::Ok();
  }

  // All operators touch all bytes that they are given, whatever their names are.
  void RunWithTouch(const Ref<Program>& program, const std::set<std::string>& names,
                    MethodOptions options) {
    std::vector<Operator> operators;
    for (const std::string& name : names) operators.push_back(TouchOperator(name));
    options.operators = OperatorRegistry({operators.data(), operators.size()});
    RunMethods(program, options);
  }

  void RunMethods(const Ref<Program>& program, const MethodOptions& options) {
    for (size_t i = 0; i < program->method_count(); ++i) {
      auto method = Method::Load(program, program->method_name(i), options);
      if (!method.ok()) {
        Note(method.status());
        continue;
      }
      ++outcome_.methods_loaded;
      RunMethod(**method);
      RunFromSavedState(**method);
    }
  }

  void RunMethod(Method& method) {
    for (const Inputs::Sizes sizes :
         {Inputs::Sizes::kBounds, Inputs::Sizes::kLeast, Inputs::Sizes::kBounds}) {
      RunOnce(method, sizes);
    }
  }

  void RunFromSavedState(Method& method) {
    auto state = method.SaveState();
    if (!state.ok()) return Note(state.status());
    state_bytes_ = std::max(state_bytes_, (*state)->size_bytes());
    Status status = method.Reset();
    if (!status.ok()) Note(status);
    status = method.RestoreState(**state);
    if (!status.ok()) return Note(status);
    RunOnce(method, Inputs::Sizes::kBounds);
  }

  void RunOnce(Method& method, Inputs::Sizes sizes) {
    Inputs inputs;
    Status status;
    if (!inputs.Set(method, sizes, &status)) return;
    input_bytes_ = std::max(input_bytes_, inputs.size_bytes());
    if (status.ok()) status = method.Execute();
    if (!status.ok()) return Note(status);
    ++outcome_.runs_succeeded;
    for (size_t i = 0; i < method.output_count(); ++i) Touch(method.output(i));
  }

  // All that was loaded is gone by now.
  void CheckAfterwards(double seconds, size_t file_bytes) {
    if (seconds > kMaxSeconds) Violate("it took " + std::to_string(seconds) + " s");
    if (heap_.bytes() != 0) Violate(std::to_string(heap_.bytes()) + " bytes were not given back");
    const size_t allowed =
        kMaxBytesPerFileByte * (file_bytes + input_bytes_) + kMaxBytesBeside + state_bytes_;
    if (heap_.peak() > allowed) {
      Violate(std::to_string(heap_.peak()) + " bytes taken for files of " +
              std::to_string(file_bytes));
    }
    const WeightCacheStats stats = cache_->Stats();
    if (stats.entries != 0 || stats.pins != 0 || stats.heap_bytes != 0) {
      Violate("packed weights were left in the cache");
    }
  }

  const UntrustedFiles& files_;
  UntrustedOutcome outcome_;
  CountingHeap heap_;
  size_t input_bytes_ = 0;  // of the largest run
  size_t state_bytes_ = 0;  // of the largest saved state
  const std::shared_ptr<WeightCache> cache_ = WeightCache::Create();
};

}  // namespace

UntrustedOutcome RunUntrusted(const UntrustedFiles& files) { return Session(files).Run(); }

UntrustedOutcome ReadUntrustedData(const std::vector<uint8_t>& file) {
  return Session(UntrustedFiles()).ReadData(file);
}

}  // namespace onepack
