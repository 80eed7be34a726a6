#include "onepack/program.h"

#include <stdio.h>

#include "base/printable.h"
#include "schema/verify_program.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

Result<ProgramHeader> LoadHeader(const DataSource& source) {
  const uint64_t head_size =
      source.size() < ProgramHeader::kHeadSize ? source.size() : ProgramHeader::kHeadSize;
  ONEPACK_ASSIGN_OR_RETURN(const Buffer head, source.LoadWhole(Segment{0, head_size}));
  return ParseProgramHeader(head.bytes, source.size());
}

}  // namespace

Result<Ref<Program>> Program::Open(const Ref<DataSource>& source, const Allocator& allocator) {
  if (!source) return Status::Error(StatusCode::kInvalidArgument, "no source was given");
  auto program = OpenVerified(source, allocator);
  if (!program.ok()) return program.TakeStatus().WithContext("%s", source->name());
  return program;
}

Result<Ref<Program>> Program::OpenVerified(const Ref<DataSource>& source,
                                           const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(const ProgramHeader header, LoadHeader(*source));
  ONEPACK_ASSIGN_OR_RETURN(const Buffer bytes,
                           source->LoadWhole(Segment{0, header.flatbuffer_size}));
  ONEPACK_ASSIGN_OR_RETURN(Ref<AlignedCopy> copy, AlignedCopy::Of(bytes.bytes, allocator));
  // Reading the flatbuffer brought the pages around it along, also segments that may never be used.
  source->Discard(Segment{0, source->size()});
  ONEPACK_ASSIGN_OR_RETURN(const wire::program::Program* wire,
                           VerifyProgram(copy->bytes(), header));
  ONEPACK_ASSIGN_OR_RETURN(Ref<Program> program,
                           MakeRef<Program>(allocator, source, std::move(copy), header, wire));
  ONEPACK_RETURN_IF_ERROR(program->IndexNamedData(allocator));
  return program;
}

Status Program::IndexNamedData(const Allocator& allocator) {
  ONEPACK_ASSIGN_OR_RETURN(Array<NamedData> entries,
                           Array<NamedData>::Create(allocator, CountOf(wire_->named_data())));
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto* named = wire_->named_data()->Get(static_cast<uint32_t>(i));
    entries[i].key = TextOf(named->key());
    entries[i].source = source_.get();
    entries[i].segment = segment(named->segment_index());
  }
  ONEPACK_ASSIGN_OR_RETURN(auto owners, Array<Ref<const RefCounted>>::Create(allocator, 2));
  owners[0] = flatbuffer_;
  owners[1] = source_;
  ONEPACK_ASSIGN_OR_RETURN(
      named_data_, NamedDataMap::Create(std::move(entries), std::move(owners), name(), allocator));
  return Status::Ok();
}

size_t Program::method_count() const { return wire_->execution_plan()->size(); }

std::string_view Program::method_name(size_t index) const {
  return TextOf(wire_->execution_plan()->Get(static_cast<uint32_t>(index))->name());
}

Result<const wire::program::ExecutionPlan*> Program::FindMethod(std::string_view name) const {
  for (size_t i = 0; i < method_count(); ++i) {
    if (method_name(i) == name) return wire_->execution_plan()->Get(static_cast<uint32_t>(i));
  }
  char others[256] = "";
  int length = 0;
  for (size_t i = 0; i < method_count() && length < static_cast<int>(sizeof(others)); ++i) {
    length += snprintf(others + length, sizeof(others) - static_cast<size_t>(length), "%s'%s'",
                       i == 0 ? "" : ", ", Printable(method_name(i)).c_str());
  }
  return Status::Error(StatusCode::kNotFound, "%s: no method '%s'; it has %s", this->name(),
                       Printable(name).c_str(), others);
}

Result<Program::PayloadBytes> Program::LoadPayload(bool is_inline, uint32_t index) const {
  PayloadBytes payload;
  if (!is_inline) {
    payload.offset = segment(index).offset;
    ONEPACK_ASSIGN_OR_RETURN(payload.buffer, source_->LoadWhole(segment(index)));
    return payload;
  }
  const auto* data = wire_->backend_delegate_data()->Get(index)->data();
  if (data == nullptr) return payload;
  payload.offset = static_cast<uint64_t>(data->data() - flatbuffer_->bytes().data());
  payload.buffer.bytes = {data->data(), data->size()};
  payload.buffer.owner = Ref<const RefCounted>::Share(this);
  return payload;
}

Result<Buffer> Program::LoadConstant(const wire::program::Tensor& tensor) const {
  ONEPACK_ASSIGN_OR_RETURN(const size_t size, VerifiedSizeBytes(LayoutOf(tensor)));
  const wire::program::SubsegmentOffsets* buffers = wire_->constant_segment();
  if (tensor.allocation_info() != nullptr) {
    const auto* info = tensor.extra_tensor_info();
    const uint64_t group = info != nullptr ? info->mutable_data_segments_idx() : 0;
    buffers = wire_->mutable_data_segments()->Get(static_cast<uint32_t>(group));
  }
  if (buffers != nullptr && CountOf(buffers->offsets()) > 0) {
    const uint64_t start = segment(buffers->segment_index()).offset;
    const uint64_t offset = buffers->offsets()->Get(tensor.data_buffer_idx());
    return source_->LoadWhole(Segment{start + offset, size});
  }
  Buffer buffer;
  const auto* storage = wire_->constant_buffer()->Get(tensor.data_buffer_idx())->storage();
  if (storage != nullptr) buffer.bytes = {storage->data(), storage->size()};
  return buffer;
}

Segment Program::segment(uint32_t index) const { return ProgramSegment(*wire_, header_, index); }

}  // namespace onepack
