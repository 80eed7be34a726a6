#include "integrations/executorch/xnnpack_library.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <string>

#include "delegate/xnn/xnnpack.h"
#include "integrations/executorch/executorch_api.h"

namespace onepack {
namespace {

// "" where it is not known.
std::string FileOf(const void* function) {
  Dl_info info{};
  return dladdr(function, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

bool IsSameFile(const std::string& a, const std::string& b) {
  struct stat info_a, info_b;
  return stat(a.c_str(), &info_a) == 0 && stat(b.c_str(), &info_b) == 0 &&
         info_a.st_dev == info_b.st_dev && info_a.st_ino == info_b.st_ino;
}

}  // namespace

Status CheckXnnpackLibrary() {
  const std::string runtime = FileOf(reinterpret_cast<const void*>(&et::register_backend));
  const std::string wanted =
      runtime.substr(0, runtime.rfind('/') + 1) + "libexecutorch_backend_xnnpack.so";
  const std::string found = FileOf(reinterpret_cast<const void*>(&xnn_create_runtime_v4));
  if (IsSameFile(wanted, found)) return Status::Ok();
  return Status::Error(
      StatusCode::kFailedPrecondition,
      "two XNNPACKs in one process: %s answers, and the ExecuTorch that runs has another one, %s, "
      "with other structures under the same names. Load or link this ExecuTorch's libraries "
      "before that library, or open that one without RTLD_GLOBAL",
      found.c_str(), wanted.c_str());
}

}  // namespace onepack
