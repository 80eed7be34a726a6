// What an XNNPACK payload holds, counted.

#ifndef ONEPACK_TOOLS_PAYLOAD_SUMMARY_H_
#define ONEPACK_TOOLS_PAYLOAD_SUMMARY_H_

#include <map>
#include <set>
#include <string>

#include "delegate/plan/linears.h"
#include "onepack/result.h"
#include "onepack/span.h"

namespace onepack {

// The id of the delegates whose payloads these are.
inline constexpr char kXnnpackBackendId[] = "XnnpackBackend";

struct PayloadSummary {
  std::map<std::string, size_t> nodes;  // how many of each type: "FullyConnected"
  std::set<std::string> keys;           // of the constants that are named
  size_t inline_constants = 0;          // that the payload carries itself
  LinearSummary linears;                // where they are left to LinearLayout::kAuto
};

Result<PayloadSummary> SummarizePayload(Bytes payload);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_PAYLOAD_SUMMARY_H_
