#include "integrations/executorch/loaded_delegate.h"

#include <mutex>
#include <string>
#include <utility>

#include "integrations/executorch/data_scope.h"
#include "integrations/executorch/payload_source.h"

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

// Where the bytes of a delegate are.
struct PayloadPlace {
  Ref<DataSource> source;
  Segment segment;
  std::shared_ptr<const MappedFile> file;  // null: on the heap
};

Result<PayloadPlace> PlaceOf(et::FreeableBuffer& processed, MappedFiles& files) {
  ONEPACK_ASSIGN_OR_RETURN(const Bytes bytes, MapAccess::BytesOf(processed));
  if (const auto place = FindFilePlace(bytes.data(), bytes.size())) {
    if (auto file = files.Open(*place)) {
      processed.Free();
      const Ref<DataSource> source = file->source;
      return PayloadPlace{source, {place->offset, bytes.size()}, std::move(file)};
    }
  }
  ONEPACK_ASSIGN_OR_RETURN(
      Ref<PayloadSource> source,
      MakeRef<PayloadSource>(HeapAllocator(), et::FreeableBuffer(std::move(processed)), bytes));
  return PayloadPlace{source, {0, bytes.size()}, nullptr};
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
  ONEPACK_ASSIGN_OR_RETURN(const PayloadPlace place, PlaceOf(processed, files));
  const et::NamedDataMap* const map = context.get_named_data_map();
  loaded->access_ = std::make_shared<MapAccess>(map);
  const Closing closing(*loaded->access_);
  DataScope scope(map, loaded->access_, files, place.file == nullptr);

  DelegateRequest request;
  request.source = place.source.get();
  request.payload_offset = place.segment.offset;
  ONEPACK_ASSIGN_OR_RETURN(request.payload, place.source->LoadWhole(place.segment));
  request.named_data = &scope;
  const std::vector<CompileSpec> ours = SpecsOf(specs);
  request.compile_specs = {ours.data(), ours.size()};
  {
    const std::lock_guard<std::mutex> lock(loaded->group_->mutex);
    ONEPACK_RETURN_IF_ERROR(
        loaded->group_->session->LoadDelegates({&request, 1}, {&loaded->delegate_, 1}));
  }
  loaded->files_ = scope.TakeOpenFiles();
  if (place.file != nullptr) loaded->files_.push_back(place.file);
  return loaded;
}

LoadedDelegate::~LoadedDelegate() {
  if (!delegate_) return;
  const std::lock_guard<std::mutex> lock(group_->mutex);
  delegate_ = nullptr;
}

Status LoadedDelegate::Execute(et::Span<et::EValue*> values) {
  ONEPACK_ASSIGN_OR_RETURN(const Span<Value* const> arguments, arguments_.Take(values));
  const MapAccess::Call call(access_.get());
  const std::lock_guard<std::mutex> lock(group_->mutex);
  return delegate_->Execute(arguments);
}

}  // namespace onepack
