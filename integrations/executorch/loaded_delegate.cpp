#include "integrations/executorch/loaded_delegate.h"

#include <mutex>
#include <string>
#include <utility>

#include "integrations/executorch/data_scope.h"
#include "integrations/executorch/payload_source.h"
#include "schema/payload_header.h"

namespace onepack {
namespace {

// Closes the access when init ends, however it ends.
class Closing {
 public:
  explicit Closing(MapAccess& access) : access_(access) {}
  ~Closing() { access_.Close(); }
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;

 private:
  MapAccess& access_;
};

// The bytes of a delegate.
struct DelegateBytes {
  Ref<DataSource> source;
  Segment segment;
  std::shared_ptr<const MappedFile> file;  // null: they are not read from one
};

// Of a payload that is sound. Older exporters wrote it without a header and with all in the graph.
bool HasConstants(Bytes payload) {
  auto header = ParsePayloadHeader(payload);
  return header.ok() &&
         (header->constant_data.size > 0 || header->flatbuffer.size == payload.size());
}

// A graph is copied and let go of. Constants beside it may be used where they are, and are shared
// by what is loaded from the same file.
Result<DelegateBytes> BytesOf(et::FreeableBuffer& processed, Bytes bytes, MappedFiles& files,
                              FilePlaces& places) {
  const auto place = HasConstants(bytes) ? places.Find(bytes.data(), bytes.size()) : std::nullopt;
  if (auto file = place ? files.Open(*place) : nullptr) {
    const Ref<DataSource> source = file->source;
    return DelegateBytes{source, {place->offset, bytes.size()}, std::move(file)};
  }
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<PayloadSource> source,
      MakeRef<PayloadSource>(HeapAllocator(), et::FreeableBuffer(std::move(processed)), bytes));
  return DelegateBytes{source, {0, bytes.size()}, nullptr};
}

Status NamingTheFile(Status status, Bytes payload, FilePlaces& places) {
  const auto place = places.Find(payload.data(), payload.size());
  return place ? std::move(status).WithContext("%s", place->path.c_str()) : std::move(status);
}

std::vector<CompileSpec> SpecsOf(et::ArrayRef<et::CompileSpec> specs) {
  std::vector<CompileSpec> ours;
  for (const et::CompileSpec& spec : specs) {
    ours.push_back({spec.key, {static_cast<const uint8_t*>(spec.value.buffer), spec.value.nbytes}});
  }
  return ours;
}

}  // namespace

Result<std::unique_ptr<LoadedDelegate>> LoadedDelegate::Load(et::BackendInitContext& context,
                                                             et::FreeableBuffer& processed,
                                                             et::ArrayRef<et::CompileSpec> specs,
                                                             Backend& backend, MappedFiles& files) {
  std::unique_ptr<LoadedDelegate> loaded(new LoadedDelegate());
  ONEPACK_ASSIGN_OR_RETURN(loaded->group_, MethodGroup::Of(context, backend));
  ONEPACK_ASSIGN_OR_RETURN(const Bytes bytes, MapAccess::BytesOf(processed));
  FilePlaces places;
  ONEPACK_ASSIGN_OR_RETURN(const DelegateBytes payload, BytesOf(processed, bytes, files, places));
  const et::NamedDataMap* const map = context.get_named_data_map();
  loaded->access_ = std::make_shared<MapAccess>(map);
  const Closing closing(*loaded->access_);
  DataScope scope(map, loaded->access_, bytes, files, places);

  DelegateRequest request;
  request.source = payload.source.get();
  request.payload_offset = payload.segment.offset;
  ONEPACK_ASSIGN_OR_RETURN(request.payload, payload.source->LoadWhole(payload.segment));
  request.named_data = &scope;
  const std::vector<CompileSpec> ours = SpecsOf(specs);
  request.compile_specs = {ours.data(), ours.size()};
  {
    const std::unique_lock<std::mutex> lock = loaded->group_->Claim();
    Status status = loaded->group_->session().LoadDelegates({&request, 1}, {&loaded->delegate_, 1});
    if (!status.ok()) return NamingTheFile(std::move(status), bytes, places);
  }
  processed.Free();
  loaded->files_ = scope.TakeOpenFiles();
  if (payload.file != nullptr) loaded->files_.push_back(payload.file);
  return loaded;
}

LoadedDelegate::~LoadedDelegate() {
  if (!delegate_) return;
  // In a child whose parent was running it, nobody is.
  const std::unique_lock<std::mutex> lock = group_->Claim();
  delegate_ = nullptr;
}

Status LoadedDelegate::Execute(et::Span<et::EValue*> values) {
  const std::unique_lock<std::mutex> lock = group_->Claim();
  if (!lock.owns_lock()) {
    return Status::Error(StatusCode::kFailedPrecondition,
                         "this process was forked off while the method ran: load it again");
  }
  ONEPACK_ASSIGN_OR_RETURN(const Span<Value* const> arguments, arguments_.Take(values));
  const MapAccess::Call call(*access_);
  ONEPACK_RETURN_IF_ERROR(delegate_->Execute(arguments));
  arguments_.Accept();
  return Status::Ok();
}

}  // namespace onepack
