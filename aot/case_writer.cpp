#include "aot/case_writer.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/rounding.h"

namespace onepack {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kAlignment = 16;

template <typename Values>
Json ToJson(const Values& values) {
  Json list = Json::array();
  for (const auto& value : values) {
    std::vector<int> dim_order(value.sizes.size());
    std::iota(dim_order.begin(), dim_order.end(), 0);
    list.push_back({{"dtype", ScalarTypeName(value.scalar_type)},
                    {"sizes", value.sizes},
                    {"dim_order", dim_order},
                    {"offset", value.offset},
                    {"nbytes", value.size_bytes}});
  }
  return list;
}

Status ReadBackJson(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (Json::accept(file)) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "%s: not a JSON document", path.c_str());
}

}  // namespace

std::vector<CaseWriter::Value> CaseWriter::AddTensors(const std::vector<CaseTensor>& tensors) {
  std::vector<Value> values;
  for (const CaseTensor& tensor : tensors) {
    bytes_.resize(RoundUp(bytes_.size(), kAlignment));
    values.push_back({tensor.scalar_type, tensor.sizes, bytes_.size(), tensor.bytes.size()});
    bytes_.insert(bytes_.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  return values;
}

void CaseWriter::AddCall(const std::vector<CaseTensor>& inputs,
                         const std::vector<CaseTensor>& outputs) {
  Call call;
  call.inputs = AddTensors(inputs);
  call.outputs = AddTensors(outputs);
  calls_.push_back(std::move(call));
}

Status CaseWriter::Write(const std::string& folder, OutputFiles& files) const {
  Json json = {{"name", files_.family + "/" + files_.name},
               {"program", files_.program},
               {"data", files_.data},
               {"method", "forward"},
               {"atol", files_.tolerance},
               {"rtol", files_.tolerance},
               {"calls", Json::array()}};
  for (const Call& call : calls_) {
    json["calls"].push_back({{"inputs", ToJson(call.inputs)}, {"outputs", ToJson(call.outputs)}});
  }
  const std::string text = json.dump(1);
  const std::string stem = folder + "/" + files_.name;
  ONEPACK_RETURN_IF_ERROR(files.Write(
      stem + ".bin", [this](const Append& append) { return append(bytes_); }, &ReadBackNothing));
  return files.Write(
      stem + ".json",
      [&](const Append& append) {
        return append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
      },
      &ReadBackJson);
}

}  // namespace onepack
