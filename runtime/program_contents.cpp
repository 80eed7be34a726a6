#include "runtime/program_contents.h"

#include <stdio.h>

#include "base/printable.h"
#include "schema/verify_program.h"
#include "schema/verify_text.h"

namespace onepack {

Result<const wire::program::ExecutionPlan*> ProgramContents::FindMethod(
    std::string_view name) const {
  for (size_t i = 0; i < program_.method_count(); ++i) {
    if (program_.method_name(i) == name)
      return wire().execution_plan()->Get(static_cast<uint32_t>(i));
  }
  char others[256] = "";
  int length = 0;
  for (size_t i = 0; i < program_.method_count() && length < static_cast<int>(sizeof(others));
       ++i) {
    length += snprintf(others + length, sizeof(others) - static_cast<size_t>(length), "%s'%s'",
                       i == 0 ? "" : ", ", Printable(program_.method_name(i)).c_str());
  }
  return Status::Error(StatusCode::kNotFound, "%s: no method '%s'; it has %s", program_.name(),
                       Printable(name).c_str(), others);
}

Result<ProgramContents::PayloadBytes> ProgramContents::LoadPayload(bool is_inline,
                                                                   uint32_t index) const {
  PayloadBytes payload;
  if (!is_inline) {
    payload.offset = segment(index).offset;
    ONEPACK_ASSIGN_OR_RETURN(payload.buffer, program_.parts_.source->LoadWhole(segment(index)));
    return payload;
  }
  const auto* data = wire().backend_delegate_data()->Get(index)->data();
  if (data == nullptr) return payload;
  payload.offset = static_cast<uint64_t>(data->data() - program_.parts_.flatbuffer);
  payload.buffer.bytes = {data->data(), data->size()};
  payload.buffer.owner = Ref<const RefCounted>::Share(&program_);
  return payload;
}

Result<Buffer> ProgramContents::LoadConstant(const wire::program::Tensor& tensor) const {
  ONEPACK_ASSIGN_OR_RETURN(const size_t size, VerifiedSizeBytes(LayoutOf(tensor)));
  const wire::program::SubsegmentOffsets* buffers = wire().constant_segment();
  if (tensor.allocation_info() != nullptr) {
    const auto* info = tensor.extra_tensor_info();
    const uint64_t group = info != nullptr ? info->mutable_data_segments_idx() : 0;
    buffers = wire().mutable_data_segments()->Get(static_cast<uint32_t>(group));
  }
  if (buffers != nullptr && CountOf(buffers->offsets()) > 0) {
    const uint64_t start = segment(buffers->segment_index()).offset;
    const uint64_t offset = buffers->offsets()->Get(tensor.data_buffer_idx());
    return program_.parts_.source->LoadWhole(Segment{start + offset, size});
  }
  Buffer buffer;
  const auto* storage = wire().constant_buffer()->Get(tensor.data_buffer_idx())->storage();
  if (storage != nullptr) buffer.bytes = {storage->data(), storage->size()};
  return buffer;
}

Segment ProgramContents::segment(uint32_t index) const {
  return ProgramSegment(wire(), program_.parts_.segment_base, index);
}

}  // namespace onepack
