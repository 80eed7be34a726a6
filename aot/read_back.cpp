#include "aot/read_back.h"

#include <algorithm>
#include <memory>

#include "aot/editable_program.h"
#include "base/printable.h"
#include "onepack/named_data_map.h"

namespace onepack {
namespace {

Result<Ref<NamedDataMap>> OpenDataFile(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
  return NamedDataMap::Open(source);
}

}  // namespace

Status ReadBackProgram(const std::string& path) {
  auto program = EditableProgram::Open(path, {});
  return program.ok() ? Status::Ok() : program.TakeStatus();
}

Status ReadBackProgramWith(const std::vector<std::string>& data,
                           const std::vector<std::string>& missing, const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<EditableProgram> program,
                           EditableProgram::Open(path, {}));
  std::vector<Ref<NamedDataMap>> maps;
  for (const std::string& file : data) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, OpenDataFile(file));
    maps.push_back(std::move(map));
  }
  for (const std::string& key : program->MissingKeys()) {
    const auto has_key = [&](const Ref<NamedDataMap>& map) { return map->Find(key) != nullptr; };
    if (std::any_of(maps.begin(), maps.end(), has_key)) continue;
    if (std::find(missing.begin(), missing.end(), key) != missing.end()) continue;
    return Status::Error(StatusCode::kInvalidFile, "key '%s' is in none of its data files",
                         Printable(key).c_str());
  }
  return Status::Ok();
}

Status ReadBackDataFile(const std::string& path) {
  auto map = OpenDataFile(path);
  return map.ok() ? Status::Ok() : map.TakeStatus();
}

}  // namespace onepack
