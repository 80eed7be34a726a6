#include "tools/data_holders.h"

#include <filesystem>

#include "base/printable.h"

namespace onepack {
namespace {

const InspectedFile* FindHolder(const InspectedFile& program,
                                const std::vector<const InspectedFile*>& files,
                                const std::string& key) {
  const auto stem = std::filesystem::path(program.path).stem();
  const InspectedFile* holder = nullptr;
  for (const InspectedFile* file : files) {
    if (file->program || file->named_data->Find(key) == nullptr) continue;
    if (std::filesystem::path(file->path).stem() == stem) return file;
    if (holder == nullptr) holder = file;
  }
  return holder;
}

}  // namespace

DataHolders FindDataHolders(const InspectedFile& program,
                            const std::vector<const InspectedFile*>& files) {
  DataHolders found;
  std::set<const InspectedFile*> holders;
  for (const std::string& key : program.keys) {
    if (program.named_data->Find(key) != nullptr) continue;
    const InspectedFile* holder = FindHolder(program, files, key);
    if (holder != nullptr) {
      holders.insert(holder);
      found.by_key[key] = holder;
    } else if (found.missing++ == 0) {
      found.first_missing = key;
    }
  }
  for (const InspectedFile* holder : holders) found.maps.push_back(holder->named_data);
  return found;
}

Status CheckNoneIsMissing(const DataHolders& holders) {
  if (holders.missing == 0) return Status::Ok();
  return Status::Error(StatusCode::kNotFound, "key '%s' (of %zu) is in none of the data files",
                       Printable(holders.first_missing).c_str(), holders.missing);
}

}  // namespace onepack
