#include "integrations/executorch/xnnpack_library.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <string>

#include "delegate/xnn/xnnpack.h"
#include "integrations/executorch/executorch_api.h"
#include "onepack/file_identity.h"

namespace onepack {
namespace {

constexpr char kXnnpack[] = "libexecutorch_backend_xnnpack.so";
constexpr char kThreadPool[] = "libexecutorch_threadpool.so";

// "" where it is not known.
std::string FileOf(const void* function) {
  Dl_info info{};
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

bool IsSameFile(const std::string& a, const std::string& b) {
  struct stat info_a, info_b;
  return stat(a.c_str(), &info_a) == 0 && stat(b.c_str(), &info_b) == 0 &&
         FileIdentity(info_a).IsSameFile(FileIdentity(info_b));
}

Status Refuse(const std::string& found, const std::string& wanted) {
  const bool is_namesake =
      found.substr(found.rfind('/') + 1) == wanted.substr(wanted.rfind('/') + 1);
  if (is_namesake) {
    return Status::Error(
        StatusCode::kFailedPrecondition,
        "built for the ExecuTorch that has %s, and another one runs, which has %s: "
        "build onepack's backend with -D ONEPACK_EXECUTORCH_DIR= the folder of the "
        "one that runs",
        found.c_str(), wanted.c_str());
  }
  return Status::Error(
      StatusCode::kFailedPrecondition,
      "two XNNPACKs in one process: %s answers, and the ExecuTorch that runs has another one, %s, "
      "with other structures under the same names. Load or link ExecuTorch's libraries before that "
      "library, or open that one without RTLD_GLOBAL",
      found.c_str(), wanted.c_str());
}

}  // namespace

Status CheckXnnpackLibrary() {
  const std::string runtime = FileOf(reinterpret_cast<const void*>(&et::register_backend));
  const std::string folder = runtime.substr(0, runtime.rfind('/') + 1);
  const std::string wanted = folder + kXnnpack;
  const void* const functions[] = {reinterpret_cast<const void*>(&xnn_initialize),
                                   reinterpret_cast<const void*>(&xnn_create_runtime_v4),
                                   reinterpret_cast<const void*>(&xnn_reshape_runtime),
                                   reinterpret_cast<const void*>(&xnn_define_fully_connected),
                                   reinterpret_cast<const void*>(&xnn_define_unary)};
  for (const void* function : functions) {
    const std::string found = FileOf(function);
    if (!IsSameFile(wanted, found)) return Refuse(found, wanted);
  }
  const std::string pool = FileOf(reinterpret_cast<const void*>(&pthreadpool_create));
  if (!IsSameFile(folder + kThreadPool, pool)) return Refuse(pool, folder + kThreadPool);
  return Status::Ok();
}

}  // namespace onepack
