#include "onepack/context_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "base/endian.h"
#include "base/fd.h"
#include "base/new_file.h"
#include "base/sha256.h"
#include "llm/no_throw.h"

namespace onepack {
namespace {

constexpr char kMagic[] = "OPCX\r\n\x1a\n";
constexpr size_t kMagicSize = sizeof(kMagic) - 1;
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderSize = 96;
constexpr size_t kDigestSize = sizeof(Sha256);

struct Header {
  uint64_t file_size = 0;
  uint64_t tokens = 0;
  uint64_t memory_size = 0;
  uint64_t blocks = 0;
  uint64_t content_size = 0;
  uint32_t data_files = 0;
  uint32_t method_size = 0;
  Sha256 program{};

  // Of a file with these parts; false when no file has so many.
  bool FileSize(uint64_t* size) const {
    const uint64_t counts[][2] = {{data_files, kDigestSize}, {method_size, 1},
                                  {tokens, sizeof(int64_t)}, {blocks, sizeof(uint64_t)},
                                  {content_size, 1},         {1, kDigestSize}};
    *size = kHeaderSize;
    for (const auto& [count, each] : counts) {
      uint64_t bytes;
      if (!CheckedMultiply(count, each, &bytes) || !CheckedAdd(*size, bytes, size)) return false;
    }
    return true;
  }
};

std::array<uint8_t, kHeaderSize> Encode(const Header& header) {
  std::array<uint8_t, kHeaderSize> bytes{};
  memcpy(bytes.data(), kMagic, kMagicSize);
  StoreLittleEndian(kVersion, &bytes[8]);
  StoreLittleEndian(MethodState::kLayoutVersion, &bytes[12]);
  StoreLittleEndian(header.file_size, &bytes[16]);
  StoreLittleEndian(header.tokens, &bytes[24]);
  StoreLittleEndian(header.memory_size, &bytes[32]);
  StoreLittleEndian(header.blocks, &bytes[40]);
  StoreLittleEndian(header.content_size, &bytes[48]);
  StoreLittleEndian(header.data_files, &bytes[56]);
  StoreLittleEndian(header.method_size, &bytes[60]);
  memcpy(&bytes[64], header.program.data(), kDigestSize);
  return bytes;
}

Status Damaged(const char* what) { return Status::Error(StatusCode::kInvalidFile, "%s", what); }

Result<Header> Decode(Bytes bytes, uint64_t file_size) {
  if (memcmp(bytes.data(), kMagic, kMagicSize) != 0) return Damaged("no context of a model");
  const auto version = LoadLittleEndian<uint32_t>(&bytes[8]);
  const auto layout = LoadLittleEndian<uint32_t>(&bytes[12]);
  if (version != kVersion || layout != MethodState::kLayoutVersion) {
    return Status::Error(StatusCode::kUnsupported, "version %u of layout %u, %u of %u expected",
                         version, layout, kVersion, MethodState::kLayoutVersion);
  }
  Header header;
  header.file_size = LoadLittleEndian<uint64_t>(&bytes[16]);
  header.tokens = LoadLittleEndian<uint64_t>(&bytes[24]);
  header.memory_size = LoadLittleEndian<uint64_t>(&bytes[32]);
  header.blocks = LoadLittleEndian<uint64_t>(&bytes[40]);
  header.content_size = LoadLittleEndian<uint64_t>(&bytes[48]);
  header.data_files = LoadLittleEndian<uint32_t>(&bytes[56]);
  header.method_size = LoadLittleEndian<uint32_t>(&bytes[60]);
  memcpy(header.program.data(), &bytes[64], kDigestSize);
  uint64_t needed;
  if (!header.FileSize(&needed) || needed != header.file_size || needed != file_size) {
    return Status::Error(StatusCode::kInvalidFile,
                         "it has %llu bytes and says %llu, and its parts do not add up to that",
                         static_cast<unsigned long long>(file_size),
                         static_cast<unsigned long long>(header.file_size));
  }
  return header;
}

// Writes and digests.
class Writer {
 public:
  explicit Writer(NewFile& file) : file_(file) {}

  Status Add(Bytes bytes) {
    hasher_.Add(bytes);
    return file_.Append(bytes);
  }
  template <typename T>
  Status AddAll(Span<const T> items) {
    return Add({reinterpret_cast<const uint8_t*>(items.data()), items.size() * sizeof(T)});
  }
  Status Finish() {
    ONEPACK_ASSIGN_OR_RETURN(const Sha256 digest, hasher_.Finish());
    return file_.Append(digest);
  }

 private:
  NewFile& file_;
  Sha256Hasher hasher_;
};

Status WriteParts(const ModelDigest& model, const SavedContext& saved, NewFile& file) {
  Header header;
  header.tokens = saved.tokens.size();
  header.memory_size = saved.state->memory_size();
  header.blocks = saved.state->blocks().size();
  header.content_size = saved.state->contents().size();
  header.data_files = static_cast<uint32_t>(model.data.size());
  header.method_size = static_cast<uint32_t>(model.method.size());
  header.program = model.program;
  if (!header.FileSize(&header.file_size)) return Damaged("a context larger than any file");
  Writer writer(file);
  ONEPACK_RETURN_IF_ERROR(writer.Add(Encode(header)));
  ONEPACK_RETURN_IF_ERROR(writer.AddAll<Sha256>(model.data));
  ONEPACK_RETURN_IF_ERROR(writer.AddAll<char>(model.method));
  ONEPACK_RETURN_IF_ERROR(writer.AddAll<int64_t>(saved.tokens));
  ONEPACK_RETURN_IF_ERROR(writer.AddAll(saved.state->blocks()));
  ONEPACK_RETURN_IF_ERROR(writer.Add(saved.state->contents()));
  return writer.Finish();
}

// Reads and digests. Not a mapping: the bytes must not change after they were checked.
class Reader {
 public:
  explicit Reader(int descriptor) : descriptor_(descriptor) {}

  Status Get(Span<uint8_t> bytes) {
    ONEPACK_RETURN_IF_ERROR(Read(bytes));
    hasher_.Add(bytes);
    return Status::Ok();
  }
  template <typename T>
  Status GetAll(Span<T> items) {
    return Get({reinterpret_cast<uint8_t*>(items.data()), items.size() * sizeof(T)});
  }
  Status Finish() {
    Sha256 found;
    ONEPACK_RETURN_IF_ERROR(Read(found));
    ONEPACK_ASSIGN_OR_RETURN(const Sha256 expected, hasher_.Finish());
    return found == expected ? Status::Ok() : Damaged("its bytes are not those that were written");
  }

 private:
  Status Read(Span<uint8_t> bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = read(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return PosixError("reading it", errno);
      if (count == 0) return Damaged("it ends too early");
      const auto size = static_cast<size_t>(count);
      bytes = bytes.subspan(size, bytes.size() - size);
    }
    return Status::Ok();
  }

  const int descriptor_;
  Sha256Hasher hasher_;
};

struct Parts {
  ModelDigest model;
  std::vector<int64_t> tokens;
  uint64_t memory_size = 0;
  Array<uint64_t> blocks;
  Array<uint8_t> contents;
};

// No part is larger than the file is.
Result<Parts> ReadParts(int descriptor, uint64_t file_size) {
  Reader reader(descriptor);
  std::array<uint8_t, kHeaderSize> bytes;
  ONEPACK_RETURN_IF_ERROR(reader.Get(bytes));
  ONEPACK_ASSIGN_OR_RETURN(const Header header, Decode(bytes, file_size));
  Parts parts;
  parts.model.program = header.program;
  parts.model.data.resize(header.data_files);
  parts.model.method.resize(header.method_size);
  parts.tokens.resize(header.tokens);
  parts.memory_size = header.memory_size;
  ONEPACK_ASSIGN_OR_RETURN(parts.blocks, Array<uint64_t>::Create(HeapAllocator(), header.blocks));
  ONEPACK_ASSIGN_OR_RETURN(parts.contents,
                           Array<uint8_t>::Create(HeapAllocator(), header.content_size));
  ONEPACK_RETURN_IF_ERROR(reader.GetAll<Sha256>(parts.model.data));
  ONEPACK_RETURN_IF_ERROR(reader.GetAll<char>(parts.model.method));
  ONEPACK_RETURN_IF_ERROR(reader.GetAll<int64_t>(parts.tokens));
  ONEPACK_RETURN_IF_ERROR(reader.GetAll<uint64_t>(parts.blocks));
  ONEPACK_RETURN_IF_ERROR(reader.Get(parts.contents));
  ONEPACK_RETURN_IF_ERROR(reader.Finish());
  return parts;
}

Result<Parts> ReadFile(const char* path) {
  ONEPACK_ASSIGN_OR_RETURN(const Fd file, Fd::OpenForReading(path));
  struct stat info;
  if (fstat(file.get(), &info) != 0) return PosixError(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return Status::Error(StatusCode::kInvalidFile, "%s: no regular file", path);
  }
  auto parts = ReadParts(file.get(), static_cast<uint64_t>(info.st_size));
  if (!parts.ok()) return parts.TakeStatus().WithContext("%s", path);
  return parts;
}

Status CheckModel(const ModelDigest& found, const ModelDigest& expected) {
  const char* what = "with other data files, or another adapter";
  if (found.method != expected.method) what = "of another method";
  if (found.program != expected.program) what = "of another program";
  if (found == expected) return Status::Ok();
  return Status::Error(StatusCode::kMismatch, "a context of a model %s", what);
}

Status LoadInto(LanguageModel& model, Parts parts) {
  ONEPACK_ASSIGN_OR_RETURN(const ModelDigest digest, model.Digest());
  ONEPACK_RETURN_IF_ERROR(CheckModel(parts.model, digest));
  SavedContext saved;
  saved.tokens = std::move(parts.tokens);
  ONEPACK_ASSIGN_OR_RETURN(
      saved.state,
      model.StateOfParts(parts.memory_size, std::move(parts.blocks), std::move(parts.contents)));
  return model.Restore(saved);
}

}  // namespace

Status SaveContextFile(LanguageModel& model, const char* path) {
  if (path == nullptr) return Status::Error(StatusCode::kInvalidArgument, "a path that is null");
  return NoThrow([&]() -> Status {
    ONEPACK_ASSIGN_OR_RETURN(const SavedContext saved, model.Save());
    ONEPACK_ASSIGN_OR_RETURN(const ModelDigest digest, model.Digest());
    ONEPACK_ASSIGN_OR_RETURN(NewFile file, NewFile::Create(path));
    ONEPACK_RETURN_IF_ERROR(WriteParts(digest, saved, file));
    return file.Commit();
  });
}

Status LoadContextFile(LanguageModel& model, const char* path) {
  if (path == nullptr) return Status::Error(StatusCode::kInvalidArgument, "a path that is null");
  return NoThrow([&]() -> Status {
    ONEPACK_ASSIGN_OR_RETURN(Parts parts, ReadFile(path));
    Status status = LoadInto(model, std::move(parts));
    return status.ok() ? std::move(status) : std::move(status).WithContext("%s", path);
  });
}

}  // namespace onepack
