// Lists without items, where strict readers want them.
//
// The flatbuffers library aligns a list for the items that it has, so one of 8-byte items that has
// none may start at any multiple of four. Most readers do not mind; some look for the alignment of
// every list.

#ifndef ONEPACK_AOT_ALIGN_EMPTY_LISTS_H_
#define ONEPACK_AOT_ALIGN_EMPTY_LISTS_H_

#include <stdint.h>

#include <vector>

namespace onepack {

// Gives all such lists of a program's flatbuffer one aligned list, at its end.
void AlignEmptyLists(std::vector<uint8_t>& flatbuffer);

}  // namespace onepack

#endif  // ONEPACK_AOT_ALIGN_EMPTY_LISTS_H_
