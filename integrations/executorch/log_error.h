// Messages in ExecuTorch's log.

#ifndef ONEPACK_INTEGRATIONS_EXECUTORCH_LOG_ERROR_H_
#define ONEPACK_INTEGRATIONS_EXECUTORCH_LOG_ERROR_H_

#include <string_view>

#include "integrations/executorch/executorch_api.h"

namespace onepack {

// As an error. A line of the log has less than 256 characters: the rest of a longer message follows
// in lines of its own.
inline void LogError(std::string_view message) {
  constexpr size_t kLongest = 200;
  while (!message.empty()) {
    size_t size = message.size();
    if (size > kLongest) {
      const size_t space = message.rfind(' ', kLongest);
      size = space != std::string_view::npos && space > 0 ? space : kLongest;
    }
    ET_LOG(Error, "onepack: %.*s", static_cast<int>(size), message.data());
    message.remove_prefix(size < message.size() && message[size] == ' ' ? size + 1 : size);
  }
}

}  // namespace onepack

#endif  // ONEPACK_INTEGRATIONS_EXECUTORCH_LOG_ERROR_H_
