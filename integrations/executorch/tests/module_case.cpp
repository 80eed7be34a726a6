#include "integrations/executorch/tests/module_case.h"

#include <executorch/extension/tensor/tensor.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <variant>

#include "tests/support/files.h"
#include "tools/compare.h"

namespace onepack {
namespace {

using ::executorch::aten::DimOrderType;
using ::executorch::aten::SizesType;
using ::executorch::aten::StridesType;
using ::executorch::extension::make_tensor_ptr;
using ::executorch::extension::TensorPtr;
using ::executorch::runtime::EValue;

RecordedCase ReadCase(const std::string& path) {
  auto recorded = ReadRecordedCase(path);
  if (!recorded.ok()) throw std::runtime_error(recorded.status().message());
  return std::move(recorded).value();
}

// A copy, so that no two calls have their inputs in one place.
TensorPtr TensorOf(const RecordedCase& recorded, const RecordedTensor& tensor) {
  const uint8_t* const bytes = recorded.tensors.bytes().data() + tensor.offset;
  return make_tensor_ptr(std::vector<SizesType>(tensor.sizes.begin(), tensor.sizes.end()),
                         std::vector<uint8_t>(bytes, bytes + tensor.size_bytes),
                         std::vector<DimOrderType>(tensor.dim_order), std::vector<StridesType>(),
                         static_cast<::executorch::aten::ScalarType>(tensor.scalar_type));
}

// As a value of ours, which refers to the other members.
struct Ours {
  std::vector<int32_t> sizes;
  std::vector<uint8_t> dim_order;
  Tensor tensor;
  Value value;

  explicit Ours(const EValue& given) {
    if (given.isInt()) value = Value::OfInt(given.toInt());
    if (given.isBool()) value = Value::OfBool(given.toBool());
    if (given.isDouble()) value = Value::OfDouble(given.toDouble());
    if (!given.isTensor()) return;
    const auto& theirs = given.toTensor();
    sizes.assign(theirs.sizes().begin(), theirs.sizes().end());
    dim_order.assign(theirs.dim_order().begin(), theirs.dim_order().end());
    auto* const bytes = static_cast<uint8_t*>(const_cast<void*>(theirs.const_data_ptr()));
    auto over = Tensor::Over({static_cast<ScalarType>(theirs.scalar_type()), sizes, dim_order},
                             {bytes, theirs.nbytes()});
    if (!over.ok()) throw std::runtime_error(over.status().message());
    tensor = *over;
    value = Value::OfTensor(&tensor);
  }
};

std::string ErrorText(::executorch::runtime::Error error) {
  return ::executorch::runtime::to_string(error);
}

}  // namespace

ModuleCase::ModuleCase(const std::string& path, Module::LoadMode mode)
    : recorded_(ReadCase(path)),
      module_(std::make_unique<Module>(recorded_.program, recorded_.data, mode)) {}

std::string ModuleCase::Load() {
  const auto error = module_->load_method(recorded_.method);
  return error == ::executorch::runtime::Error::Ok ? "" : "loading: " + ErrorText(error);
}

std::string ModuleCase::Run() {
  std::string trouble = Load();
  for (size_t i = 0; trouble.empty() && i < recorded_.calls.size(); ++i) {
    trouble = MakeCall(recorded_.calls[i]);
    if (!trouble.empty()) trouble = "call " + std::to_string(i) + ": " + trouble;
  }
  return trouble;
}

std::string ModuleCase::MakeCall(const RecordedCall& call) {
  std::vector<TensorPtr> tensors;
  std::vector<EValue> inputs;
  for (const RecordedValue& input : call.inputs) {
    if (const auto* tensor = std::get_if<RecordedTensor>(&input)) {
      tensors.push_back(TensorOf(recorded_, *tensor));
      inputs.emplace_back(*tensors.back());
    } else if (const auto* number = std::get_if<int64_t>(&input)) {
      inputs.emplace_back(*number);
    } else if (const auto* truth = std::get_if<bool>(&input)) {
      inputs.emplace_back(*truth);
    } else {
      inputs.emplace_back(std::get<double>(input));
    }
  }
  const auto outputs = module_->execute(recorded_.method, inputs);
  if (!outputs.ok()) return ErrorText(outputs.error());
  if (outputs->size() != call.outputs.size()) {
    return std::to_string(outputs->size()) + " outputs, " + std::to_string(call.outputs.size()) +
           " expected";
  }
  for (size_t i = 0; i < outputs->size(); ++i) {
    const Ours found(outputs->at(i));
    Tensor tensor;
    const Value expected = recorded_.ToValue(call.outputs[i], &tensor);
    const Comparison comparison = CompareValues(found.value, expected, recorded_.tolerance);
    if (!comparison.matches()) return "output " + std::to_string(i) + ": " + comparison.mismatch;
  }
  return "";
}

std::vector<std::string> RecordingsIn(const std::string& family) {
  const char* const cases = getenv("ONEPACK_CASES");
  std::string folder = TestData("cases/" + family);
  if (cases != nullptr && access((std::string(cases) + "/" + family).c_str(), R_OK) == 0) {
    folder = std::string(cases) + "/" + family;
  }
  constexpr std::string_view kExtension = ".json";
  std::vector<std::string> paths;
  for (const std::string& name : FilesIn(folder)) {
    if (name.size() > kExtension.size() &&
        name.compare(name.size() - kExtension.size(), kExtension.size(), kExtension) == 0) {
      paths.push_back(folder + "/" + name);
    }
  }
  return paths;
}

}  // namespace onepack
