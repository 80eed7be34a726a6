#include "tools/bundled_program.h"

#include <string.h>

#include <algorithm>

#include "base/printable.h"
#include "bundled_program_generated.h"
#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/identifier.h"
#include "schema/verify_bundled_program.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

namespace wire_bundle = wire::bundled_program;

// As the runtime wants them.
constexpr size_t kTensorAlignment = 16;

// A range of another source.
class PartOfSource final : public DataSource {
 public:
  PartOfSource(const Ref<DataSource>& whole, const Segment& part)
      : DataSource(whole->identity().At(part.offset)), whole_(whole), part_(part) {}

  const char* name() const override { return whole_->name(); }
  uint64_t size() const override { return part_.size; }
  bool is_mapped() const override { return whole_->is_mapped(); }
  bool keeps_bytes() const override { return whole_->keeps_bytes(); }
  Result<Buffer> Load(const Segment& range) const override {
    ONEPACK_RETURN_IF_ERROR(CheckRange(range));
    return whole_->Load(InWhole(range));
  }
  Status Read(const Segment& range, uint8_t* destination) const override {
    ONEPACK_RETURN_IF_ERROR(CheckRange(range));
    return whole_->Read(InWhole(range), destination);
  }
  void Prefetch(const Segment& range) const override {
    if (CheckRange(range).ok()) whole_->Prefetch(InWhole(range));
  }
  void Discard(const Segment& range) const override {
    if (CheckRange(range).ok()) whole_->Discard(InWhole(range));
  }

 private:
  Segment InWhole(const Segment& range) const { return {part_.offset + range.offset, range.size}; }

  const Ref<DataSource> whole_;
  const Segment part_;
};

// REQUIRES: verified.
RecordedValue ValueOf(const wire_bundle::Value& value, std::vector<uint8_t>& bytes) {
  if (const auto* number = value.val_as_Int()) return number->int_val();
  if (const auto* truth = value.val_as_Bool()) return truth->bool_val();
  if (const auto* number = value.val_as_Double()) return number->double_val();
  const wire_bundle::Tensor& tensor = *value.val_as_Tensor();
  const TensorLayout layout = LayoutOf(tensor);
  RecordedTensor recorded;
  recorded.scalar_type = layout.scalar_type;
  recorded.sizes.assign(layout.sizes.begin(), layout.sizes.end());
  recorded.dim_order.assign(layout.dim_order.begin(), layout.dim_order.end());
  bytes.resize((bytes.size() + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment);
  recorded.offset = bytes.size();
  auto size = VerifiedSizeBytes(layout);
  recorded.size_bytes = size.ok() ? *size : 0;
  if (recorded.size_bytes > 0) {
    const uint8_t* data = tensor.data()->data();
    bytes.insert(bytes.end(), data, data + recorded.size_bytes);
  }
  return recorded;
}

std::vector<RecordedValue> ValuesOf(
    const flatbuffers::Vector<flatbuffers::Offset<wire_bundle::Value>>* values,
    std::vector<uint8_t>& bytes) {
  std::vector<RecordedValue> recorded;
  for (uint32_t i = 0; i < CountOf(values); ++i) {
    recorded.push_back(ValueOf(*values->Get(i), bytes));
  }
  return recorded;
}

}  // namespace

Result<std::shared_ptr<const BundledProgram>> BundledProgram::Open(const Ref<DataSource>& source) {
  std::shared_ptr<BundledProgram> bundle(new BundledProgram);
  bundle->source_ = source;
  ONEPACK_ASSIGN_OR_RETURN(bundle->file_, source->LoadWhole({0, source->size()}));
  auto wire = VerifyBundledProgram(bundle->file_.bytes);
  if (!wire.ok()) return wire.TakeStatus().WithContext("%s", source->name());
  bundle->wire_ = *wire;
  ONEPACK_ASSIGN_OR_RETURN(
      const Ref<PartOfSource> program,
      MakeRef<PartOfSource>(HeapAllocator(), source,
                            EmbeddedProgram(*bundle->wire_, bundle->file_.bytes)));
  bundle->program_source_ = program;
  return std::shared_ptr<const BundledProgram>(std::move(bundle));
}

size_t BundledProgram::suite_count() const { return CountOf(wire_->method_test_suites()); }

size_t BundledProgram::test_case_count(size_t suite) const {
  return CountOf(wire_->method_test_suites()->Get(static_cast<uint32_t>(suite))->test_cases());
}

Result<RecordedCase> BundledProgram::TestCasesOf(size_t suite) const {
  const auto* bundled = wire_->method_test_suites()->Get(static_cast<uint32_t>(suite));
  RecordedCase recorded;
  recorded.program = source_->name();
  recorded.method = TextOf(bundled->method_name());
  recorded.name = recorded.program + ":" + Printable(recorded.method).c_str();
  recorded.state = RecordedCase::State::kFreshForEachCall;
  std::vector<uint8_t> bytes;
  for (uint32_t i = 0; i < CountOf(bundled->test_cases()); ++i) {
    const wire_bundle::BundledMethodTestCase& test_case = *bundled->test_cases()->Get(i);
    recorded.calls.push_back(
        {ValuesOf(test_case.inputs(), bytes), ValuesOf(test_case.expected_outputs(), bytes)});
  }
  ONEPACK_ASSIGN_OR_RETURN(recorded.tensors, Mapping::OfZeros(bytes.size()));
  if (!bytes.empty()) memcpy(recorded.tensors.data(), bytes.data(), bytes.size());
  return recorded;
}

Status CheckTestSuites(const BundledProgram& bundle, const Program& program) {
  for (uint32_t i = 0; i < bundle.suite_count(); ++i) {
    const auto* suite = bundle.wire().method_test_suites()->Get(i);
    ONEPACK_ASSIGN_OR_RETURN(const auto* plan,
                             ProgramContents(program).FindMethod(TextOf(suite->method_name())));
    for (uint32_t j = 0; j < CountOf(suite->test_cases()); ++j) {
      const wire_bundle::BundledMethodTestCase& test_case = *suite->test_cases()->Get(j);
      // Exporters bundle inputs alone, too.
      const size_t outputs = CountOf(test_case.expected_outputs());
      const bool fits = CountOf(test_case.inputs()) == CountOf(plan->inputs()) &&
                        (outputs == 0 || outputs == CountOf(plan->outputs()));
      if (fits) continue;
      return Status::Error(StatusCode::kMismatch,
                           "%s: method '%s': test case %u: %zu inputs and %zu outputs, the method "
                           "has %zu and %zu",
                           program.name(), Printable(TextOf(suite->method_name())).c_str(), j,
                           CountOf(test_case.inputs()), outputs, CountOf(plan->inputs()),
                           CountOf(plan->outputs()));
    }
  }
  return Status::Ok();
}

Result<ProgramFile> OpenProgramFile(const Ref<DataSource>& source) {
  const uint64_t head_size =
      std::min<uint64_t>(source->size(), kIdentifierOffset + kIdentifierSize);
  ONEPACK_ASSIGN_OR_RETURN(const Buffer head, source->LoadWhole({0, head_size}));
  ProgramFile file;
  file.program = source;
  if (!IsBundledProgram(head.bytes)) return file;
  ONEPACK_ASSIGN_OR_RETURN(file.bundle, BundledProgram::Open(source));
  file.program = file.bundle->program_source();
  return file;
}

}  // namespace onepack
