#include "schema/verify_flat_tensor.h"

#include "base/checked_math.h"
#include "base/printable.h"
#include "schema/sharing_budget.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

using wire::flat_tensor::FlatTensor;
using wire::flat_tensor::NamedData;

Status VerifySegments(const FlatTensor& data, const FlatTensorHeader& header) {
  for (size_t i = 0; i < CountOf(data.segments()); ++i) {
    const auto* segment = data.segments()->Get(static_cast<uint32_t>(i));
    if (!InRange(segment->offset(), segment->size(), header.segments.size)) {
      return Status::Error(StatusCode::kInvalidFile,
                           "segment %zu: %llu bytes at %llu, but %llu bytes hold all segments", i,
                           static_cast<unsigned long long>(segment->size()),
                           static_cast<unsigned long long>(segment->offset()),
                           static_cast<unsigned long long>(header.segments.size));
    }
  }
  return Status::Ok();
}

Status VerifyEntry(const FlatTensor& data, const NamedData& entry) {
  const size_t segments = CountOf(data.segments());
  if (entry.segment_index() >= segments) {
    return Status::Error(StatusCode::kInvalidFile, "segment %u of %zu", entry.segment_index(),
                         segments);
  }
  if (entry.tensor_layout() == nullptr) return Status::Ok();
  ONEPACK_ASSIGN_OR_RETURN(const size_t needed,
                           VerifiedSizeBytes(LayoutOf(*entry.tensor_layout())));
  const uint64_t available = data.segments()->Get(entry.segment_index())->size();
  if (needed > available) {
    return Status::Error(StatusCode::kInvalidFile, "%s needs %zu bytes, its segment has %llu",
                         LayoutText(LayoutOf(*entry.tensor_layout())).c_str(), needed,
                         static_cast<unsigned long long>(available));
  }
  return Status::Ok();
}

}  // namespace

Result<const FlatTensor*> VerifyFlatTensor(Bytes flatbuffer, const FlatTensorHeader& header) {
  if (!IsSoundFlatbuffer<FlatTensor>(flatbuffer)) {
    return Status::Error(StatusCode::kInvalidFile, "the directory of %zu bytes is damaged",
                         flatbuffer.size());
  }
  const auto* data = flatbuffers::GetRoot<FlatTensor>(flatbuffer.data());
  ONEPACK_RETURN_IF_ERROR(VerifySegments(*data, header));
  SharingBudget budget(flatbuffer);
  for (size_t i = 0; i < CountOf(data->named_data()); ++i) {
    const NamedData* entry = data->named_data()->Get(static_cast<uint32_t>(i));
    ONEPACK_RETURN_IF_ERROR(budget.Spend(entry->key()));
    if (!IsName(entry->key())) {
      return Status::Error(StatusCode::kInvalidFile, "named_data entry %zu has no usable key", i);
    }
    Status status = VerifyEntry(*data, *entry);
    if (!status.ok()) {
      return std::move(status).WithContext("key '%s'", Printable(TextOf(entry->key())).c_str());
    }
  }
  return data;
}

Segment FlatTensorSegment(const FlatTensor& data, const FlatTensorHeader& header, uint32_t index) {
  const auto* segment = data.segments()->Get(index);
  return Segment{header.segments.offset + segment->offset(), segment->size()};
}

TensorLayout LayoutOf(const wire::flat_tensor::TensorLayout& layout) {
  TensorLayout view;
  view.scalar_type = static_cast<ScalarType>(layout.scalar_type());
  if (layout.sizes() != nullptr) view.sizes = {layout.sizes()->data(), layout.sizes()->size()};
  if (layout.dim_order() != nullptr) {
    view.dim_order = {layout.dim_order()->data(), layout.dim_order()->size()};
  }
  return view;
}

}  // namespace onepack
