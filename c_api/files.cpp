#include <string>
#include <utility>
#include <vector>

#include "c_api/boundary.h"
#include "c_api/handles.h"

namespace onepack {
namespace {

// Bytes that an application has lent, and is told when they are not needed any more.
class LentMemory final : public DataSource {
 public:
  LentMemory(Bytes bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  ~LentMemory() override {
    if (release_ != nullptr) release_(context_);
  }

  // From now on the destructor gives the bytes back.
  void OwnBytes(void (*release)(void* context), void* context) {
    release_ = release;
    context_ = context;
  }

  const char* name() const override { return name_.c_str(); }
  uint64_t size() const override { return bytes_.size(); }
  bool is_mapped() const override { return true; }
  Result<Buffer> Load(const Segment& range) const override { return LoadFrom(bytes_, range); }

 private:
  const Bytes bytes_;
  const std::string name_;
  void (*release_)(void* context) = nullptr;
  void* context_ = nullptr;
};

}  // namespace

Result<Ref<NamedDataMap>> MergeData(onepack_data* const* data, size_t count) {
  if (count == 0) return Ref<NamedDataMap>();
  ONEPACK_RETURN_IF_ERROR(CheckGiven(data, "list of data files"));
  std::vector<Ref<NamedDataMap>> maps;
  for (size_t i = 0; i < count; ++i) {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(data[i], "data file"));
    maps.push_back(data[i]->map);
  }
  return count == 1 ? Result<Ref<NamedDataMap>>(maps[0]) : NamedDataMap::Merge(maps);
}

}  // namespace onepack

using onepack::CheckGiven;
using onepack::DataSource;
using onepack::GuardNew;
using onepack::LentMemory;
using onepack::NamedDataMap;
using onepack::Program;
using onepack::Ref;
using onepack::Result;

onepack_status onepack_source_open_part(const char* path, uint64_t offset, uint64_t size,
                                        onepack_source** source, char** message) {
  return GuardNew(source, message, [&]() -> Result<onepack_source> {
    ONEPACK_ASSIGN_OR_RETURN(auto opened, onepack::OpenMappedFilePart(path, {offset, size}));
    return onepack_source{std::move(opened)};
  });
}

onepack_status onepack_source_map_descriptor(int descriptor, uint64_t offset, uint64_t size,
                                             const char* name, onepack_source** source,
                                             char** message) {
  return GuardNew(source, message, [&]() -> Result<onepack_source> {
    ONEPACK_ASSIGN_OR_RETURN(auto mapped, onepack::MapFilePart(descriptor, {offset, size}, name));
    return onepack_source{std::move(mapped)};
  });
}

onepack_status onepack_source_wrap_memory(const void* bytes, size_t size, const char* name,
                                          void (*release)(void* context), void* context,
                                          onepack_source** source, char** message) {
  Ref<LentMemory> lent;
  const onepack_status status = GuardNew(source, message, [&]() -> Result<onepack_source> {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(bytes, "pointer to bytes"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(name, "name"));
    ONEPACK_ASSIGN_OR_RETURN(
        lent, onepack::MakeRef<LentMemory>(onepack::HeapAllocator(),
                                           onepack::Bytes(static_cast<const uint8_t*>(bytes), size),
                                           std::string(name)));
    return onepack_source{lent};
  });
  if (status == ONEPACK_OK) lent->OwnBytes(release, context);
  return status;
}

void onepack_source_release(onepack_source* source) { delete source; }

onepack_status onepack_program_open(const char* path, onepack_program** program, char** message) {
  return GuardNew(program, message, [&]() -> Result<onepack_program> {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> file, onepack::OpenMappedFile(path));
    ONEPACK_ASSIGN_OR_RETURN(auto opened, Program::Open(file));
    return onepack_program{std::move(opened)};
  });
}

onepack_status onepack_program_open_source(onepack_source* source, onepack_program** program,
                                           char** message) {
  return GuardNew(program, message, [&]() -> Result<onepack_program> {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(source, "source"));
    ONEPACK_ASSIGN_OR_RETURN(auto opened, Program::Open(source->source));
    return onepack_program{std::move(opened)};
  });
}

void onepack_program_release(onepack_program* program) { delete program; }

size_t onepack_program_method_count(const onepack_program* program) {
  return program == nullptr ? 0 : program->program->method_count();
}

const char* onepack_program_method_name(const onepack_program* program, size_t index) {
  if (index >= onepack_program_method_count(program)) return nullptr;
  // The verified file has a zero after each text.
  return program->program->method_name(index).data();
}

onepack_status onepack_data_open(const char* path, onepack_data** data, char** message) {
  return GuardNew(data, message, [&]() -> Result<onepack_data> {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> file, onepack::OpenMappedFile(path));
    ONEPACK_ASSIGN_OR_RETURN(auto opened, NamedDataMap::Open(file));
    return onepack_data{std::move(opened)};
  });
}

onepack_status onepack_data_open_source(onepack_source* source, onepack_data** data,
                                        char** message) {
  return GuardNew(data, message, [&]() -> Result<onepack_data> {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(source, "source"));
    ONEPACK_ASSIGN_OR_RETURN(auto opened, NamedDataMap::Open(source->source));
    return onepack_data{std::move(opened)};
  });
}

void onepack_data_release(onepack_data* data) { delete data; }
