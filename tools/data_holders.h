// Which data files a program is to be loaded with.

#ifndef ONEPACK_TOOLS_DATA_HOLDERS_H_
#define ONEPACK_TOOLS_DATA_HOLDERS_H_

#include <stddef.h>

#include <map>
#include <string>
#include <vector>

#include "tools/inspected_file.h"

namespace onepack {

struct DataHolders {
  std::vector<Ref<NamedDataMap>> maps;  // that have a key which the program asks for
  std::map<std::string, const InspectedFile*> by_key;
  size_t missing = 0;  // keys that are in none of them
  std::string first_missing;
};

// Of programs and data files, in any order. Adapters may use the same keys for what is their own:
// a.ptd is asked first for what a.pte wants.
DataHolders FindDataHolders(const InspectedFile& program,
                            const std::vector<const InspectedFile*>& files);

// kNotFound names the first of the keys that are missing.
Status CheckNoneIsMissing(const DataHolders& holders);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_DATA_HOLDERS_H_
