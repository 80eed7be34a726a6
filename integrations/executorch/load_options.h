// The options of ExecuTorch's own XNNPACK backend, as this one takes them, and ours.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_LOAD_OPTIONS_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_LOAD_OPTIONS_H_

#include <string>

#include "integrations/executorch/executorch_api.h"
#include "onepack/linear_layout.h"
#include "onepack/result.h"
#include "onepack/status.h"

namespace onepack {

inline constexpr char kWeightCacheEnabled[] = "weight_cache_enabled";
inline constexpr char kWorkspaceSharingMode[] = "workspace_sharing_mode";
inline constexpr char kPackedCachePath[] = "packed_cache_path";
inline constexpr char kSaveWeightCacheOnDisk[] = "save_weight_cache_on_disk";
inline constexpr char kRetainedMebibytes[] = "retained_mebibytes";
inline constexpr char kLinears[] = "linears";

struct LoadOptions {
  // kWeightCacheEnabled: whether programs share packed weights.
  bool shares_weights = true;
  // kPackedCachePath: the packed file, empty for none.
  std::string packed_file;
  // kRetainedMebibytes (ours): packed weights that no program uses are kept up to so many.
  int retained_mebibytes = 0;
  // kLinears (ours): XnnpackBackendOptions::linears, named as `onepack --linears` has it.
  LinearLayout linears = LinearLayout::kAuto;
  // kWorkspaceSharingMode: kept to be told, and of no meaning: workspaces are shared by all that
  // does not run at the same time.
  int workspace_sharing_mode = 0;

  // Takes an option over; one that is not known is passed over, as ExecuTorch's backend does.
  // Errors: kInvalidArgument for a value of another type or out of range. May throw std::bad_alloc.
  Status Set(const et::BackendOption& option);
  // Writes what is set; leaves an option that is not known as it is.
  void Get(et::BackendOption& option) const;

  // Whether what is loaded with both shares one cache.
  bool HasSameCache(const LoadOptions& other) const {
    return shares_weights == other.shares_weights && packed_file == other.packed_file &&
           retained_mebibytes == other.retained_mebibytes;
  }
  // And one backend, over one thread pool: a cache may have a weight in both layouts.
  bool HasSameBackend(const LoadOptions& other) const {
    return HasSameCache(other) && linears == other.linears;
  }
};

// Whether kSaveWeightCacheOnDisk is set, to true: has what was packed so far written. False for any
// other option. Errors: kInvalidArgument for a value of another type.
Result<bool> AsksToSave(const et::BackendOption& option);

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_LOAD_OPTIONS_H_
