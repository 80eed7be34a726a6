#include "tests/hardening/untrusted_run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include "onepack/cpu_operators.h"
#include "onepack/method.h"
#include "onepack/tensor_layout.h"
#include "onepack/xnnpack_backend.h"
#include "tests/hardening/program_features.h"
#include "weight_cache/packed_weight_cache.h"

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
  // Integers that are good for indices, and anything for all others.
  static void Fill(ScalarType type, std::vector<uint8_t>& bytes) {
    const bool is_index = type == ScalarType::kInt || type == ScalarType::kLong;
    const size_t width = ElementSize(type);
    for (size_t i = 0; i < bytes.size(); ++i) {
      const size_t index = i % width == 0 ? i / width % 2 : 0;
      bytes[i] = static_cast<uint8_t>(is_index ? index : i % 64);
    }
  }

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
    Fill(expected.scalar_type(), bytes);
    auto tensor = Tensor::Over(layout, {bytes.data(), bytes.size()});
    if (!tensor.ok()) return false;
    *value = Value::OfTensor(&tensors_.emplace_back(*tensor));
    return true;
  }

  std::deque<std::vector<int32_t>> sizes_;
  std::deque<std::vector<uint8_t>> bytes_;
  std::deque<Tensor> tensors_;
};

// Files as they are read, in allocations of their own.
struct OpenFiles {
  std::deque<ExactCopy> copies;
  Ref<Program> program;
  Ref<NamedDataMap> data;
};

Result<Ref<NamedDataMap>> OpenData(const ExactCopy& copy, const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> source,
                           WrapMemory(copy.bytes(), "mutated.ptd", allocator));
  return NamedDataMap::Open(source, allocator);
}

Result<OpenFiles> Open(const UntrustedFiles& files, const Allocator& allocator) {
  OpenFiles opened;
  std::vector<Ref<NamedDataMap>> maps;
  for (const auto& file : files.data) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map,
                             OpenData(opened.copies.emplace_back(file), allocator));
    maps.push_back(std::move(map));
  }
  ONEPACK_ASSIGN_OR_RETURN(
      const Ref<DataSource> source,
      WrapMemory(opened.copies.emplace_back(files.program).bytes(), "mutated.pte", allocator));
  ONEPACK_ASSIGN_OR_RETURN(opened.program, Program::Open(source, allocator));
  ONEPACK_ASSIGN_OR_RETURN(opened.data, NamedDataMap::Merge(maps, allocator));
  return opened;
}

Result<Ref<Backend>> BackendOver(const std::shared_ptr<PackedWeightCache>& cache) {
  XnnpackBackendOptions options;
  options.weight_cache = cache;
  options.large_weight_bytes = kLargeWeightBytes;
  return CreateXnnpackBackend(options);
}

// Those of kernels/, and one that touches all bytes.
Result<CpuOperators> OperatorsAndTouch(const Allocator& allocator) {
  const Operator touch = TouchOperator(kTouchOperator);
  CpuOperatorOptions options;
  options.allocator = allocator;
  options.additional = {&touch, 1};
  return CpuOperators::Create(options);
}

class Session {
 public:
  Session(const UntrustedFiles& files, Neighbour* neighbour)
      : files_(files),
        neighbour_(neighbour),
        cache_(neighbour != nullptr ? neighbour->cache() : PackedWeightCache::Create()),
        before_(cache_->Stats()) {}

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
      Violate("an unreadable message: " + text.substr(0, 200));
    }
  }

  Status ReadAllData(const std::vector<uint8_t>& file) {
    const ExactCopy copy(file);
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> map, OpenData(copy, heap_.allocator()));
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

  Status LoadAndRunAll() {
    ONEPACK_ASSIGN_OR_RETURN(const OpenFiles opened, Open(files_, heap_.allocator()));
    Ref<Backend> backend;
    if (neighbour_ != nullptr) {
      backend = neighbour_->backend();
    } else {
      ONEPACK_ASSIGN_OR_RETURN(backend, BackendOver(cache_));
    }
    MethodOptions options;
    options.allocator = heap_.allocator();
    options.named_data = opened.data;
    options.backends = {&backend, 1};
    options.max_instructions_per_run = 1000;
    auto shared_state = SharedState::Create(opened.program, 0, heap_.allocator());
    if (shared_state.ok()) {
      options.shared_state = *shared_state;
    } else {
      Note(shared_state.status());
    }
    const std::set<std::string> names = OperatorNamesOf(*opened.program);
    ONEPACK_RETURN_IF_ERROR(RunWithKernels(opened.program, options));
    if (!names.empty()) RunWithTouch(opened.program, names, options);
    return Status::Ok();
  }

  // The operators compute what their names say.
  Status RunWithKernels(const Ref<Program>& program, MethodOptions options) {
    ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, OperatorsAndTouch(heap_.allocator()));
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
    if (stats.entries != before_.entries || stats.pins != before_.pins ||
        stats.heap_bytes != before_.heap_bytes) {
      Violate("packed weights were left in the cache");
    }
    if (neighbour_ == nullptr) return;
    const std::string harm = neighbour_->Harm();
    if (!harm.empty()) Violate("the neighbour " + harm);
  }

  const UntrustedFiles& files_;
  Neighbour* const neighbour_;
  const std::shared_ptr<PackedWeightCache> cache_;
  const WeightCacheStats before_;
  UntrustedOutcome outcome_;
  CountingHeap heap_;
  size_t input_bytes_ = 0;  // of the largest run
  size_t state_bytes_ = 0;  // of the largest saved state
};

// The bytes of all tensors that a method gives.
std::vector<uint8_t> OutputsOf(const Method& method) {
  std::vector<uint8_t> all;
  for (size_t i = 0; i < method.output_count(); ++i) {
    if (!method.output(i).is(ValueKind::kTensor)) continue;
    const Tensor& tensor = method.output(i).tensor();
    all.insert(all.end(), tensor.data(), tensor.data() + tensor.size_bytes());
  }
  return all;
}

}  // namespace

struct Neighbour::State {
  std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  Ref<Backend> backend;
  OpenFiles files;
  std::optional<CpuOperators> operators;
  std::vector<Ref<Method>> methods;
  std::vector<std::vector<uint8_t>> outputs;  // of each method

  Status Load(const UntrustedFiles& untrusted) {
    ONEPACK_ASSIGN_OR_RETURN(files, Open(untrusted, HeapAllocator()));
    ONEPACK_ASSIGN_OR_RETURN(backend, BackendOver(cache));
    ONEPACK_ASSIGN_OR_RETURN(operators, OperatorsAndTouch(HeapAllocator()));
    MethodOptions options;
    options.named_data = files.data;
    options.backends = {&backend, 1};
    options.operators = operators->registry();
    ONEPACK_ASSIGN_OR_RETURN(options.shared_state, SharedState::Create(files.program));
    for (size_t i = 0; i < files.program->method_count(); ++i) {
      ONEPACK_ASSIGN_OR_RETURN(Ref<Method> method,
                               Method::Load(files.program, files.program->method_name(i), options));
      methods.push_back(std::move(method));
      ONEPACK_ASSIGN_OR_RETURN(std::vector<uint8_t> first, Run(*methods.back()));
      outputs.push_back(std::move(first));
    }
    return Status::Ok();
  }

  static Result<std::vector<uint8_t>> Run(Method& method) {
    Inputs inputs;
    Status status;
    ONEPACK_RETURN_IF_ERROR(method.Reset());
    if (!inputs.Set(method, Inputs::Sizes::kBounds, &status)) {
      return Status::Error(StatusCode::kResourceExhausted, "it has too large an input");
    }
    ONEPACK_RETURN_IF_ERROR(std::move(status));
    ONEPACK_RETURN_IF_ERROR(method.Execute());
    return OutputsOf(method);
  }
};

Neighbour::Neighbour(const UntrustedFiles& files) : state_(std::make_unique<State>()) {
  const Status status = state_->Load(files);
  if (!status.ok()) throw std::runtime_error(files.name + ": " + status.message());
}

Neighbour::~Neighbour() = default;

const std::shared_ptr<PackedWeightCache>& Neighbour::cache() const { return state_->cache; }
const Ref<Backend>& Neighbour::backend() const { return state_->backend; }

std::string Neighbour::Harm() {
  for (size_t i = 0; i < state_->methods.size(); ++i) {
    auto found = State::Run(*state_->methods[i]);
    if (!found.ok()) return std::string("does not run any more: ") + found.status().message();
    if (*found != state_->outputs[i]) return "gives something else";
  }
  return std::string();
}

UntrustedOutcome RunUntrusted(const UntrustedFiles& files, Neighbour* neighbour) {
  return Session(files, neighbour).Run();
}

UntrustedOutcome ReadUntrustedData(const std::vector<uint8_t>& file) {
  return Session(UntrustedFiles(), nullptr).ReadData(file);
}

}  // namespace onepack
