#include "onepack/data_identity.h"

#include <string.h>
#include <time.h>

#include <atomic>

#include "base/checked_math.h"
#include "base/fd.h"

namespace onepack {
namespace {

uint64_t Nanoseconds(const timespec& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

FileIdentity::FileIdentity(const struct stat& info)
    : device_(info.st_dev),
      inode_(info.st_ino),
      size_bytes_(static_cast<uint64_t>(info.st_size)),
      modified_ns_(Nanoseconds(info.st_mtim)),
      changed_ns_(Nanoseconds(info.st_ctim)) {}

bool FileIdentity::IsSettled(uint64_t now_ns) const {
  constexpr uint64_t kSecond = 1000000000;
  constexpr uint64_t kTick = kSecond / 20;  // no clock of a kernel is coarser than half of that
  return is_known() && changed_ns_ % kSecond != 0 && changed_ns_ < now_ns &&
         now_ns - changed_ns_ > kTick;
}

DataIdentity DataIdentity::Unique() {
  static std::atomic<uint64_t> last{0};
  DataIdentity identity;
  identity.number_ = 1 + last.fetch_add(1, std::memory_order_relaxed);
  return identity;
}

Result<DataIdentity> DataIdentity::OfFile(int descriptor, uint64_t offset, const char* name) {
  ONEPACK_ASSIGN_OR_RETURN(const struct stat info, StatRegularFile(descriptor, name));
  return DataIdentity(FileIdentity(info), offset);
}

DataIdentity::DataIdentity(const FileIdentity& file, uint64_t offset)
    : file_(file), offset_(offset) {
  if (!file.is_known()) *this = Unique();
}

// Four words of eight bytes. A word of zero, which makes the identity of no file, would make it
// equal nothing.
DataIdentity DataIdentity::OfSha256(const uint8_t* sha256) {
  DataIdentity identity;
  identity.number_ = kOfHash;
  uint64_t words[4];
  memcpy(words, sha256, sizeof(words));
  identity.file_.device_ = words[0];
  identity.file_.inode_ = words[1];
  identity.file_.modified_ns_ = words[2];
  identity.file_.changed_ns_ = words[3];
  return identity;
}

bool DataIdentity::IsLasting() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return number_ == kOfFile && file_.IsSettled(Nanoseconds(now));
}

DataIdentity DataIdentity::At(uint64_t offset) const {
  DataIdentity shifted = *this;
  // There is no such place: equal to nothing.
  if (!CheckedAdd(offset_, offset, &shifted.offset_)) return Unique();
  return shifted;
}

}  // namespace onepack
