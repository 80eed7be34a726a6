#include "onepack/program.h"

#include "runtime/program_contents.h"
#include "runtime/shared_copy.h"
#include "schema/program_header.h"
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

Result<const wire::program::Program*> Verify(const SharedCopy& copy, const ProgramHeader& header) {
  const uint64_t segment_bytes = header.segment_end - header.segment_base;
  if (copy.IsVerifiedFor(segment_bytes)) return wire::program::GetProgram(copy.bytes().data());
  ONEPACK_ASSIGN_OR_RETURN(const wire::program::Program* wire, VerifyProgram(copy.bytes(), header));
  copy.SetVerifiedFor(segment_bytes);
  return wire;
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
  ONEPACK_ASSIGN_OR_RETURN(const Ref<const SharedCopy> copy,
                           SharedCopy::Of(bytes.bytes, allocator));
  // Reading the flatbuffer brought the pages around it along, also segments that may never be used.
  source->Discard(Segment{0, source->size()});
  ONEPACK_ASSIGN_OR_RETURN(const wire::program::Program* wire, Verify(*copy, header));
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<Program> program,
      MakeRef<Program>(allocator, Program::Parts{source, copy, copy->bytes().data(), wire,
                                                 header.segment_base}));
  ONEPACK_RETURN_IF_ERROR(program->IndexNamedData(allocator));
  return program;
}

Status Program::IndexNamedData(const Allocator& allocator) {
  const ProgramContents contents(*this);
  ONEPACK_ASSIGN_OR_RETURN(Array<NamedData> entries,
                           Array<NamedData>::Create(allocator, CountOf(parts_.wire->named_data())));
  for (size_t i = 0; i < entries.size(); ++i) {
    const auto* named = parts_.wire->named_data()->Get(static_cast<uint32_t>(i));
    entries[i].key = TextOf(named->key());
    entries[i].source = parts_.source.get();
    entries[i].segment = contents.segment(named->segment_index());
  }
  ONEPACK_ASSIGN_OR_RETURN(auto owners, Array<Ref<const RefCounted>>::Create(allocator, 2));
  owners[0] = parts_.flatbuffer_owner;
  owners[1] = parts_.source;
  ONEPACK_ASSIGN_OR_RETURN(
      named_data_, NamedDataMap::Create(std::move(entries), std::move(owners), name(), allocator));
  return Status::Ok();
}

size_t Program::method_count() const { return parts_.wire->execution_plan()->size(); }

std::string_view Program::method_name(size_t index) const {
  return TextOf(parts_.wire->execution_plan()->Get(static_cast<uint32_t>(index))->name());
}

}  // namespace onepack
