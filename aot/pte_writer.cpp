#include "aot/pte_writer.h"

#include <assert.h>

#include <numeric>
#include <utility>

#include "aot/align_empty_lists.h"
#include "aot/output_files.h"
#include "program_generated.h"

namespace onepack {

namespace wire_pte = wire::program;
using flatbuffers::Offset;

namespace {

// Of buffers in the flatbuffer.
constexpr size_t kBufferAlignment = 16;

bool Overrides(int8_t value) { return value >= 0; }

}  // namespace

uint32_t ProgramWriter::AddSegment(DataBytes bytes, size_t alignment) {
  segments_.emplace_back(std::move(bytes), alignment);
  return static_cast<uint32_t>(segments_.size() - 1);
}

uint32_t ProgramWriter::AddInlinePayload(Bytes bytes) {
  inline_payloads_.emplace_back(bytes.begin(), bytes.end());
  return static_cast<uint32_t>(inline_payloads_.size() - 1);
}

uint32_t ProgramWriter::AddConstant(DataBytes bytes) {
  if (!options_.uses_constant_buffer) return constants_.Add(std::move(bytes));
  constant_buffers_.push_back(std::move(bytes));
  return static_cast<uint32_t>(constant_buffers_.size());
}

uint32_t ProgramWriter::AddInitialValue(Bytes bytes, uint32_t group) {
  if (initial_values_.size() <= group) initial_values_.resize(group + 1);
  return initial_values_[group].Add(DataBytes::Copied(bytes));
}

void ProgramWriter::AddNamedData(std::string key, uint32_t segment) {
  named_data_.emplace_back(std::move(key), segment);
}

SegmentList ProgramWriter::AllSegments() const {
  SegmentList all(options_.alignment);
  for (const auto& [bytes, alignment] : segments_) all.Add(bytes, alignment);
  if (HasConstantSegment()) all.Add(constants_.ToSegment());
  for (const BufferGroup& group : initial_values_) all.Add(group.ToSegment());
  return all;
}

// Turns the writer's plans into tables. One object for one flatbuffer.
class ProgramWriter::Encoder {
 public:
  Encoder(const ProgramWriter& writer, const SegmentList& segments)
      : writer_(writer), segments_(segments) {}

  Result<Bytes> Encode() {
    ONEPACK_ASSIGN_OR_RETURN(const Offset<wire_pte::Program> program, CreateProgram());
    builder_.Finish(program, wire_pte::ProgramIdentifier());
    return Bytes(builder_.GetBufferSpan());
  }

 private:
  template <typename T>
  using Tables = std::vector<Offset<T>>;
  struct Union {
    int kind;
    Offset<void> table;
  };

  Result<Offset<wire_pte::Program>> CreateProgram();
  Result<Tables<wire_pte::Buffer>> CreateConstantBuffers();
  Offset<wire_pte::ExecutionPlan> CreateMethod(const MethodPlan& method);
  Offset<wire_pte::BackendDelegate> CreateDelegate(const DelegatePlan& delegate);
  Offset<wire_pte::Chain> CreateChain(const std::vector<InstructionPlan>& instructions);
  Offset<wire_pte::SubsegmentOffsets> CreateGroup(size_t segment, const BufferGroup& group);
  Offset<flatbuffers::Vector<uint8_t>> CreateAlignedBytes(const std::vector<uint8_t>& bytes);

  // One for each kind of value.
  Union Create(std::monostate) {
    return Of(wire_pte::KernelTypes::Null, wire_pte::CreateNull(builder_));
  }
  Union Create(int64_t v) {
    return Of(wire_pte::KernelTypes::Int, wire_pte::CreateInt(builder_, v));
  }
  Union Create(bool v) {
    return Of(wire_pte::KernelTypes::Bool, wire_pte::CreateBool(builder_, v));
  }
  Union Create(double v) {
    return Of(wire_pte::KernelTypes::Double, wire_pte::CreateDouble(builder_, v));
  }
  Union Create(const std::string& v) {
    return Of(wire_pte::KernelTypes::String,
              wire_pte::CreateString(builder_, builder_.CreateString(v)));
  }
  Union Create(const TensorPlan& tensor);
  Union Create(const IntListPlan& list) {
    return Of(wire_pte::KernelTypes::IntList, wire_pte::CreateIntListDirect(builder_, &list.items));
  }
  Union Create(const std::vector<bool>& list) {
    return Of(wire_pte::KernelTypes::BoolList,
              wire_pte::CreateBoolList(builder_, builder_.CreateVector(list)));
  }
  Union Create(const std::vector<double>& list) {
    return Of(wire_pte::KernelTypes::DoubleList, wire_pte::CreateDoubleListDirect(builder_, &list));
  }
  Union Create(const TensorListPlan& list) {
    return Of(wire_pte::KernelTypes::TensorList,
              wire_pte::CreateTensorListDirect(builder_, &list.items));
  }
  Union Create(const OptionalTensorListPlan& list) {
    return Of(wire_pte::KernelTypes::OptionalTensorList,
              wire_pte::CreateOptionalTensorListDirect(builder_, &list.items));
  }

  // One for each kind of instruction.
  Union Create(const KernelCallPlan& call) {
    return Of(wire_pte::InstructionArguments::KernelCall,
              wire_pte::CreateKernelCallDirect(builder_, call.op, &call.arguments));
  }
  Union Create(const DelegateCallPlan& call) {
    return Of(wire_pte::InstructionArguments::DelegateCall,
              wire_pte::CreateDelegateCallDirect(builder_, call.delegate, &call.arguments));
  }
  Union Create(const MoveCallPlan& call) {
    return Of(wire_pte::InstructionArguments::MoveCall,
              wire_pte::CreateMoveCall(builder_, call.from, call.to));
  }
  Union Create(const JumpFalseCallPlan& call) {
    return Of(wire_pte::InstructionArguments::JumpFalseCall,
              wire_pte::CreateJumpFalseCall(builder_, call.condition, call.destination));
  }
  Union Create(const FreeCallPlan& call) {
    return Of(wire_pte::InstructionArguments::FreeCall,
              wire_pte::CreateFreeCall(builder_, call.value));
  }

  template <typename Kind, typename Table>
  static Union Of(Kind kind, Offset<Table> table) {
    return {static_cast<int>(kind), table.Union()};
  }

  const ProgramWriter& writer_;
  const SegmentList& segments_;
  flatbuffers::FlatBufferBuilder builder_;
};

Offset<flatbuffers::Vector<uint8_t>> ProgramWriter::Encoder::CreateAlignedBytes(
    const std::vector<uint8_t>& bytes) {
  builder_.ForceVectorAlignment(bytes.size(), 1, kBufferAlignment);
  return builder_.CreateVector(bytes);
}

ProgramWriter::Encoder::Union ProgramWriter::Encoder::Create(const TensorPlan& tensor) {
  std::vector<uint8_t> contiguous(tensor.sizes.size());
  std::iota(contiguous.begin(), contiguous.end(), uint8_t{0});
  const auto sizes = builder_.CreateVector(tensor.sizes);
  const auto dim_order = builder_.CreateVector(tensor.dim_order.value_or(contiguous));
  Offset<wire_pte::AllocationDetails> place;
  if (tensor.place) {
    place = wire_pte::CreateAllocationDetails(builder_, tensor.place->buffer,
                                              static_cast<uint32_t>(tensor.place->offset),
                                              static_cast<uint32_t>(tensor.place->offset >> 32));
  }
  const bool is_external = !tensor.external_key.empty();
  const int8_t location = Overrides(tensor.location) ? tensor.location : int8_t{is_external};
  const int8_t dynamism =
      Overrides(tensor.shape_dynamism) ? tensor.shape_dynamism : int8_t{tensor.is_dynamic};
  Offset<wire_pte::ExtraTensorInfo> extra;
  if (location != 0 || tensor.initial_value_group != 0 || tensor.device_type != 0) {
    extra = wire_pte::CreateExtraTensorInfoDirect(
        builder_, tensor.initial_value_group, is_external ? tensor.external_key.c_str() : nullptr,
        static_cast<wire_pte::TensorDataLocation>(location),
        static_cast<wire_pte::DeviceType>(tensor.device_type));
  }
  return Of(wire_pte::KernelTypes::Tensor,
            wire_pte::CreateTensor(builder_, static_cast<wire::ScalarType>(tensor.scalar_type),
                                   tensor.storage_offset, sizes, dim_order,
                                   /*requires_grad=*/false, tensor.data_buffer_idx, place,
                                   /*layout=*/0,
                                   static_cast<wire_pte::TensorShapeDynamism>(dynamism), extra));
}

Offset<wire_pte::BackendDelegate> ProgramWriter::Encoder::CreateDelegate(
    const DelegatePlan& delegate) {
  Tables<wire_pte::CompileSpec> specs;
  for (const auto& [key, value] : delegate.compile_specs) {
    specs.push_back(wire_pte::CreateCompileSpecDirect(builder_, key.c_str(), &value));
  }
  const auto reference = wire_pte::CreateBackendDelegateDataReference(
      builder_, static_cast<wire_pte::DataLocation>(delegate.location), delegate.index);
  return wire_pte::CreateBackendDelegateDirect(builder_, delegate.backend.c_str(), reference,
                                               &specs);
}

Offset<wire_pte::Chain> ProgramWriter::Encoder::CreateChain(
    const std::vector<InstructionPlan>& instructions) {
  Tables<wire_pte::Instruction> tables;
  for (const InstructionPlan& instruction : instructions) {
    const Union made = std::visit([&](const auto& call) { return Create(call); }, instruction);
    tables.push_back(wire_pte::CreateInstruction(
        builder_, static_cast<wire_pte::InstructionArguments>(made.kind), made.table));
  }
  const std::vector<int32_t> none;
  return wire_pte::CreateChainDirect(builder_, &none, &none, &tables);
}

Offset<wire_pte::ExecutionPlan> ProgramWriter::Encoder::CreateMethod(const MethodPlan& method) {
  Tables<wire_pte::EValue> values;
  for (const ValuePlan& value : method.values) {
    const Union made = std::visit([&](const auto& plan) { return Create(plan); }, value);
    values.push_back(wire_pte::CreateEValue(builder_, static_cast<wire_pte::KernelTypes>(made.kind),
                                            made.table));
  }
  Tables<wire_pte::Operator> operators;
  for (const OperatorPlan& op : method.operators) {
    operators.push_back(
        wire_pte::CreateOperatorDirect(builder_, op.name.c_str(), op.overload.c_str()));
  }
  Tables<wire_pte::BackendDelegate> delegates;
  for (const DelegatePlan& delegate : method.delegates)
    delegates.push_back(CreateDelegate(delegate));
  Tables<wire_pte::Chain> chains;
  for (const auto& chain : method.chains) chains.push_back(CreateChain(chain));
  Tables<wire_pte::NonConstBufferDevice> devices;
  for (const auto& [buffer, device] : method.devices) {
    devices.push_back(wire_pte::CreateNonConstBufferDevice(
        builder_, buffer, static_cast<wire_pte::DeviceType>(device)));
  }
  const auto container = wire_pte::CreateContainerMetadataDirect(builder_, "", "");
  return wire_pte::CreateExecutionPlanDirect(
      builder_, method.name.c_str(), container, &values, &method.inputs, &method.outputs, &chains,
      &operators, &delegates, &method.buffer_sizes, devices.empty() ? nullptr : &devices);
}

Offset<wire_pte::SubsegmentOffsets> ProgramWriter::Encoder::CreateGroup(size_t segment,
                                                                        const BufferGroup& group) {
  return wire_pte::CreateSubsegmentOffsetsDirect(builder_, static_cast<uint32_t>(segment),
                                                 &group.offsets());
}

Result<ProgramWriter::Encoder::Tables<wire_pte::Buffer>>
ProgramWriter::Encoder::CreateConstantBuffers() {
  Tables<wire_pte::Buffer> buffers;
  if (writer_.constant_buffers_.empty()) return buffers;
  buffers.push_back(wire_pte::CreateBuffer(builder_, CreateAlignedBytes({})));
  for (const DataBytes& constant : writer_.constant_buffers_) {
    ONEPACK_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, constant.ToVector());
    buffers.push_back(wire_pte::CreateBuffer(builder_, CreateAlignedBytes(bytes)));
  }
  return buffers;
}

Result<Offset<wire_pte::Program>> ProgramWriter::Encoder::CreateProgram() {
  Tables<wire_pte::ExecutionPlan> methods;
  for (const MethodPlan& method : writer_.methods_) methods.push_back(CreateMethod(method));
  ONEPACK_ASSIGN_OR_RETURN(const Tables<wire_pte::Buffer> buffers, CreateConstantBuffers());
  Tables<wire_pte::BackendDelegateInlineData> payloads;
  for (const auto& bytes : writer_.inline_payloads_) {
    payloads.push_back(
        wire_pte::CreateBackendDelegateInlineData(builder_, CreateAlignedBytes(bytes)));
  }
  Tables<wire_pte::DataSegment> segments;
  for (const SegmentList::PlacedSegment& segment : segments_.segments()) {
    segments.push_back(
        wire_pte::CreateDataSegment(builder_, segment.offset, segment.bytes.size_bytes()));
  }
  size_t next_segment = writer_.segments_.size();
  Offset<wire_pte::SubsegmentOffsets> constants;
  if (writer_.HasConstantSegment()) {
    constants = CreateGroup(next_segment++, writer_.constants_);
  }
  Tables<wire_pte::SubsegmentOffsets> initial_values;
  for (const BufferGroup& group : writer_.initial_values_) {
    initial_values.push_back(CreateGroup(next_segment++, group));
  }
  Tables<wire_pte::NamedData> named_data;
  for (const auto& [key, segment] : writer_.named_data_) {
    named_data.push_back(wire_pte::CreateNamedDataDirect(builder_, key.c_str(), segment));
  }
  return wire_pte::CreateProgramDirect(builder_, /*version=*/0, &methods, &buffers, &payloads,
                                       &segments, constants, &initial_values, &named_data);
}

Status ProgramWriter::Write(const Append& append) const {
  const SegmentList segments = AllSegments();
  Encoder encoder(*this, segments);
  ONEPACK_ASSIGN_OR_RETURN(const Bytes flatbuffer, encoder.Encode());
  if (options_.header_size == 0) {
    std::vector<uint8_t> aligned(flatbuffer.begin(), flatbuffer.end());
    AlignEmptyLists(aligned);
    return append(aligned);
  }
  return WriteProgramFile(flatbuffer, segments, options_.header_size, append);
}

Status ProgramWriter::ToFile(const std::string& path) const {
  return WriteOutputFile(path, [this](const Append& append) { return Write(append); }, &ReadBack);
}

Status ProgramWriter::ReadBack(const std::string& path) { return ReadBackProgram(path); }

std::vector<uint8_t> ProgramWriter::Finish() const {
  std::vector<uint8_t> file;
  const Status status = Write([&](Bytes bytes) {
    file.insert(file.end(), bytes.begin(), bytes.end());
    return Status::Ok();
  });
  assert(status.ok());
  (void)status;
  return file;
}

}  // namespace onepack
