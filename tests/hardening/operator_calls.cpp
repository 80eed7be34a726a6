#include "tests/hardening/operator_calls.h"

#include <string.h>
#include <time.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "aot/pte_writer.h"
#include "onepack/cpu_operators.h"
#include "onepack/method.h"
#include "tests/support/sources.h"

#if defined(__SANITIZE_ADDRESS__)
#define ONEPACK_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONEPACK_HAS_ASAN 1
#endif
#endif
#ifdef ONEPACK_HAS_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

namespace onepack {
namespace {

using Kind = OperatorSignature::Kind;

constexpr double kMaxSeconds = 1;
constexpr size_t kMaxTensorBytes = 4096;
// Where tensors that overlap each other lie.
constexpr uint32_t kSharedBuffer = 1;
constexpr int64_t kSharedBytes = 2 * kMaxTensorBytes;

// Gives zeros after the end.
class Script {
 public:
  explicit Script(Bytes bytes) : bytes_(bytes) {}
  uint8_t Next() { return next_ < bytes_.size() ? bytes_[next_++] : 0; }
  size_t Below(size_t count) { return Next() % count; }
  bool OneIn(size_t count) { return Below(count) == count - 1; }

 private:
  const Bytes bytes_;
  size_t next_ = 0;
};

class CallPlanner {
 public:
  explicit CallPlanner(Bytes script) : script_(script) {}

  std::vector<uint8_t> Plan(const OperatorSignature& signature) {
    KernelCallPlan call;
    for (const Kind kind : signature.arguments) call.arguments.push_back(AddArgument(kind));
    const size_t dot = signature.name.rfind('.');
    const bool has_overload = dot != std::string::npos;
    method_.operators = {{signature.name.substr(0, dot),
                          has_overload ? signature.name.substr(dot + 1) : std::string()}};
    method_.chains = {{call}};
    method_.outputs = tensors_;
    program_.AddMethod(method_);
    return program_.Finish();
  }

 private:
  int32_t Add(ValuePlan value) {
    method_.values.push_back(std::move(value));
    return static_cast<int32_t>(method_.values.size() - 1);
  }

  int32_t AddArgument(Kind kind) {
    if (script_.OneIn(64)) kind = static_cast<Kind>(script_.Below(9));
    switch (kind) {
      case Kind::kTensor:
        return AddTensor(false);
      case Kind::kOutput:
        return AddTensor(true);
      case Kind::kNumber:
        return AddNumber();
      case Kind::kInts:
        return AddInts();
      case Kind::kDoubles:
        return Add(std::vector<double>(script_.Below(5), 0.5 * script_.Next()));
      case Kind::kBools:
        return Add(std::vector<bool>(script_.Below(5), script_.OneIn(2)));
      case Kind::kTensors:
        return AddTensors(false);
      case Kind::kOutputs:
        return AddTensors(true);
      case Kind::kAny:
        return AddAny();
    }
    return 0;
  }

  int64_t NextInt() {
    static constexpr int64_t kOdd[] = {INT64_MIN,        INT64_MAX, INT32_MIN, INT32_MAX,
                                       int64_t{1} << 32, -3,        17,        1000};
    const size_t choice = script_.Below(32);
    return choice < 24 ? static_cast<int64_t>(choice % 8) - 2 : kOdd[choice - 24];
  }

  int32_t AddNumber() {
    if (script_.OneIn(8)) return Add(script_.OneIn(2));
    if (script_.OneIn(8)) return Add(std::monostate());
    if (script_.OneIn(4)) return Add(0.25 * (script_.Next() - 64));
    return Add(NextInt());
  }

  int32_t AddInts() {
    if (script_.OneIn(8)) return Add(std::monostate());
    IntListPlan list;
    const size_t count = script_.OneIn(32) ? 20 : script_.Below(6);
    for (size_t i = 0; i < count; ++i) list.items.push_back(Add(NextInt()));
    return Add(list);
  }

  int32_t AddTensors(bool are_outputs) {
    OptionalTensorListPlan list;
    const size_t count = script_.Below(5);
    for (size_t i = 0; i < count; ++i) {
      const bool is_none = script_.OneIn(6);
      list.items.push_back(is_none ? -1 : AddTensor(are_outputs));
    }
    return Add(list);
  }

  int32_t AddAny() {
    switch (script_.Below(4)) {
      case 0:
        return Add(std::monostate());
      case 1:
        return Add(std::string(script_.OneIn(2) ? "floor" : "trunc"));
      case 2:
        return AddTensor(false);
      default:
        return AddNumber();
    }
  }

  ScalarType NextType() {
    static constexpr ScalarType kTypes[] = {
        ScalarType::kFloat, ScalarType::kLong,   ScalarType::kByte,     ScalarType::kInt,
        ScalarType::kBool,  ScalarType::kHalf,   ScalarType::kChar,     ScalarType::kDouble,
        ScalarType::kShort, ScalarType::kUInt16, ScalarType::kBFloat16, ScalarType::kUInt64,
        ScalarType::kQInt8};
    static constexpr ScalarType kComplexTypes[] = {
        ScalarType::kComplexFloat, ScalarType::kComplexDouble, ScalarType::kComplexHalf};
    const size_t choice = script_.Below(32);
    if (choice < 12) return last_type_;
    // Few operators take them.
    if (choice == 31) return last_type_ = kComplexTypes[script_.Below(3)];
    return last_type_ = kTypes[choice < 25 ? choice - 12 : choice % 5];
  }

  std::vector<int32_t> NextSizes(size_t element_size) {
    if (script_.OneIn(2) && !last_sizes_.empty()) return last_sizes_;
    static constexpr int32_t kSizes[] = {2, 3, 4, 1, 0, 5, 8, 2};
    std::vector<int32_t> sizes(script_.OneIn(32) ? 16 : script_.Below(6));
    size_t bytes = element_size;
    for (int32_t& size : sizes) {
      size = kSizes[script_.Below(8)];
      if (bytes * static_cast<size_t>(std::max(size, 1)) > kMaxTensorBytes) size = 1;
      bytes *= static_cast<size_t>(std::max(size, 1));
    }
    return last_sizes_ = sizes;
  }

  std::vector<uint8_t> NextContent(ScalarType type, size_t size) {
    std::vector<uint8_t> content(size);
    const size_t how = script_.Below(4);
    const size_t element = ElementSize(type);
    const bool is_integral = type != ScalarType::kFloat && type != ScalarType::kDouble &&
                             type != ScalarType::kHalf && type != ScalarType::kBFloat16 &&
                             !IsComplex(type);
    for (size_t i = 0; i < size; ++i) {
      if (how == 0) content[i] = static_cast<uint8_t>(i * 37 + 11);
      // Small integers; floats near 1.
      if (how == 1 && is_integral)
        content[i] = static_cast<uint8_t>(i % element == 0 ? i / element % 3 : 0);
      if (how == 1 && !is_integral) content[i] = i % element + 1 == element ? 0x3f : 0x10;
      if (how == 2) content[i] = 0xff;
    }
    return content;
  }

  int32_t AddTensor(bool is_output) {
    if (!tensors_.empty() && script_.OneIn(24)) return tensors_[script_.Below(tensors_.size())];
    TensorPlan tensor;
    tensor.scalar_type = NextType();
    const size_t element_size = ElementSize(tensor.scalar_type);
    tensor.sizes = NextSizes(element_size);
    if (is_output && script_.OneIn(2)) {
      for (int32_t& size : tensor.sizes) size = std::max(size, tensor.sizes.size() > 4 ? 1 : 6);
    }
    tensor.is_dynamic = is_output ? !script_.OneIn(8) : script_.OneIn(4);
    if (tensor.sizes.size() > 1 && script_.OneIn(6)) tensor.dim_order = ReversedOrder(tensor);
    size_t bytes = element_size;
    for (const int32_t size : tensor.sizes) bytes *= static_cast<size_t>(size);
    const auto content = NextContent(tensor.scalar_type, bytes);
    if (!is_output && script_.OneIn(8)) {
      tensor.data_buffer_idx = program_.AddConstant({content.data(), content.size()});
    } else {
      tensor.place = NextPlace(bytes, element_size);
      tensor.data_buffer_idx = program_.AddInitialValue({content.data(), content.size()});
    }
    const int32_t index = Add(tensor);
    tensors_.push_back(index);
    return index;
  }

  static std::vector<uint8_t> ReversedOrder(const TensorPlan& tensor) {
    std::vector<uint8_t> order(tensor.sizes.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint8_t>(order.size() - 1 - i);
    return order;
  }

  // In a buffer of its own, or in the one that is shared.
  PlannedPlace NextPlace(size_t bytes, size_t element_size) {
    if (script_.OneIn(8) && bytes <= static_cast<size_t>(kSharedBytes)) {
      const size_t most = std::min<size_t>(static_cast<size_t>(kSharedBytes) - bytes, 64);
      return {kSharedBuffer, script_.Below(most / element_size + 1) * element_size};
    }
    method_.buffer_sizes.push_back(static_cast<int64_t>(bytes));
    return {static_cast<uint32_t>(method_.buffer_sizes.size() - 1), 0};
  }

  Script script_;
  ProgramWriter program_;
  MethodPlan method_ = [] {
    MethodPlan method;
    method.buffer_sizes = {0, kSharedBytes};
    return method;
  }();
  std::vector<int32_t> tensors_;
  ScalarType last_type_ = ScalarType::kFloat;
  std::vector<int32_t> last_sizes_;
};

// Poisons what is between the tensors of a method, all of which are its outputs.
class Fences {
 public:
  explicit Fences(const Method& method) {
    std::vector<std::pair<const uint8_t*, const uint8_t*>> rooms;
    for (size_t i = 0; i < method.output_count(); ++i) {
      const Tensor& tensor = method.output(i).tensor();
      if (tensor.is_constant()) continue;
      size_t bytes = ElementSize(tensor.scalar_type());
      for (const int32_t size : tensor.bounds()) bytes *= static_cast<size_t>(size);
      rooms.emplace_back(tensor.mutable_data(), tensor.mutable_data() + bytes);
    }
    std::sort(rooms.begin(), rooms.end());
    const uint8_t* end = nullptr;
    for (const auto& room : rooms) {
      if (end != nullptr && end < room.first) Poison(end, room.first);
      end = std::max(end, room.second);
    }
  }
  ~Fences() {
    for (const auto& [start, end] : poisoned_) {
      ASAN_UNPOISON_MEMORY_REGION(start, static_cast<size_t>(end - start));
    }
  }
  Fences(const Fences&) = delete;
  Fences& operator=(const Fences&) = delete;

 private:
  void Poison(const uint8_t* start, const uint8_t* end) {
    ASAN_POISON_MEMORY_REGION(start, static_cast<size_t>(end - start));
    poisoned_.emplace_back(start, end);
  }

  std::vector<std::pair<const uint8_t*, const uint8_t*>> poisoned_;
};

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Status LoadAndRun(const std::vector<uint8_t>& file) {
  ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, CpuOperators::Create({}));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, OpenProgram(file));
  MethodOptions options;
  options.operators = operators.registry();
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, Method::Load(program, "forward", options));
  const Fences fences(*method);
  ONEPACK_RETURN_IF_ERROR(method->Execute());
  return method->Execute();
}

}  // namespace

OperatorCallOutcome CallOperator(const OperatorSignature& signature, Bytes script) {
  const std::vector<uint8_t> file = CallPlanner(script).Plan(signature);
  const double start = CpuSeconds();
  const Status status = LoadAndRun(file);
  OperatorCallOutcome outcome;
  outcome.succeeded = status.ok();
  outcome.message = status.message();
  if (CpuSeconds() - start > kMaxSeconds) outcome.violation = "it took more than a second";
  if (status.code() == StatusCode::kInternal) outcome.violation = "an internal error";
  return outcome;
}

}  // namespace onepack
