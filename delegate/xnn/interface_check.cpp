#include "delegate/xnn/interface_check.h"

#include <dlfcn.h>
#include <math.h>

#include <utility>

#include "delegate/xnn/differences.h"
#include "delegate/xnn/handles.h"

namespace onepack {

// Functions by which interfaces differ, whether or not the header has them. Null where no library
// of the process has them.
extern "C" {
void onepack_xnn_attention() __asm__("xnn_define_scaled_dot_product_attention")
    __attribute__((weak));
void onepack_xnn_concatenate() __asm__("xnn_define_concatenate") __attribute__((weak));
}

namespace {

Dl_info InfoOf(void (*function)()) {
  Dl_info info{};
  dladdr(reinterpret_cast<void*>(function), &info);
  return info;
}

Dl_info LibraryInfo() { return InfoOf(reinterpret_cast<void (*)()>(&xnn_create_runtime_v4)); }

Status OtherInterface(const char* what) {
  const Dl_info library = LibraryInfo();
  return Status::Error(
      StatusCode::kFailedPrecondition,
      "the XNNPACK that answers, %s, is not of the interface that onepack was built for: %s",
      library.dli_fname != nullptr ? library.dli_fname : "of an unknown file", what);
}

bool IsInTheLibrary(void (*function)()) {
  return function != nullptr && InfoOf(function).dli_fbase == LibraryInfo().dli_fbase;
}

Status CheckFunctions() {
  if (IsInTheLibrary(&onepack_xnn_attention) == kComposesAttention) {
    return OtherInterface(kComposesAttention ? "it has a node for attention"
                                             : "it has no node for attention");
  }
  if (IsInTheLibrary(&onepack_xnn_concatenate) != kConcatenatesAny) {
    return OtherInterface(kConcatenatesAny ? "it cannot concatenate any number of values"
                                           : "it can concatenate any number of values");
  }
  return Status::Ok();
}

// A graph of values that have two elements, and what its outputs should be.
class Trial {
 public:
  Status Create() {
    xnn_subgraph_t created = nullptr;
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_subgraph(kMaxCount, 0, &created), kWhat);
    subgraph_.reset(created);
    return Status::Ok();
  }

  xnn_subgraph_t subgraph() const { return subgraph_.get(); }

  Status Input(xnn_datatype datatype, float first, float second, uint32_t* id) {
    numbers_[count_].expected = static_cast<double>(first);
    for (float& element : numbers_[count_].all) element = second;
    numbers_[count_].all[0] = first;
    return External(datatype, XNN_VALUE_FLAG_EXTERNAL_INPUT, id);
  }
  Status Output(xnn_datatype datatype, double expected, uint32_t* id) {
    numbers_[count_].expected = expected;
    return External(datatype, XNN_VALUE_FLAG_EXTERNAL_OUTPUT, id);
  }

  Status CreateRuntime(xnn_weights_cache_t cache) {
    xnn_workspace_t workspace = nullptr;
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&workspace), kWhat);
    workspace_.reset(workspace);
    xnn_runtime_t runtime = nullptr;
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_create_runtime_v4(subgraph(), cache, workspace, nullptr, kRuntimeFlags, &runtime),
        kWhat);
    runtime_.reset(runtime);
    return Status::Ok();
  }

  Status Run() {
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_reshape_runtime(runtime_.get()), kWhat);
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_setup_runtime_v2(runtime_.get(), count_, values_), kWhat);
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_invoke_runtime(runtime_.get()), kWhat);
    return Status::Ok();
  }

  bool IsAsExpected() const {
    for (uint32_t i = 0; i < count_; ++i) {
      const Numbers& numbers = numbers_[i];
      // A NaN is none.
      if (!(fabs(static_cast<double>(numbers.all[0]) - numbers.expected) <= 1e-3)) return false;
    }
    return true;
  }

  static constexpr char kWhat[] = "trying XNNPACK's interface";
  static constexpr size_t kDims[] = {2};

 private:
  static constexpr uint32_t kMaxCount = 40;
  struct Numbers {
    float all[2 + XNN_EXTRA_BYTES / sizeof(float)] = {};
    double expected = 0;
  };

  Status External(xnn_datatype datatype, uint32_t flags, uint32_t* id) {
    values_[count_] = {count_, numbers_[count_].all};
    ONEPACK_RETURN_IF_XNN_ERROR(
        xnn_define_tensor_value(subgraph(), datatype, 1, kDims, nullptr, count_, flags, id), kWhat);
    ++count_;
    return Status::Ok();
  }

  XnnSubgraph subgraph_;
  XnnWorkspace workspace_;
  XnnRuntime runtime_;
  uint32_t count_ = 0;
  xnn_external_value values_[kMaxCount];
  Numbers numbers_[kMaxCount];
};

constexpr float kMinus = -0.75f;
constexpr float kPlus = 0.75f;
constexpr float kTwo = 2.0f;

// Of kMinus, but for those that are of positive numbers. No two that releases number otherwise are
// equal.
Status DefineUnaries(Trial& trial, uint32_t minus, uint32_t plus) {
  xnn_unary_params params{};
  params.clamp = {0.25f, 0.5f};  // whose first is the one parameter of two others
  const double x = kMinus;
  const struct {
    xnn_unary_operator type;
    double expected;
    bool is_of_plus = false;
  } operators[] = {
      {xnn_unary_abs, 0.75},
      {xnn_unary_ceiling, 0},
      {xnn_unary_clamp, 0.25},
      {xnn_unary_cosine, cos(x)},
      {xnn_unary_elu, 0.25 * expm1(x)},
      {xnn_unary_exp, exp(x)},
      {xnn_unary_floor, -1},
      {xnn_unary_gelu, 0.5 * x * (1 + erf(x / sqrt(2)))},
      {xnn_unary_hardswish, x * (x + 3) / 6},
      {xnn_unary_leaky_relu, 0.25 * x},
      {xnn_unary_log, log(-x), true},
      {xnn_unary_negate, x, true},
      {xnn_unary_reciprocal_square_root, 1 / sqrt(-x), true},
      {xnn_unary_sigmoid, 1 / (1 + exp(-x))},
      {xnn_unary_sine, sin(x)},
      {xnn_unary_square, x * x},
      {xnn_unary_square_root, sqrt(-x), true},
      {xnn_unary_tanh, tanh(x)},
  };
  for (const auto& op : operators) {
    uint32_t output = XNN_INVALID_VALUE_ID;
    ONEPACK_RETURN_IF_ERROR(trial.Output(xnn_datatype_fp32, op.expected, &output));
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_unary(trial.subgraph(), op.type, &params,
                                                 op.is_of_plus ? plus : minus, output, 0),
                                Trial::kWhat);
  }
  return Status::Ok();
}

Status DefineBinaries(Trial& trial, uint32_t minus, uint32_t plus, uint32_t two) {
  const struct {
    xnn_binary_operator type;
    double expected;
    bool is_of_minus = false;
  } operators[] = {
      {xnn_binary_add, 2.75},         {xnn_binary_subtract, -1.25}, {xnn_binary_multiply, 1.5},
      {xnn_binary_divide, 0.375},     {xnn_binary_maximum, 2},      {xnn_binary_minimum, 0.75},
      {xnn_binary_prelu, -1.5, true},
  };
  for (const auto& op : operators) {
    uint32_t output = XNN_INVALID_VALUE_ID;
    ONEPACK_RETURN_IF_ERROR(trial.Output(xnn_datatype_fp32, op.expected, &output));
    ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_binary(trial.subgraph(), op.type, nullptr,
                                                  op.is_of_minus ? minus : plus, two, output, 0),
                                Trial::kWhat);
  }
  return Status::Ok();
}

// Of 0.25 and 1: neither their sum, nor their maximum or minimum.
Status DefineMean(Trial& trial) {
  uint32_t input = XNN_INVALID_VALUE_ID;
  uint32_t output = XNN_INVALID_VALUE_ID;
  ONEPACK_RETURN_IF_ERROR(trial.Input(xnn_datatype_fp32, 0.25f, 1.0f, &input));
  ONEPACK_RETURN_IF_ERROR(trial.Output(xnn_datatype_fp32, 0.625, &output));
  const size_t axis = 0;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_static_reduce(trial.subgraph(), xnn_reduce_mean, 1, &axis,
                                                       input, output, XNN_FLAG_KEEP_DIMS),
                              Trial::kWhat);
  return Status::Ok();
}

// The numbers of enumerators.
Status CheckOperators() {
  Trial trial;
  ONEPACK_RETURN_IF_ERROR(trial.Create());
  uint32_t minus = 0;
  uint32_t plus = 0;
  uint32_t two = 0;
  ONEPACK_RETURN_IF_ERROR(trial.Input(xnn_datatype_fp32, kMinus, kMinus, &minus));
  ONEPACK_RETURN_IF_ERROR(trial.Input(xnn_datatype_fp32, kPlus, kPlus, &plus));
  ONEPACK_RETURN_IF_ERROR(trial.Input(xnn_datatype_fp32, kTwo, kTwo, &two));
  ONEPACK_RETURN_IF_ERROR(DefineUnaries(trial, minus, plus));
  ONEPACK_RETURN_IF_ERROR(DefineBinaries(trial, minus, plus, two));
  ONEPACK_RETURN_IF_ERROR(DefineMean(trial));
  ONEPACK_RETURN_IF_ERROR(trial.CreateRuntime(nullptr));
  ONEPACK_RETURN_IF_ERROR(trial.Run());
  return trial.IsAsExpected() ? Status::Ok() : OtherInterface("its operators have other numbers");
}

// A provider that has every weight, and functions behind its last: those an XNNPACK calls whose
// struct has more.
class TrialProvider {
 public:
  TrialProvider(const void* kernel, const void* bias, const void* copied)
      : kernel_(kernel), bias_(bias), copied_(copied) {
    provider_.context = this;
    provider_.look_up = [](void* context, const xnn_weights_cache_look_up_key* key) {
      TrialProvider& trial = Of(context);
      trial.is_asked_ = key->kernel == trial.kernel_ && key->bias == trial.bias_;
      return size_t{0};
    };
    provider_.reserve_space = [](void*, size_t) -> void* { return nullptr; };
    provider_.look_up_or_insert = [](void*, const xnn_weights_cache_look_up_key*, void*, size_t) {
      return size_t{0};
    };
    provider_.is_finalized = [](void*) { return true; };
    provider_.offset_to_addr = [](void* context, size_t) { return context; };  // not read
    provider_.delete_cache = [](void*) { return xnn_status_invalid_state; };
    SetAliasData(provider_, [](void* context, void*, void* original) {
      TrialProvider& trial = Of(context);
      trial.is_told_ = original == trial.copied_;
      return xnn_status_success;
    });
    for (auto& function : behind_) {
      function = [](void* context, void*, void*) {
        Of(context).is_larger_ = true;
        return xnn_status_success;
      };
    }
  }

  xnn_weights_cache_t handle() { return &provider_; }
  // Not every release that could tell of copies makes one here.
  bool IsOfItsInterface() const { return is_asked_ && (!is_told_ || kHasAliasData) && !is_larger_; }

 private:
  static TrialProvider& Of(void* context) { return *static_cast<TrialProvider*>(context); }

  xnn_weights_cache_provider provider_{};
  xnn_status (*behind_[4])(void*, void*, void*);  // right behind it
  const void* const kernel_;
  const void* const bias_;
  const void* const copied_;
  bool is_asked_ = false;
  bool is_told_ = false;
  bool is_larger_ = false;
};

Status DefineConstant(const Trial& trial, xnn_datatype datatype, size_t rank, const void* data,
                      uint32_t* id) {
  const size_t dims[] = {2, 2};
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_tensor_value(trial.subgraph(), datatype, rank, dims, data,
                                                      XNN_INVALID_VALUE_ID, 0, id),
                              Trial::kWhat);
  return Status::Ok();
}

// The structs of weights caches. The runtime is made and does not run: nothing is packed.
Status CheckProvider() {
  const float kernel[4 + XNN_EXTRA_BYTES / sizeof(float)] = {};
  const float bias[2 + XNN_EXTRA_BYTES / sizeof(float)] = {};
  // XNNPACK adds no bf16: where it can, it makes a copy as fp32.
  const uint16_t summand[2 + XNN_EXTRA_BYTES / sizeof(uint16_t)] = {};
  Trial trial;
  ONEPACK_RETURN_IF_ERROR(trial.Create());
  uint32_t input = 0;
  uint32_t output = 0;
  uint32_t kernel_id = 0;
  uint32_t bias_id = 0;
  ONEPACK_RETURN_IF_ERROR(trial.Input(xnn_datatype_fp32, 0, 0, &input));
  ONEPACK_RETURN_IF_ERROR(trial.Output(xnn_datatype_fp32, 0, &output));
  ONEPACK_RETURN_IF_ERROR(DefineConstant(trial, xnn_datatype_fp32, 2, kernel, &kernel_id));
  ONEPACK_RETURN_IF_ERROR(DefineConstant(trial, xnn_datatype_fp32, 1, bias, &bias_id));
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_fully_connected(trial.subgraph(), -INFINITY, INFINITY,
                                                         input, kernel_id, bias_id, output, 0),
                              Trial::kWhat);
  uint32_t half_input = 0;
  uint32_t half_output = 0;
  uint32_t summand_id = 0;
  ONEPACK_RETURN_IF_ERROR(trial.Input(xnn_datatype_bf16, 0, 0, &half_input));
  ONEPACK_RETURN_IF_ERROR(trial.Output(xnn_datatype_bf16, 0, &half_output));
  ONEPACK_RETURN_IF_ERROR(DefineConstant(trial, xnn_datatype_bf16, 1, summand, &summand_id));
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_define_binary(trial.subgraph(), xnn_binary_add, nullptr,
                                                half_input, summand_id, half_output, 0),
                              Trial::kWhat);
  TrialProvider provider(kernel, bias, summand);
  ONEPACK_RETURN_IF_ERROR(trial.CreateRuntime(provider.handle()));
  return provider.IsOfItsInterface() ? Status::Ok()
                                     : OtherInterface("its interface of weights caches differs");
}

Status TryInterface() {
  ONEPACK_RETURN_IF_ERROR(CheckFunctions());
  ONEPACK_RETURN_IF_ERROR(CheckProvider());
  return CheckOperators();
}

}  // namespace

Status CheckXnnpackInterface() {
  Status status = TryInterface();
  const bool is_refused = !status.ok() && status.code() != StatusCode::kResourceExhausted &&
                          status.code() != StatusCode::kFailedPrecondition;
  return is_refused ? OtherInterface(status.message()) : std::move(status);
}

}  // namespace onepack
