#include "weight_cache/packed_file/reader.h"

#include <errno.h>
#include <fcntl.h>

#include <new>
#include <optional>

#include "base/rounding.h"

namespace onepack {
namespace {

// kInvalidFile when there are fewer.
Status ReadAllAt(int descriptor, uint64_t offset, Span<uint8_t> bytes) {
  const std::optional<size_t> done = ReadAt(descriptor, offset, bytes);
  if (!done) return PosixError("reading", errno);
  if (*done == bytes.size()) return Status::Ok();
  return Status::Error(StatusCode::kInvalidFile, "it ends at %llu, %zu more bytes expected",
                       static_cast<unsigned long long>(offset + *done), bytes.size() - *done);
}

}  // namespace

Result<Fd> OpenPackedFile(const char* path, int flags) {
  ONEPACK_ASSIGN_OR_RETURN(Fd file, Fd::Open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  auto info = StatRegularFile(file.get(), path);
  if (!info.ok()) return info.TakeStatus();
  return file;
}

Result<std::shared_ptr<const PackedFileReader>> PackedFileReader::Open(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Fd file, OpenPackedFile(path.c_str(), O_RDONLY));
  return Of(file.get(), path);
}

Result<std::shared_ptr<const PackedFileReader>> PackedFileReader::Of(int descriptor,
                                                                     const std::string& path) try {
  std::shared_ptr<PackedFileReader> reader(new PackedFileReader);
  Status status = reader->Read(descriptor);
  if (!status.ok()) return std::move(status).WithContext("%s", path.c_str());
  ONEPACK_ASSIGN_OR_RETURN(reader->mapping_,
                           Mapping::OfFilePart(descriptor, 0, reader->end_, path.c_str()));
  reader->Index();
  return std::shared_ptr<const PackedFileReader>(std::move(reader));
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "%s: out of memory for its directory",
                       path.c_str());
}

Status PackedFileReader::Read(int descriptor) {
  if (fstat(descriptor, &info_) != 0) return PosixError("fstat", errno);
  uint8_t header[kPackedFileHeaderSize];
  ONEPACK_RETURN_IF_ERROR(ReadAllAt(descriptor, 0, {header, sizeof(header)}));
  ONEPACK_ASSIGN_OR_RETURN(id_, DecodePackedFileHeader({header, sizeof(header)}));
  return FindDirectory(descriptor, static_cast<uint64_t>(info_.st_size));
}

// From the end of the file: as a rule the last directory ends there. Otherwise something is being
// appended, or its writer was killed, and the directory before it counts.
Status PackedFileReader::FindDirectory(int descriptor, uint64_t file_size) {
  uint8_t footer[kPackedFileFooterSize];
  for (uint64_t end = RoundDown<uint64_t>(file_size, kPackedFileBlock); end > 0;
       end -= kPackedFileBlock) {
    ONEPACK_RETURN_IF_ERROR(ReadAllAt(descriptor, end - sizeof(footer), {footer, sizeof(footer)}));
    if (!IsPackedFileFooter({footer, sizeof(footer)})) continue;
    Status status = ReadDirectory(descriptor, {footer, sizeof(footer)}, end);
    if (status.ok() || status.code() != StatusCode::kInvalidFile) return status;
    has_damaged_tail_ = true;
  }
  return Status::Error(StatusCode::kInvalidFile, "no complete directory in %llu bytes",
                       static_cast<unsigned long long>(file_size));
}

Status PackedFileReader::ReadDirectory(int descriptor, Bytes footer_bytes, uint64_t end) {
  ONEPACK_ASSIGN_OR_RETURN(const PackedFileFooter footer,
                           DecodePackedFileFooter(footer_bytes, id_, end));
  std::vector<uint8_t> bytes(static_cast<size_t>(footer.directory_size));
  ONEPACK_RETURN_IF_ERROR(
      ReadAllAt(descriptor, footer.directory_offset, {bytes.data(), bytes.size()}));
  ONEPACK_ASSIGN_OR_RETURN(directory_,
                           DecodePackedFileDirectory({bytes.data(), bytes.size()}, footer));
  end_ = end;
  return Status::Ok();
}

void PackedFileReader::Index() {
  const std::vector<PackedFileEntry>& entries = directory_.entries;
  by_weight_.reserve(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) by_weight_.emplace(&entries[i].key.weight, i);
  by_range_.reserve(directory_.hashes.size());
  for (size_t i = 0; i < directory_.hashes.size(); ++i) {
    by_range_.emplace(directory_.hashes[i].range, i);
  }
  checks_ = std::make_unique<std::atomic<Check>[]>(entries.size());
}

bool PackedFileReader::IsOf(const struct stat& info) const {
  return info.st_dev == info_.st_dev && info.st_ino == info_.st_ino &&
         static_cast<uint64_t>(info.st_size) == end_;
}

void PackedFileReader::TakeChecksFrom(const PackedFileReader& before) const {
  if (id_ != before.id_) return;
  for (size_t i = 0; i < directory_.entries.size(); ++i) {
    const PackedFileEntry& entry = directory_.entries[i];
    const PackedFileEntry* known = before.Find(entry.key.weight);
    if (known == nullptr || known->offset != entry.offset || known->checksum != entry.checksum) {
      continue;
    }
    checks_[i] =
        before.checks_[static_cast<size_t>(known - before.directory_.entries.data())].load();
  }
}

const PackedFileEntry* PackedFileReader::Find(const WeightIdentity& weight) const {
  const auto found = by_weight_.find(&weight);
  return found != by_weight_.end() ? &directory_.entries[found->second] : nullptr;
}

const Digest* PackedFileReader::FindHash(const Digest& range) const {
  const auto found = by_range_.find(range);
  return found != by_range_.end() ? &directory_.hashes[found->second].hash : nullptr;
}

Bytes PackedFileReader::BytesOf(const PackedFileEntry& entry) const {
  return mapping_.bytes().subspan(static_cast<size_t>(entry.offset),
                                  static_cast<size_t>(entry.size));
}

void PackedFileReader::Prefetch(const PackedFileEntry& entry) const {
  mapping_.Prefetch(static_cast<size_t>(entry.offset), static_cast<size_t>(entry.size));
}

// Two threads that come together both read: they find the same.
bool PackedFileReader::IsIntact(const PackedFileEntry& entry) const {
  std::atomic<Check>& check = checks_[static_cast<size_t>(&entry - directory_.entries.data())];
  if (check.load(std::memory_order_relaxed) == Check::kNotYet) {
    Prefetch(entry);
    const bool is_intact = ChecksumOf(BytesOf(entry)) == entry.checksum;
    check.store(is_intact ? Check::kIntact : Check::kDamaged, std::memory_order_relaxed);
  }
  return check.load(std::memory_order_relaxed) == Check::kIntact;
}

}  // namespace onepack
