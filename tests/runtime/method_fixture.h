// Methods made by hand: a plan, operators that are lambdas, and tensors to give them.

#ifndef ONEPACK_TESTS_RUNTIME_METHOD_FIXTURE_H_
#define ONEPACK_TESTS_RUNTIME_METHOD_FIXTURE_H_

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "onepack/method.h"
#include "tests/support/files.h"
#include "tests/support/recording_backend.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {

// An f32 tensor with its own memory; without an order a contiguous one.
class HostTensor {
 public:
  HostTensor(std::vector<int32_t> sizes, std::vector<float> numbers,
             std::vector<uint8_t> order = {})
      : sizes_(std::move(sizes)), order_(std::move(order)), numbers_(std::move(numbers)) {
    if (order_.empty()) {
      order_.resize(sizes_.size());
      std::iota(order_.begin(), order_.end(), uint8_t{0});
    }
    auto* data = reinterpret_cast<uint8_t*>(numbers_.data());
    auto tensor =
        Tensor::Over({ScalarType::kFloat, sizes_, order_}, {data, numbers_.size() * sizeof(float)});
    EXPECT_TRUE(IsOk(tensor));
    if (tensor.ok()) tensor_ = *tensor;
  }
  HostTensor(const HostTensor&) = delete;
  HostTensor& operator=(const HostTensor&) = delete;

  Value value() { return Value::OfTensor(&tensor_); }

 private:
  std::vector<int32_t> sizes_;
  std::vector<uint8_t> order_;
  std::vector<float> numbers_;
  Tensor tensor_;
};

inline std::vector<float> Floats(const Tensor& tensor) {
  const auto* numbers = reinterpret_cast<const float*>(tensor.data());
  return {numbers, numbers + tensor.size_bytes() / sizeof(float)};
}

inline std::vector<float> Floats(const Value& value) {
  EXPECT_TRUE(value.is(ValueKind::kTensor));
  return Floats(value.tensor());
}

inline std::vector<int32_t> Sizes(const Value& value) {
  return {value.tensor().sizes().begin(), value.tensor().sizes().end()};
}

class MethodTest : public testing::Test {
 protected:
  using Function = std::function<Status(Span<Value* const> arguments)>;

  // An f32 tensor at `offset` of planned buffer 1.
  static TensorPlan Planned(std::vector<int32_t> sizes, uint64_t offset, bool is_dynamic = false) {
    TensorPlan tensor;
    tensor.sizes = std::move(sizes);
    tensor.place = PlannedPlace{1, offset};
    tensor.is_dynamic = is_dynamic;
    return tensor;
  }

  // Under `name` as a registry has it: "test::add.out".
  void Register(std::string name, Function function) {
    functions_.emplace_back(std::move(name), std::move(function));
    const auto call = [](void* context, Span<Value* const> arguments) {
      return (*static_cast<Function*>(context))(arguments);
    };
    Operator op;
    op.name = functions_.back().first;
    op.function = call;
    op.context = &functions_.back().second;
    operators_.push_back(op);
  }

  // out = a + b for f32, where b may have fewer elements, which are then repeated; out takes the
  // sizes of a.
  void RegisterAdd() {
    Register("test::add.out", [](Span<Value* const> arguments) {
      const Tensor& a = arguments[0]->tensor();
      const std::vector<float> b = Floats(*arguments[1]);
      Tensor& out = arguments[2]->tensor();
      ONEPACK_RETURN_IF_ERROR(out.Resize(a.sizes()));
      const std::vector<float> sum = Floats(a);
      auto* numbers = reinterpret_cast<float*>(out.mutable_data());
      for (size_t i = 0; i < sum.size(); ++i) numbers[i] = sum[i] + b[i % b.size()];
      return Status::Ok();
    });
  }

  Result<Ref<Method>> Load() {
    ProgramWriter program = program_;
    program.AddMethod(plan_);
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> opened, OpenProgram(program.Finish()));
    return Load(opened, plan_.name);
  }

  Result<Ref<Method>> Load(const Ref<Program>& program, std::string_view name) {
    options_.operators = OperatorRegistry(operators_);
    return Method::Load(program, name, options_);
  }

  // Data files, in the order of the calls.
  void AddData(const PtdWriter& writer, const char* name) {
    auto bytes = writer.ToBytes();
    ASSERT_TRUE(IsOk(bytes));
    auto map = OpenData(std::move(bytes).value(), name);
    ASSERT_TRUE(IsOk(map));
    maps_.push_back(*map);
    auto merged = NamedDataMap::Merge(maps_);
    ASSERT_TRUE(IsOk(merged));
    options_.named_data = *merged;
  }

  ProgramWriter program_;
  MethodPlan plan_;
  MethodOptions options_;

 private:
  std::deque<std::pair<std::string, Function>> functions_;
  std::vector<Operator> operators_;
  std::vector<Ref<NamedDataMap>> maps_;
};

}  // namespace onepack

#endif  // ONEPACK_TESTS_RUNTIME_METHOD_FIXTURE_H_
