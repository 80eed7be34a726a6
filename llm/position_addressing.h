// Whether a method keeps what it has read by position, as a KV cache does: then going back to an
// earlier position takes nothing, because whatever stands at later ones is written again before
// attention, which looks at earlier ones only, reads it.
//
// A program does not say so. But all that exporters let a method remember is changed by operators
// that change an argument, so each of those is looked at:
//
//   llama::update_cache, sdpa_with_kv_cache   write at a start position
//   aten::index_put_, and aten::copy_ of what aten::index_put, index_copy or slice_scatter made of
//   the same tensor                           write at indices
//
// and that position has to be the method's input, or made of it by selecting, reshaping,
// converting, or adding 0, 1, 2, ... A cache that wraps around computes a remainder of it, a
// recurrent state is copied as a whole, and a model that counts positions itself adds to a number
// of its own: none of them passes, and neither does an operator that is not known here.

#ifndef ONEPACK_LLM_POSITION_ADDRESSING_H_
#define ONEPACK_LLM_POSITION_ADDRESSING_H_

#include <string_view>

#include "onepack/program.h"
#include "onepack/status.h"

namespace onepack {

// `position_input`: which of the method's inputs is the position. Errors: kUnsupported names the
// instruction that does not pass. May throw std::bad_alloc. REQUIRES: such a method and input.
Status CheckPositionAddressed(const Program& program, std::string_view method,
                              size_t position_input);

}  // namespace onepack

#endif  // ONEPACK_LLM_POSITION_ADDRESSING_H_
