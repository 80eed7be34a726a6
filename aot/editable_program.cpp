#include "aot/editable_program.h"

#include <algorithm>
#include <set>
#include <utility>

#include "aot/program_file.h"
#include "base/printable.h"
#include "runtime/program_contents.h"
#include "schema/verify_program.h"
#include "schema/verify_text.h"

namespace onepack {

namespace wire_edit = edit::program;

namespace {

constexpr char kXnnpack[] = "XnnpackBackend";
constexpr size_t kSegmentAlignment = 128;
constexpr size_t kHeaderSize = 32;

bool IsExternal(const wire_edit::TensorT& tensor) {
  return tensor.extra_tensor_info != nullptr &&
         tensor.extra_tensor_info->location == wire_edit::TensorDataLocation::EXTERNAL;
}

TensorLayout LayoutOf(const wire_edit::TensorT& tensor) {
  return {static_cast<ScalarType>(tensor.scalar_type), tensor.sizes, tensor.dim_order};
}

PtdTensorLayout OwnedLayoutOf(const wire_edit::TensorT& tensor) {
  return {static_cast<ScalarType>(tensor.scalar_type), tensor.sizes, tensor.dim_order};
}

bool IsInline(const wire_edit::BackendDelegateT& delegate) {
  return delegate.processed->location == wire_edit::DataLocation::INLINE;
}

template <typename Use>
void ForEachDelegate(wire_edit::ProgramT& tables, Use use) {
  for (const auto& plan : tables.execution_plan) {
    for (const auto& delegate : plan->delegates) use(*delegate);
  }
}

}  // namespace

Result<std::unique_ptr<EditableProgram>> EditableProgram::Open(const std::string& path,
                                                               const Watch& watch) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
  ONEPACK_ASSIGN_OR_RETURN(Ref<Program> program, Program::Open(source));
  std::unique_ptr<EditableProgram> editable(new EditableProgram(std::move(program)));
  // The same flatbuffer under another name.
  reinterpret_cast<const wire_edit::Program&>(ProgramContents(*editable->program_).wire())
      .UnPackTo(&editable->tables_);
  Status status = editable->ReadPayloads(watch);
  if (status.ok()) status = editable->ReadTensors(watch);
  if (!status.ok()) return std::move(status).WithContext("%s", editable->name());
  editable->ReadNamedData(watch);
  editable->ReadPayloadConstants();
  return editable;
}

DataBytes EditableProgram::BytesOfSegment(uint32_t index, const Watch& watch) const {
  return BytesOfSource(Ref<const DataSource>::Share(&program_->source()),
                       ProgramContents(*program_).segment(index), watch);
}

Status EditableProgram::ReadPayloads(const Watch& watch) {
  std::set<std::pair<bool, uint32_t>> known;
  for (const auto& plan : tables_.execution_plan) {
    for (size_t i = 0; i < plan->delegates.size(); ++i) {
      const wire_edit::BackendDelegateT& delegate = *plan->delegates[i];
      const bool is_inline = IsInline(delegate);
      const uint32_t index = delegate.processed->index;
      if (delegate.id != kXnnpack || !known.emplace(is_inline, index).second) continue;
      ONEPACK_ASSIGN_OR_RETURN(const ProgramContents::PayloadBytes place,
                               ProgramContents(*program_).LoadPayload(is_inline, index));
      auto payload = EditablePayload::Read(Ref<const DataSource>::Share(&program_->source()),
                                           {place.offset, place.buffer.bytes.size()}, watch);
      if (!payload.ok()) {
        return payload.TakeStatus().WithContext("method '%s': delegate %zu",
                                                Printable(plan->name).c_str(), i);
      }
      payloads_.push_back({is_inline, index, std::move(payload).value()});
    }
  }
  return Status::Ok();
}

void EditableProgram::ReadNamedData(const Watch& watch) {
  for (const NamedData& entry : program_->named_data()->entries()) {
    const DataBytes bytes =
        BytesOfSource(Ref<const DataSource>::Share(entry.source), entry.segment, watch);
    const std::string key(entry.key);
    named_data_[key] = {bytes, {entry.source, entry.segment.offset}};
    Home home;
    home.named = key;
    constants_.push_back({key, bytes, {}});
    homes_.push_back(std::move(home));
  }
}

void EditableProgram::ReadPayloadConstants() {
  for (size_t p = 0; p < payloads_.size(); ++p) {
    const auto& constants = payloads_[p].payload.constants();
    for (size_t i = 1; i < constants.size(); ++i) {
      if (!constants[i].key.empty()) continue;
      Home home;
      home.payload = p;
      home.index = i;
      constants_.push_back({{}, constants[i].bytes, {}});
      homes_.push_back(std::move(home));
    }
  }
}

std::vector<EditableProgram::TensorT*> EditableProgram::AllTensors() const {
  std::vector<TensorT*> tensors;
  for (const auto& plan : tables_.execution_plan) {
    for (const auto& value : plan->values) {
      TensorT* tensor = value->val.AsTensor();
      if (tensor != nullptr) tensors.push_back(tensor);
    }
  }
  return tensors;
}

Result<DataBytes> EditableProgram::TensorBytes(const TensorT& tensor, const Watch& watch) const {
  ONEPACK_ASSIGN_OR_RETURN(const size_t size, VerifiedSizeBytes(LayoutOf(tensor)));
  const auto* buffers = ProgramContents(*program_).wire().constant_segment();
  if (buffers != nullptr && CountOf(buffers->offsets()) > 0) {
    Segment range = ProgramContents(*program_).segment(buffers->segment_index());
    range.offset += buffers->offsets()->Get(tensor.data_buffer_idx);
    range.size = size;
    return BytesOfSource(Ref<const DataSource>::Share(&program_->source()), range, watch);
  }
  const Bytes storage = tables_.constant_buffer[tensor.data_buffer_idx]->storage;
  return DataBytes::Copied(storage.subspan(0, std::min(size, storage.size())));
}

// One constant for each way in which a buffer is read.
Status EditableProgram::ReadTensors(const Watch& watch) {
  std::map<uint32_t, size_t> buffers;                     // by their number in the file
  std::map<std::pair<size_t, std::string>, size_t> ways;  // of constants_
  for (TensorT* tensor : AllTensors()) {
    const bool is_constant = tensor->data_buffer_idx > 0 && tensor->allocation_info == nullptr;
    if (!is_constant || IsExternal(*tensor)) continue;
    ONEPACK_ASSIGN_OR_RETURN(DataBytes bytes, TensorBytes(*tensor, watch));
    const auto [buffer, is_new] = buffers.emplace(tensor->data_buffer_idx, buffers_.size());
    if (is_new) buffers_.emplace_back();
    DataBytes& largest = buffers_[buffer->second];
    if (bytes.size_bytes() > largest.size_bytes()) largest = bytes;
    buffer_of_[tensor] = buffer->second;

    const std::pair<size_t, std::string> way = {buffer->second,
                                                LayoutText(LayoutOf(*tensor)).c_str()};
    const auto [constant, is_new_way] = ways.emplace(way, constants_.size());
    if (is_new_way) {
      constants_.push_back({{}, std::move(bytes), OwnedLayoutOf(*tensor)});
      homes_.emplace_back();
    }
    homes_[constant->second].tensors.push_back(tensor);
  }
  return Status::Ok();
}

void EditableProgram::MoveOut(size_t constant, const std::string& key) {
  const Home& home = homes_[constant];
  if (!home.named.empty()) {
    named_data_.erase(home.named);
    return;
  }
  if (home.payload != SIZE_MAX) {
    payloads_[home.payload].payload.MoveOut(home.index, key);
    return;
  }
  for (TensorT* tensor : home.tensors) {
    buffer_of_.erase(tensor);
    tensor->data_buffer_idx = 0;
    if (tensor->extra_tensor_info == nullptr) {
      tensor->extra_tensor_info = std::make_unique<wire_edit::ExtraTensorInfoT>();
    }
    tensor->extra_tensor_info->location = wire_edit::TensorDataLocation::EXTERNAL;
    tensor->extra_tensor_info->fully_qualified_name = key;
  }
}

std::vector<std::string> EditableProgram::MissingKeys() const {
  std::set<std::string> keys;
  for (const DelegatePayload& payload : payloads_) {
    for (const EditablePayload::Constant& constant : payload.payload.constants()) {
      const bool is_missing = !constant.key.empty() && named_data_.count(constant.key) == 0;
      if (is_missing) keys.insert(constant.key);
    }
  }
  for (const TensorT* tensor : AllTensors()) {
    if (IsExternal(*tensor)) keys.insert(tensor->extra_tensor_info->fully_qualified_name);
  }
  return {keys.begin(), keys.end()};
}

Status EditableProgram::MoveInTensor(const NamedDataMap& data, TensorT& tensor,
                                     const Watch& watch) {
  const std::string key = tensor.extra_tensor_info->fully_qualified_name;
  const NamedData* found = program_->named_data()->Find(key);
  if (found == nullptr) found = data.Find(key);
  if (found == nullptr) {
    return Status::Error(StatusCode::kNotFound, "key '%s' is not in %s", Printable(key).c_str(),
                         data.names());
  }
  const TensorLayout expected = LayoutOf(tensor);
  ONEPACK_ASSIGN_OR_RETURN(const size_t needed, VerifiedSizeBytes(expected));
  const bool is_other = found->is_tensor && !SameLayout(found->layout, expected);
  if (is_other || found->segment.size < needed) {
    return Status::Error(
        StatusCode::kMismatch, "key '%s' in %s is not the %s that the program expects",
        Printable(key).c_str(), found->source->name(), LayoutText(expected).c_str());
  }
  if (tensor.allocation_info != nullptr) {
    return Status::Error(StatusCode::kUnsupported,
                         "key '%s' is the first value of what the program changes",
                         Printable(key).c_str());
  }
  buffer_of_[&tensor] = buffers_.size();
  buffers_.push_back(BytesOfSource(Ref<const DataSource>::Share(found->source),
                                   {found->segment.offset, needed}, watch));
  tensor.extra_tensor_info.reset();
  return Status::Ok();
}

Status EditableProgram::MoveIn(const NamedDataMap& data, const Watch& watch) {
  std::map<std::string, size_t> buffers;  // of keys that several tensors have
  for (TensorT* tensor : AllTensors()) {
    if (!IsExternal(*tensor)) continue;
    const std::string key = tensor->extra_tensor_info->fully_qualified_name;
    Status status = MoveInTensor(data, *tensor, watch);
    if (!status.ok()) return std::move(status).WithContext("%s", name());
    const auto [known, is_new] = buffers.emplace(key, buffer_of_[tensor]);
    if (is_new) continue;
    DataBytes& largest = buffers_[known->second];
    if (buffers_.back().size_bytes() > largest.size_bytes()) largest = buffers_.back();
    buffers_.pop_back();
    buffer_of_[tensor] = known->second;
  }
  for (const std::string& key : MissingKeys()) {
    const NamedData* found = data.Find(key);
    if (found == nullptr) {
      return Status::Error(StatusCode::kNotFound, "%s: key '%s' is not in %s", name(),
                           Printable(key).c_str(), data.names());
    }
    named_data_[key] = {
        BytesOfSource(Ref<const DataSource>::Share(found->source), found->segment, watch),
        {found->source, found->segment.offset}};
  }
  return Status::Ok();
}

void EditableProgram::EncodeConstants(SegmentList& segments) {
  BufferGroup group;
  std::map<size_t, uint32_t> numbers;
  for (const auto& [tensor, buffer] : buffer_of_) numbers.emplace(buffer, 0);
  for (auto& [buffer, number] : numbers) number = group.Add(buffers_[buffer]);
  for (const auto& [tensor, buffer] : buffer_of_) tensor->data_buffer_idx = numbers[buffer];
  tables_.constant_buffer.clear();
  tables_.constant_segment = std::make_unique<wire_edit::SubsegmentOffsetsT>();
  tables_.constant_segment->segment_index = segments.Add(group.ToSegment());
  tables_.constant_segment->offsets = group.offsets();
}

Status EditableProgram::EncodePayloads(SegmentList& segments) {
  std::map<uint32_t, uint32_t> numbers;  // from the file's to the new one
  for (const DelegatePayload& payload : payloads_) {
    if (!payload.payload.is_changed()) continue;
    const DataBytes encoded = payload.payload.Encode();
    if (payload.is_inline) {
      ONEPACK_ASSIGN_OR_RETURN(tables_.backend_delegate_data[payload.index]->data,
                               encoded.ToVector());
    } else {
      numbers[payload.index] = segments.Add(encoded);
    }
  }
  ForEachDelegate(tables_, [&](wire_edit::BackendDelegateT& delegate) {
    if (IsInline(delegate)) return;
    const auto [number, is_new] = numbers.emplace(delegate.processed->index, 0);
    if (is_new) number->second = segments.Add(BytesOfSegment(number->first, {}));
    delegate.processed->index = number->second;
  });
  for (const auto& group : tables_.mutable_data_segments) {
    if (group->offsets.empty()) {
      group->segment_index = 0;  // not read, and the file's was not verified
      continue;
    }
    group->segment_index = segments.Add(BytesOfSegment(group->segment_index, {}));
  }
  return Status::Ok();
}

void EditableProgram::EncodeNamedData(SegmentList& segments) {
  tables_.named_data.clear();
  std::map<std::pair<const DataSource*, uint64_t>, uint32_t> numbers;  // by origin
  for (const auto& [key, named] : named_data_) {
    const auto [number, is_new] = numbers.emplace(named.origin, 0);
    if (is_new) number->second = segments.Add(named.bytes);
    auto entry = std::make_unique<wire_edit::NamedDataT>();
    entry->key = key;
    entry->segment_index = number->second;
    tables_.named_data.push_back(std::move(entry));
  }
}

Status EditableProgram::Write(const Append& append) && {
  SegmentList segments(kSegmentAlignment);
  EncodeConstants(segments);
  ONEPACK_RETURN_IF_ERROR(EncodePayloads(segments));
  EncodeNamedData(segments);
  tables_.segments.clear();
  for (const SegmentList::PlacedSegment& segment : segments.segments()) {
    auto entry = std::make_unique<wire_edit::DataSegmentT>();
    entry->offset = segment.offset;
    entry->size = segment.bytes.size_bytes();
    tables_.segments.push_back(std::move(entry));
  }
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(wire_edit::CreateProgram(builder, &tables_), wire_edit::ProgramIdentifier());
  return WriteProgramFile(builder.GetBufferSpan(), segments, kHeaderSize, append);
}

}  // namespace onepack
