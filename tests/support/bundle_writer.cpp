#include "tests/support/bundle_writer.h"

#include "bundled_program_generated.h"

namespace onepack {
namespace {

namespace wire_bundle = wire::bundled_program;

template <typename T>
using Tables = std::vector<flatbuffers::Offset<T>>;

class BundleWriter {
 public:
  explicit BundleWriter(BundleAlignment alignment) : alignment_(alignment) {}

  std::vector<uint8_t> Write(Bytes program, const std::vector<RecordedCase>& cases) {
    Tables<wire_bundle::BundledMethodTestSuite> suites;
    for (const RecordedCase& recorded : cases) suites.push_back(CreateSuite(recorded));
    const auto program_bytes = CreateBytes(program, 32);
    const auto suite_vector = builder_.CreateVector(suites);
    builder_.Finish(
        wire_bundle::CreateBundledProgram(builder_, /*version=*/2, suite_vector, program_bytes),
        wire_bundle::BundledProgramIdentifier());
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

 private:
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> CreateBytes(Bytes bytes, size_t alignment) {
    if (alignment_ == BundleAlignment::kOfExporters) {
      builder_.ForceVectorAlignment(bytes.size(), 1, alignment);
    }
    return builder_.CreateVector(bytes.data(), bytes.size());
  }

  flatbuffers::Offset<wire_bundle::Value> CreateValue(const RecordedCase& recorded,
                                                      const RecordedValue& value) {
    using wire_bundle::ValueUnion;
    if (const auto* number = std::get_if<int64_t>(&value)) {
      return wire_bundle::CreateValue(builder_, ValueUnion::Int,
                                      wire_bundle::CreateInt(builder_, *number).Union());
    }
    if (const auto* truth = std::get_if<bool>(&value)) {
      return wire_bundle::CreateValue(builder_, ValueUnion::Bool,
                                      wire_bundle::CreateBool(builder_, *truth).Union());
    }
    if (const auto* number = std::get_if<double>(&value)) {
      return wire_bundle::CreateValue(builder_, ValueUnion::Double,
                                      wire_bundle::CreateDouble(builder_, *number).Union());
    }
    const auto& tensor = std::get<RecordedTensor>(value);
    const auto data =
        CreateBytes(recorded.tensors.bytes().subspan(tensor.offset, tensor.size_bytes), 16);
    const auto sizes = builder_.CreateVector(tensor.sizes);
    const auto dim_order = builder_.CreateVector(tensor.dim_order);
    const auto table = wire_bundle::CreateTensor(
        builder_, static_cast<wire::ScalarType>(tensor.scalar_type), sizes, data, dim_order);
    return wire_bundle::CreateValue(builder_, ValueUnion::Tensor, table.Union());
  }

  Tables<wire_bundle::Value> CreateValues(const RecordedCase& recorded,
                                          const std::vector<RecordedValue>& values) {
    Tables<wire_bundle::Value> tables;
    for (const RecordedValue& value : values) tables.push_back(CreateValue(recorded, value));
    return tables;
  }

  flatbuffers::Offset<wire_bundle::BundledMethodTestSuite> CreateSuite(
      const RecordedCase& recorded) {
    Tables<wire_bundle::BundledMethodTestCase> test_cases;
    for (const RecordedCall& call : recorded.calls) {
      const auto inputs = CreateValues(recorded, call.inputs);
      const auto outputs = CreateValues(recorded, call.outputs);
      test_cases.push_back(
          wire_bundle::CreateBundledMethodTestCaseDirect(builder_, &inputs, &outputs));
    }
    return wire_bundle::CreateBundledMethodTestSuiteDirect(builder_, recorded.method.c_str(),
                                                           &test_cases);
  }

  const BundleAlignment alignment_;
  flatbuffers::FlatBufferBuilder builder_;
};

}  // namespace

std::vector<uint8_t> WriteBundle(Bytes program, const std::vector<RecordedCase>& cases,
                                 BundleAlignment alignment) {
  return BundleWriter(alignment).Write(program, cases);
}

}  // namespace onepack
