// What several files have in common: keys that more than one program refers to, and keys that stand
// in more than one file.

#ifndef ONEPACK_TOOLS_SHARED_KEYS_H_
#define ONEPACK_TOOLS_SHARED_KEYS_H_

#include "tools/inspected_file.h"

namespace onepack {

// To standard output. A key is looked for in the program that refers to it, then in the data files.
Status PrintSharedKeys(const std::vector<InspectedFile>& files);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_SHARED_KEYS_H_
