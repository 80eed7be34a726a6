#include "weight_cache/packed_file/format.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "base/endian.h"
#include "base/rounding.h"

namespace onepack {
namespace {

constexpr char kHeaderMagic[] = "ONEPACKP";
constexpr char kFooterMagic[] = "ONEPACKD";
constexpr size_t kMagicSize = 8;
// Of header and footer: before their own checksum.
constexpr size_t kChecked = 48;
constexpr size_t kDirectoryHead = 16;
constexpr size_t kEntrySize = 224;
constexpr size_t kHashSize = 72;

// Appends to a run of bytes.
class Encoder {
 public:
  explicit Encoder(size_t capacity) { bytes_.reserve(capacity); }

  Encoder& Add(Bytes bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Encoder& AddMagic(const char* magic) {
    return Add({reinterpret_cast<const uint8_t*>(magic), kMagicSize});
  }
  template <typename T>
  Encoder& Add(T number) {
    uint8_t bytes[sizeof(T)];
    StoreLittleEndian(number, bytes);
    return Add(Bytes(bytes, sizeof(T)));
  }
  Encoder& Add(const Digest& digest) {
    return Add(Bytes(digest.bytes.data(), digest.bytes.size()));
  }
  Encoder& Add(const Checksum& checksum) { return Add(checksum.low).Add(checksum.high); }
  Encoder& AddZeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }

  size_t size() const { return bytes_.size(); }
  Bytes bytes() const { return {bytes_.data(), bytes_.size()}; }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

// Reads a run of bytes that is long enough.
class Decoder {
 public:
  explicit Decoder(Bytes bytes) : next_(bytes.data()) {}

  const uint8_t* Take(size_t count) { return std::exchange(next_, next_ + count); }
  uint64_t TakeNumber() { return LoadLittleEndian<uint64_t>(Take(sizeof(uint64_t))); }
  uint32_t TakeShortNumber() { return LoadLittleEndian<uint32_t>(Take(sizeof(uint32_t))); }
  Digest TakeDigest() {
    Digest digest;
    memcpy(digest.bytes.data(), Take(digest.bytes.size()), digest.bytes.size());
    return digest;
  }
  Checksum TakeChecksum() {
    const uint64_t low = TakeNumber();
    return {low, TakeNumber()};
  }

 private:
  const uint8_t* next_;
};

// Of a footer: the file's id is in it, so that what was copied from another file is none.
Checksum FooterChecksum(const PackedFileId& id, Bytes checked) {
  Encoder all(id.size() + kChecked);
  all.Add(Bytes(id.data(), id.size())).Add(checked.subspan(0, kChecked));
  return ChecksumOf(all.bytes());
}

void AddEntry(const PackedFileEntry& entry, Encoder& encoder) {
  const WeightIdentity& weight = entry.key.weight;
  encoder.Add(weight.kernel).Add(weight.bias).Add(weight.quantization).Add(weight.consumer);
  encoder.Add(entry.key.layout).Add(entry.tag).Add(entry.offset).Add(entry.size);
  encoder.Add(entry.last_use).Add(entry.checksum).AddZeros(16);
}

PackedFileEntry TakeEntry(Decoder& decoder) {
  PackedFileEntry entry;
  WeightIdentity& weight = entry.key.weight;
  for (Digest* part :
       {&weight.kernel, &weight.bias, &weight.quantization, &weight.consumer, &entry.key.layout}) {
    *part = decoder.TakeDigest();
  }
  entry.tag = decoder.TakeNumber();
  entry.offset = decoder.TakeNumber();
  entry.size = decoder.TakeNumber();
  entry.last_use = decoder.TakeNumber();
  entry.checksum = decoder.TakeChecksum();
  decoder.Take(16);
  return entry;
}

PackedFileHash TakeHash(Decoder& decoder) {
  PackedFileHash hash;
  hash.range = decoder.TakeDigest();
  hash.hash = decoder.TakeDigest();
  hash.last_use = decoder.TakeNumber();
  return hash;
}

unsigned long long Print(uint64_t number) { return number; }

Status CheckEntry(const PackedFileEntry& entry, uint64_t end) {
  uint64_t entry_end;
  if (entry.offset >= kPackedFileHeaderSize && CheckedAdd(entry.offset, entry.size, &entry_end) &&
      entry_end <= end && PackedFileOffset(entry.offset, entry.size) == entry.offset) {
    return Status::Ok();
  }
  return Status::Error(StatusCode::kInvalidFile,
                       "an entry of %llu bytes at %llu, before %llu and aligned expected",
                       Print(entry.size), Print(entry.offset), Print(end));
}

}  // namespace

uint64_t PackedFileOffset(uint64_t end, uint64_t size) {
  const bool is_large = size >= kPackedFileLargeEntry;
  return RoundUp<uint64_t>(end, is_large ? kPackedFileLargeAlignment : kPackedFileAlignment);
}

std::array<uint8_t, kPackedFileHeaderSize> EncodePackedFileHeader(const PackedFileId& id) {
  Encoder encoder(kPackedFileHeaderSize);
  encoder.AddMagic(kHeaderMagic).Add(kPackedFileVersion);
  encoder.Add(static_cast<uint32_t>(kPackedFileHeaderSize));
  encoder.Add(Bytes(id.data(), id.size())).AddZeros(16);
  encoder.Add(ChecksumOf(encoder.bytes()));
  std::array<uint8_t, kPackedFileHeaderSize> header;
  memcpy(header.data(), encoder.bytes().data(), header.size());
  return header;
}

bool HasPackedFileMagic(Bytes header) {
  return header.size() >= kMagicSize && memcmp(header.data(), kHeaderMagic, kMagicSize) == 0;
}

Result<PackedFileId> DecodePackedFileHeader(Bytes header) {
  if (header.size() < kPackedFileHeaderSize) {
    return Status::Error(StatusCode::kInvalidFile, "%zu bytes, at least %zu expected",
                         header.size(), kPackedFileHeaderSize);
  }
  if (!HasPackedFileMagic(header)) {
    return Status::Error(StatusCode::kInvalidFile, "not a packed file");
  }
  Decoder decoder(header);
  decoder.Take(kMagicSize);
  const uint32_t version = decoder.TakeShortNumber();
  if (version != kPackedFileVersion) {
    return Status::Error(StatusCode::kUnsupported, "a packed file of version %u, %u expected",
                         version, kPackedFileVersion);
  }
  decoder.TakeShortNumber();
  PackedFileId id;
  memcpy(id.data(), decoder.Take(id.size()), id.size());
  decoder.Take(16);
  if (decoder.TakeChecksum() != ChecksumOf(header.subspan(0, kChecked))) {
    return Status::Error(StatusCode::kInvalidFile, "the header is damaged");
  }
  return id;
}

uint64_t PackedFileDirectorySize(size_t entries, size_t hashes, uint64_t offset) {
  const uint64_t size = kDirectoryHead + uint64_t{kEntrySize} * entries + kHashSize * hashes;
  return RoundUp<uint64_t>(offset + size + kPackedFileFooterSize, kPackedFileBlock) - offset;
}

std::vector<uint8_t> EncodePackedFileDirectory(const PackedFileDirectory& directory,
                                               const PackedFileId& id, uint64_t offset) {
  const size_t whole = static_cast<size_t>(
      PackedFileDirectorySize(directory.entries.size(), directory.hashes.size(), offset));
  Encoder encoder(whole);
  encoder.Add(uint64_t{directory.entries.size()}).Add(uint64_t{directory.hashes.size()});
  for (const PackedFileEntry& entry : directory.entries) AddEntry(entry, encoder);
  for (const PackedFileHash& hash : directory.hashes) {
    encoder.Add(hash.range).Add(hash.hash).Add(hash.last_use);
  }
  const Checksum checksum = ChecksumOf(encoder.bytes());
  const uint64_t size = encoder.size();
  encoder.AddZeros(whole - encoder.size() - kPackedFileFooterSize);
  Encoder footer(kPackedFileFooterSize);
  footer.AddMagic(kFooterMagic).Add(offset).Add(size).Add(directory.sequence).Add(checksum);
  footer.Add(FooterChecksum(id, footer.bytes()));
  encoder.Add(footer.bytes());
  return encoder.Take();
}

bool IsPackedFileFooter(Bytes footer) {
  return footer.size() == kPackedFileFooterSize &&
         memcmp(footer.data(), kFooterMagic, kMagicSize) == 0;
}

Result<PackedFileFooter> DecodePackedFileFooter(Bytes footer, const PackedFileId& id,
                                                uint64_t end) {
  if (!IsPackedFileFooter(footer)) {
    return Status::Error(StatusCode::kInvalidFile, "no directory ends at %llu", Print(end));
  }
  Decoder decoder(footer);
  decoder.Take(kMagicSize);
  PackedFileFooter result;
  result.directory_offset = decoder.TakeNumber();
  result.directory_size = decoder.TakeNumber();
  result.sequence = decoder.TakeNumber();
  result.directory_checksum = decoder.TakeChecksum();
  if (decoder.TakeChecksum() != FooterChecksum(id, footer)) {
    return Status::Error(StatusCode::kInvalidFile, "the footer that ends at %llu is damaged",
                         Print(end));
  }
  uint64_t directory_end;
  if (result.directory_offset < kPackedFileHeaderSize || result.directory_size < kDirectoryHead ||
      !CheckedAdd(result.directory_offset, result.directory_size, &directory_end) ||
      end < kPackedFileFooterSize || directory_end > end - kPackedFileFooterSize) {
    return Status::Error(StatusCode::kInvalidFile,
                         "a directory of %llu bytes at %llu, before its footer at %llu expected",
                         Print(result.directory_size), Print(result.directory_offset),
                         Print(end - kPackedFileFooterSize));
  }
  return result;
}

Result<PackedFileDirectory> DecodePackedFileDirectory(Bytes directory,
                                                      const PackedFileFooter& footer) {
  if (ChecksumOf(directory) != footer.directory_checksum) {
    return Status::Error(StatusCode::kInvalidFile, "the directory at %llu is damaged",
                         Print(footer.directory_offset));
  }
  Decoder decoder(directory);
  PackedFileDirectory result;
  result.sequence = footer.sequence;
  const uint64_t entries = decoder.TakeNumber();
  const uint64_t hashes = decoder.TakeNumber();
  // Neither product overflows: both counts are below the number of bytes.
  const uint64_t rest = directory.size() - kDirectoryHead;
  if (entries > rest / kEntrySize || hashes > rest / kHashSize ||
      entries * kEntrySize + hashes * kHashSize != rest) {
    return Status::Error(StatusCode::kInvalidFile, "%llu entries and %llu hashes in %llu bytes",
                         Print(entries), Print(hashes), Print(rest));
  }
  result.entries.reserve(static_cast<size_t>(entries));
  for (uint64_t i = 0; i < entries; ++i) {
    result.entries.push_back(TakeEntry(decoder));
    ONEPACK_RETURN_IF_ERROR(CheckEntry(result.entries.back(), footer.directory_offset));
  }
  result.hashes.reserve(static_cast<size_t>(hashes));
  for (uint64_t i = 0; i < hashes; ++i) result.hashes.push_back(TakeHash(decoder));
  return result;
}

}  // namespace onepack
