// What is run for one delegate, one stage after another: nodes that XNNPACK runs, or linears that
// run over their weights as they are stored.

#ifndef ONEPACK_DELEGATE_PLAN_STAGE_H_
#define ONEPACK_DELEGATE_PLAN_STAGE_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "delegate/ops/linear_node.h"

namespace onepack {

// What XNNPACK is shown of a value.
enum class Role : uint8_t {
  kUnused,    // nothing: no node of the stage has it, or only to pack it
  kExternal,  // the caller's, or it crosses from one stage to another
  kInPlace,   // a constant, which is read where it is
  kInternal,  // computed; XNNPACK takes the size from its inputs at each reshape
  kBounded,   // computed; XNNPACK is told the bound, and takes memory for it
  kUnread,    // written by a node that is needed for another output, and read by no node
};

// A value whose memory is not XNNPACK's.
struct StageExternal {
  uint32_t value_id = kNoValue;
  bool is_written = false;  // else it is only read
};

struct Linear {
  LinearNode node;     // its input are floats, also where the graph quantizes them first
  uint32_t index = 0;  // of the node in the graph
  size_t weight = 0;   // its number in Plan::weights
};

// It has either nodes or linears.
struct Stage {
  std::vector<Linear> linears;

  std::vector<uint32_t> nodes;  // that XNNPACK runs, in order
  std::vector<Role> roles;      // of all values of the graph, in the order of Plan::values
  // Those of Role::kExternal and kUnread. XNNPACK's external id of each is its number here.
  std::vector<StageExternal> externals;

  // Of either, in Plan::weights.
  size_t first_weight = 0;
  size_t weight_count = 0;
};

// A value between linears and others, or between two stages of XNNPACK's. Its memory is the
// method's for as long as one of the stages runs.
struct Crossing {
  uint32_t value_id = kNoValue;
  size_t element_bytes = 0;
  size_t first_stage = 0;  // that writes it
  size_t last_stage = 0;   // that reads it
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PLAN_STAGE_H_
