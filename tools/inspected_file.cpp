#include "tools/inspected_file.h"

#include <utility>

#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/identifier.h"
#include "schema/verify_program.h"
#include "schema/verify_text.h"
#include "tools/payload_summary.h"

namespace onepack {
namespace {

using wire::program::BackendDelegate;
using wire::program::ExecutionPlan;

// How often the delegates of a file may have the same payload, and keys the same bytes, in the
// mean.
constexpr uint64_t kMaxTimesShared = 16;

Status AddDelegateKeys(const Program& program, const BackendDelegate& delegate,
                       uint64_t& payload_bytes, std::set<std::string>& keys) {
  if (TextOf(delegate.id()) != kXnnpackBackendId) return Status::Ok();
  const bool is_inline = delegate.processed()->location() == wire::program::DataLocation::INLINE;
  ONEPACK_ASSIGN_OR_RETURN(
      const ProgramContents::PayloadBytes payload,
      ProgramContents(program).LoadPayload(is_inline, delegate.processed()->index()));
  payload_bytes += payload.buffer.bytes.size();
  if (payload_bytes / kMaxTimesShared > program.source().size()) {
    return Status::Error(StatusCode::kInvalidFile,
                         "payloads of %llu bytes so far in a file of %llu",
                         static_cast<unsigned long long>(payload_bytes),
                         static_cast<unsigned long long>(program.source().size()));
  }
  ONEPACK_ASSIGN_OR_RETURN(PayloadSummary summary, SummarizePayload(payload.buffer.bytes));
  keys.merge(summary.keys);
  return Status::Ok();
}

void AddExternalTensorKeys(const ExecutionPlan& plan, std::set<std::string>& keys) {
  for (size_t i = 0; i < CountOf(plan.values()); ++i) {
    const auto* tensor = plan.values()->Get(static_cast<uint32_t>(i))->val_as_Tensor();
    if (tensor == nullptr || !IsExternal(*tensor)) continue;
    keys.emplace(TextOf(tensor->extra_tensor_info()->fully_qualified_name()));
  }
}

Result<std::set<std::string>> KeysOf(const Program& program) {
  std::set<std::string> keys;
  uint64_t payload_bytes = 0;
  for (size_t m = 0; m < program.method_count(); ++m) {
    const auto* plan =
        ProgramContents(program).wire().execution_plan()->Get(static_cast<uint32_t>(m));
    AddExternalTensorKeys(*plan, keys);
    for (size_t i = 0; i < CountOf(plan->delegates()); ++i) {
      Status status = AddDelegateKeys(program, *plan->delegates()->Get(static_cast<uint32_t>(i)),
                                      payload_bytes, keys);
      if (!status.ok()) {
        return std::move(status).WithContext("%s: method '%s': delegate %zu", program.name(),
                                             Printable(program.method_name(m)).c_str(), i);
      }
    }
  }
  return keys;
}

// A file's four letters; empty when it is too short for them.
Result<std::string> IdentifierOf(const DataSource& source) {
  const uint64_t head_size = kIdentifierOffset + kIdentifierSize;
  if (source.size() < head_size) return std::string();
  ONEPACK_ASSIGN_OR_RETURN(const Buffer head, source.LoadWhole(Segment{0, head_size}));
  return std::string(IdentifierAt(head.bytes, kIdentifierOffset));
}

}  // namespace

Status CheckDataCanBeRead(const InspectedFile& file) {
  std::set<std::pair<uint64_t, uint64_t>> segments;
  uint64_t bytes = 0;
  for (const NamedData& entry : file.named_data->entries()) {
    if (!entry.source->has_bytes()) continue;
    if (!segments.emplace(entry.segment.offset, entry.segment.size).second) continue;
    bytes += entry.segment.size;  // of less than 2^31 keys, each inside the file
    if (bytes / kMaxTimesShared <= file.size_bytes) continue;
    return Status::Error(StatusCode::kInvalidFile,
                         "%s: segments that overlap: %llu bytes so far in a file of %llu",
                         file.path.c_str(), static_cast<unsigned long long>(bytes),
                         static_cast<unsigned long long>(file.size_bytes));
  }
  return Status::Ok();
}

Result<InspectedFile> OpenToInspect(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
  return OpenToInspect(source);
}

Result<InspectedFile> OpenToInspect(const Ref<DataSource>& source) {
  const std::string path = source->name();
  InspectedFile file;
  file.path = path;
  file.size_bytes = source->size();
  ONEPACK_ASSIGN_OR_RETURN(const std::string identifier, IdentifierOf(*source));
  if (identifier == "FT01") {
    ONEPACK_ASSIGN_OR_RETURN(file.named_data, NamedDataMap::Open(source));
    return file;
  }
  if (identifier != "ET12" && identifier != "BP08") {
    return Status::Error(StatusCode::kInvalidFile,
                         "%s: neither a program (.pte, .bpte) nor a data file (.ptd)",
                         source->name());
  }
  ONEPACK_ASSIGN_OR_RETURN(const ProgramFile program, OpenProgramFile(source));
  file.bundle = program.bundle;
  ONEPACK_ASSIGN_OR_RETURN(file.program, Program::Open(program.program));
  file.named_data = file.program->named_data();
  ONEPACK_ASSIGN_OR_RETURN(file.keys, KeysOf(*file.program));
  return file;
}

}  // namespace onepack
