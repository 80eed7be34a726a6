// When ExecuTorch's named data may be asked for bytes.
//
// A map belongs to the program that is loaded with it, and may be gone before the program's
// delegates are destroyed. So it is asked only while ExecuTorch is inside a call to one of these:
// from any thread during init, from the calling thread during execute.
//
// Threads: any.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_MAP_ACCESS_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_MAP_ACCESS_H_

#include <shared_mutex>
#include <string>
#include <string_view>

#include "integrations/executorch/executorch_api.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

class MapAccess {
 public:
  // Null for a program without named data. Open, as it is during init.
  explicit MapAccess(const et::NamedDataMap* map) : map_(map) {}

  // Init ends: waits for who is reading.
  void Close();

  // While it lives, this thread may read: it is in execute.
  class Call {
   public:
    explicit Call(const MapAccess& access);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    const MapAccess* const before_;
  };

  // Calls `use` with the bytes, which are valid until it returns.
  // Errors: what `use` returns; kFailedPrecondition where the map may not be asked now; kNotFound
  // and kIoError name the key.
  template <typename Use>
  Status Read(const std::string& key, Use use) const {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    ONEPACK_RETURN_IF_ERROR(CheckOpen(key));
    auto data = map_->get_data(key);
    if (!data.ok()) return NoData(key, data.error());
    ONEPACK_ASSIGN_OR_RETURN(const Bytes bytes, BytesOf(*data));
    return use(bytes);
  }

  // Why there are none: the program was loaded without, or ExecuTorch says so.
  static Status NoMap(std::string_view key);
  static Status NoData(std::string_view key, et::Error error);

  // What ExecuTorch has in memory, where this process can read it. Errors: kUnsupported.
  static Result<Bytes> BytesOf(const et::FreeableBuffer& buffer);

 private:
  Status CheckOpen(const std::string& key) const;

  const et::NamedDataMap* const map_;
  mutable std::shared_mutex mutex_;
  bool is_open_ = true;  // guarded by it
};

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_MAP_ACCESS_H_
