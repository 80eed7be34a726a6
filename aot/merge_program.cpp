#include "aot/merge_program.h"

#include <memory>
#include <utility>

#include "aot/editable_program.h"

namespace onepack {

Result<uint64_t> MergeProgram(const MergeOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(std::unique_ptr<EditableProgram> program,
                           EditableProgram::Open(options.program, options.watch));
  std::vector<Ref<NamedDataMap>> maps;
  for (const std::string& path : options.data) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> source, OpenMappedFile(path.c_str()));
    ONEPACK_ASSIGN_OR_RETURN(Ref<NamedDataMap> map, NamedDataMap::Open(source));
    maps.push_back(std::move(map));
  }
  ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> data, NamedDataMap::Merge(maps));
  ONEPACK_RETURN_IF_ERROR(program->MoveIn(*data, options.watch));
  OutputFiles files(options.existing);
  uint64_t size_bytes = 0;
  const auto write = [&](const Append& append) {
    return std::move(*program).Write([&](Bytes bytes) {
      size_bytes += bytes.size();
      return append(bytes);
    });
  };
  // It needs no data file any more.
  const auto read_back = [](const std::string& path) { return ReadBackProgramWith({}, {}, path); };
  ONEPACK_RETURN_IF_ERROR(files.Write(options.output, write, read_back));
  ONEPACK_RETURN_IF_ERROR(files.Commit());
  return size_bytes;
}

}  // namespace onepack
