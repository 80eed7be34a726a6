// The packed file: packed weights on disk. This header has the grammar, and with format.cpp all
// code that encodes and decodes it; docs/formats/packed_weights.md says the same for others.
//
// clang-format off
//   file       header, then what was appended, each time up to a multiple of 4096
//   header     64 bytes
//                0  magic "ONEPACKP"
//                8  version           u32  1
//               12  header size       u32  64
//               16  id                16 bytes: unlike that of any other file
//               32  zeros             16 bytes
//               48  checksum          of bytes 0 to 47
//   append     packed bytes of entries, each at a multiple of 64, or of 16384 if it has at least 256
//              KiB; then a directory, from a multiple of 64 on; then zeros up to the last 64 bytes of
//              a block of 4096; then a footer
//   directory  16 bytes: entry count u64, hash count u64
//              entries, 224 bytes each
//                0  key               kernel, bias, quantization, consumer, layout: 32 bytes each
//              160  layout tag        u64
//              168  offset            u64  in the file
//              176  size              u64
//              184  last use          u64  the sequence of the directory that noted it
//              192  checksum          of the packed bytes
//              208  zeros             16 bytes
//              hashes, 72 bytes each
//                0  range             which bytes of which state of which file
//               32  hash              SHA-256 of these bytes
//               64  last use          u64
//   footer     64 bytes
//                0  magic "ONEPACKD"
//                8  directory offset  u64
//               16  directory size    u64
//               24  sequence          u64  1 for the first directory of a file, then one more each
//               32  directory checksum
//               48  checksum          of the file's id and of bytes 0 to 47
//   checksum   16 bytes: XXH3 of 128 bits with seed 0, its low half first
//   numbers    little-endian
// clang-format on
//
// A file's state is what its last complete directory says: that before the last footer that is
// right. Whatever follows it was being appended when its writer ended, and means nothing. Nothing
// before the end of a state is changed while the file has its name.
//
// Errors: kInvalidFile says what was found and what was expected; kUnsupported for another version.
//         Callers add the path.

#ifndef ONEPACK_WEIGHT_CACHE_PACKED_FILE_FORMAT_H_
#define ONEPACK_WEIGHT_CACHE_PACKED_FILE_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

#include <array>
#include <vector>

#include "base/digest.h"
#include "onepack/result.h"
#include "onepack/span.h"
#include "weight_cache/pack_key.h"
#include "weight_cache/packed_file/checksum.h"

namespace onepack {

inline constexpr uint32_t kPackedFileVersion = 1;
inline constexpr size_t kPackedFileHeaderSize = 64;
inline constexpr size_t kPackedFileFooterSize = 64;
// Where footers end, so that they can be found from the end of the file.
inline constexpr size_t kPackedFileBlock = 4096;
// XNNPACK's alignment for packed weights.
inline constexpr size_t kPackedFileAlignment = 64;
// Pages of large entries are theirs alone, also where a page has 16 KB.
inline constexpr size_t kPackedFileLargeEntry = size_t{256} << 10;
inline constexpr size_t kPackedFileLargeAlignment = size_t{16} << 10;

using PackedFileId = std::array<uint8_t, 16>;

struct PackedFileEntry {
  PackKey key;
  LayoutTag tag = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
  uint64_t last_use = 0;
  Checksum checksum;
};

// What the bytes of a range are, told without reading them.
struct PackedFileHash {
  Digest range;  // DataRange::digest
  Digest hash;
  uint64_t last_use = 0;
};

struct PackedFileDirectory {
  uint64_t sequence = 0;
  std::vector<PackedFileEntry> entries;
  std::vector<PackedFileHash> hashes;
};

struct PackedFileFooter {
  uint64_t directory_offset = 0;
  uint64_t directory_size = 0;
  uint64_t sequence = 0;
  Checksum directory_checksum;
};

// Where an entry of `size` bytes stands if `end` bytes stand before it.
uint64_t PackedFileOffset(uint64_t end, uint64_t size);

std::array<uint8_t, kPackedFileHeaderSize> EncodePackedFileHeader(const PackedFileId& id);
Result<PackedFileId> DecodePackedFileHeader(Bytes header);
// Whether it begins as that of a packed file of any version does, right or damaged.
bool HasPackedFileMagic(Bytes header);

// The directory, if it begins at `offset`, and all that follows it up to the end of the file.
std::vector<uint8_t> EncodePackedFileDirectory(const PackedFileDirectory& directory,
                                               const PackedFileId& id, uint64_t offset);
// How many bytes that is, for so many entries and hashes.
uint64_t PackedFileDirectorySize(size_t entries, size_t hashes, uint64_t offset);

// Whether the last bytes of a block look like a footer of any such file.
bool IsPackedFileFooter(Bytes footer);
// A footer that ends at `end` of the file of this id. The directory lies in front of it.
Result<PackedFileFooter> DecodePackedFileFooter(Bytes footer, const PackedFileId& id, uint64_t end);
// All entries lie between the header and the directory, where they are aligned; nothing is
// allocated for more of them than there are bytes for.
Result<PackedFileDirectory> DecodePackedFileDirectory(Bytes directory,
                                                      const PackedFileFooter& footer);

}  // namespace onepack

#endif  // ONEPACK_WEIGHT_CACHE_PACKED_FILE_FORMAT_H_
