#include "integrations/executorch/map_access.h"

#include <mutex>
#include <utility>

#include "base/printable.h"

namespace onepack {
namespace {

thread_local const MapAccess* in_call = nullptr;

}  // namespace

void MapAccess::Close() {
  const std::lock_guard<std::shared_mutex> lock(mutex_);
  is_open_ = false;
}

MapAccess::Call::Call(const MapAccess& access) : before_(std::exchange(in_call, &access)) {}

MapAccess::Call::~Call() { in_call = before_; }

Result<Bytes> MapAccess::BytesOf(const et::FreeableBuffer& buffer) {
  const et::Result<const void*> data = buffer.data_safe();
  if (!data.ok()) {
    return Status::Error(StatusCode::kUnsupported, "data in the memory of another processor");
  }
  return Bytes(static_cast<const uint8_t*>(*data), buffer.size());
}

Status MapAccess::CheckOpen(const std::string& key) const {
  if (map_ == nullptr) return NoMap(key);
  if (is_open_ || in_call == this) return Status::Ok();
  return Status::Error(StatusCode::kFailedPrecondition,
                       "key '%s' of another program, which is not being called",
                       Printable(key).c_str());
}

Status MapAccess::NoMap(std::string_view key) {
  return Status::Error(StatusCode::kNotFound, "key '%s': the program was loaded without named data",
                       Printable(key).c_str());
}

Status MapAccess::NoData(std::string_view key, et::Error error) {
  return Status::Error(error == et::Error::NotFound ? StatusCode::kNotFound : StatusCode::kIoError,
                       "key '%s': ExecuTorch's named data give %s", Printable(key).c_str(),
                       et::to_string(error));
}

}  // namespace onepack
