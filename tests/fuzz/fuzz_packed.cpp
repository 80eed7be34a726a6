// Bytes as a packed file; then, since the checksums stop most of them, as a footer and a directory
// whose checksums are right.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/fuzz/fuzz_target.h"
#include "weight_cache/packed_file/reader.h"

namespace onepack {
namespace {

void Check(bool is_so, const char* what) {
  if (is_so) return;
  fprintf(stderr, "%s\n", what);
  abort();
}

// All that a reader serves lies in the file.
void ReadAll(const PackedFileReader& file) {
  for (const PackedFileEntry& entry : file.directory().entries) {
    static_cast<void>(file.IsIntact(entry));
    Check(file.BytesOf(entry).size() == entry.size, "an entry of another size");
    Check(file.Find(entry.key.weight) != nullptr, "an entry that is not found");
  }
  for (const PackedFileHash& hash : file.directory().hashes) {
    Check(file.FindHash(hash.range) != nullptr, "a hash that is not found");
  }
}

void ReadAsFile(Bytes bytes) {
  const int descriptor = memfd_create("packed", MFD_CLOEXEC);
  if (descriptor < 0) return;
  if (write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
    auto file = PackedFileReader::Of(descriptor, "fuzz");
    if (file.ok()) ReadAll(**file);
  }
  close(descriptor);
}

void ReadAsDirectory(Bytes bytes) {
  constexpr uint64_t kOffset = uint64_t{1} << 30;
  PackedFileFooter footer;
  footer.directory_offset = kOffset;
  footer.directory_size = bytes.size();
  footer.directory_checksum = ChecksumOf(bytes);
  if (bytes.size() < 16) return;
  auto directory = DecodePackedFileDirectory(bytes, footer);
  if (!directory.ok()) return;
  for (const PackedFileEntry& entry : directory->entries) {
    Check(entry.offset <= kOffset && entry.size <= kOffset - entry.offset, "an entry outside");
  }
}

void ReadAsFooter(Bytes bytes) {
  if (bytes.size() < kPackedFileFooterSize) return;
  auto footer =
      DecodePackedFileFooter(bytes.subspan(0, kPackedFileFooterSize), PackedFileId{}, 1 << 20);
  if (!footer.ok()) return;
  Check(footer->directory_offset + footer->directory_size <= (1 << 20), "a directory outside");
}

}  // namespace
}  // namespace onepack

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const onepack::Bytes bytes(data, size);
  onepack::ReadAsFile(bytes);
  onepack::ReadAsDirectory(bytes);
  onepack::ReadAsFooter(bytes);
  return 0;
}
