#include <deque>
#include <string_view>

#include "onepack/cpu_operators.h"
#include "tests/hardening/operator_calls.h"

namespace onepack {
namespace {

using Kind = OperatorSignature::Kind;

constexpr size_t kMostArguments = 24;

struct Phrase {
  std::string_view text;
  Kind kind;
};
// kernels/arguments.cpp
constexpr Phrase kPhrases[] = {
    {"a list of tensors expected", Kind::kTensors}, {"a list of integers expected", Kind::kInts},
    {"a list of numbers expected", Kind::kDoubles}, {"a list of bools expected", Kind::kBools},
    {"a tensor expected", Kind::kTensor},           {"an integer expected", Kind::kNumber},
    {"a number expected", Kind::kNumber},           {"room for a number expected", Kind::kNumber}};

// Values of every kind that an operator would take, if it looked at nothing but the kind.
class Samples {
 public:
  Value Of(Kind kind) {
    switch (kind) {
      case Kind::kTensor:
      case Kind::kOutput:
        return OfTensor();
      case Kind::kNumber:
        return Value::OfInt(1);
      case Kind::kInts:
        return Value::OfList(ValueKind::kIntList, {});
      case Kind::kDoubles:
        return Value::OfDoubleList({});
      case Kind::kBools:
        return Value::OfBoolList({});
      case Kind::kTensors:
      case Kind::kOutputs:
        return Value::OfList(ValueKind::kTensorList, {});
      case Kind::kAny:
        return Value::OfString("text");
    }
    return Value();
  }

 private:
  // A new one each time: an output must not be an input too.
  Value OfTensor() {
    const TensorLayout layout{ScalarType::kFloat, sizes_, order_};
    auto tensor = Tensor::Over(
        layout, {reinterpret_cast<uint8_t*>(data_.emplace_back().floats), sizeof(Data)});
    return Value::OfTensor(&tensors_.emplace_back(std::move(tensor).value()));
  }

  struct Data {
    float floats[6] = {};
  };
  const int32_t sizes_[2] = {2, 3};
  const uint8_t order_[2] = {0, 1};
  std::deque<Data> data_;
  std::deque<Tensor> tensors_;
};

std::string MessageOf(const Operator& op, const std::vector<Kind>& kinds) {
  Samples samples;
  std::deque<Value> values;
  std::vector<Value*> arguments;
  for (const Kind kind : kinds) arguments.push_back(&values.emplace_back(samples.Of(kind)));
  return op.function(op.context, {arguments.data(), arguments.size()}).message();
}

bool Has(const std::string& message, std::string_view part) {
  return message.find(part) != std::string::npos;
}

Kind KindIn(const std::string& message) {
  const bool is_output = Has(message, "argument 'out'") || Has(message, "list 'out'");
  for (const Phrase& phrase : kPhrases) {
    if (!Has(message, phrase.text)) continue;
    if (is_output && phrase.kind == Kind::kTensor) return Kind::kOutput;
    if (is_output && phrase.kind == Kind::kTensors) return Kind::kOutputs;
    return phrase.kind;
  }
  return Kind::kAny;  // a text is fine
}

std::vector<Kind> FindKinds(const Operator& op) {
  std::vector<Kind> kinds;
  while (kinds.size() < kMostArguments && Has(MessageOf(op, kinds), "expected after them")) {
    kinds.push_back(Kind::kAny);
    kinds.back() = KindIn(MessageOf(op, kinds));
  }
  // Some look at sizes before they ask for the output.
  const bool has_output =
      !kinds.empty() && (kinds.back() == Kind::kOutput || kinds.back() == Kind::kOutputs);
  if (!has_output) kinds.push_back(Kind::kOutput);
  return kinds;
}

}  // namespace

std::vector<OperatorSignature> FindOperatorSignatures() {
  std::vector<OperatorSignature> signatures;
  auto operators = CpuOperators::Create({});
  if (!operators.ok()) return signatures;
  for (const Operator& op : operators->operators()) {
    signatures.push_back({std::string(op.name), FindKinds(op)});
  }
  return signatures;
}

}  // namespace onepack
