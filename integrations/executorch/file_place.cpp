#include "integrations/executorch/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <memory>

#include "base/fd.h"

namespace onepack {
namespace {

constexpr char kMaps[] = "/proc/self/maps";

// One mapping, as the kernel describes it.
struct MappedRange {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;  // of `start`, in the file
  uint64_t inode = 0;   // 0: of no file
  unsigned device_major = 0;
  unsigned device_minor = 0;
  bool is_writable = false;
  std::string path;

  bool IsContinuedBy(const MappedRange& next) const {
    return next.start == end && next.offset == offset + (end - start) && next.inode == inode &&
           next.device_major == device_major && next.device_minor == device_minor;
  }
};

// As in Linux' own header <linux/fs.h> since 6.11, which older systems have without it.
struct ProcmapQuery {
  uint64_t size;
  uint64_t query_flags;
  uint64_t query_address;
  uint64_t start;
  uint64_t end;
  uint64_t flags;
  uint64_t page_size;
  uint64_t offset;
  uint64_t inode;
  uint32_t device_major;
  uint32_t device_minor;
  uint32_t name_size;
  uint32_t build_id_size;
  uint64_t name_address;
  uint64_t build_id_address;
};
static_assert(sizeof(ProcmapQuery) == 104);
constexpr uint64_t kWritable = 2;       // of flags
constexpr uint64_t kFileBacked = 0x20;  // of query_flags: no other mapping is wanted

// What one address is mapped to, asked for alone.
std::optional<MappedRange> Query(int maps, uint64_t address) {
  char name[PATH_MAX] = "";
  ProcmapQuery query{};
  query.size = sizeof(query);
  query.query_flags = kFileBacked;
  query.query_address = address;
  query.name_address = reinterpret_cast<uintptr_t>(name);
  query.name_size = sizeof(name);
  if (ioctl(maps, _IOWR('f', 17, ProcmapQuery), &query) != 0) return std::nullopt;
  MappedRange range;
  range.start = query.start;
  range.end = query.end;
  range.offset = query.offset;
  range.inode = query.inode;
  range.device_major = query.device_major;
  range.device_minor = query.device_minor;
  range.is_writable = (query.flags & kWritable) != 0;
  range.path = name;
  return range;
}

// nullopt for a line that is none.
std::optional<MappedRange> ParseLine(const char* line) {
  unsigned long long start = 0, end = 0, offset = 0, inode = 0;
  char permissions[5] = "";
  MappedRange range;
  int path = 0;
  if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, permissions, &offset,
             &range.device_major, &range.device_minor, &inode, &path) < 7) {
    return std::nullopt;
  }
  range.start = start;
  range.end = end;
  range.offset = offset;
  range.inode = inode;
  range.is_writable = permissions[1] == 'w';
  range.path = line + path;
  if (!range.path.empty() && range.path.back() == '\n') range.path.pop_back();
  return range;
}

// The same for kernels that cannot be asked for one address.
std::optional<MappedRange> Search(uint64_t address) {
  struct Closer {
    void operator()(FILE* file) const { fclose(file); }
  };
  const std::unique_ptr<FILE, Closer> maps(fopen(kMaps, "re"));
  if (maps == nullptr) return std::nullopt;
  char line[PATH_MAX + 128];
  while (fgets(line, sizeof(line), maps.get()) != nullptr) {
    std::optional<MappedRange> range = ParseLine(line);
    if (range && range->start <= address && address < range->end) return range;
  }
  return std::nullopt;
}

class MappedRanges {
 public:
  // Of a file; nullopt for memory that is no file's.
  std::optional<MappedRange> Find(uint64_t address) {
    std::optional<MappedRange> range;
    if (can_query_ && maps_.ok()) {
      range = Query(maps_->get(), address);
      can_query_ = range || errno == ENOENT;
    }
    if (!can_query_) range = Search(address);
    return range && range->inode != 0 ? range : std::nullopt;
  }

 private:
  // Opened each time: after a fork an open one would be the parent's.
  Result<Fd> maps_ = Fd::OpenForReading(kMaps);
  bool can_query_ = true;
};

}  // namespace

std::optional<FilePlace> FindFilePlace(const void* data, size_t size) {
  const uint64_t address = reinterpret_cast<uintptr_t>(data);
  if (data == nullptr || size == 0) return std::nullopt;
  MappedRanges ranges;
  const std::optional<MappedRange> first = ranges.Find(address);
  if (!first || first->is_writable) return std::nullopt;
  // To lock a part of a mapping in memory splits it.
  for (MappedRange last = *first; last.end - address < size;) {
    std::optional<MappedRange> next = ranges.Find(last.end);
    if (!next || next->is_writable || !last.IsContinuedBy(*next)) return std::nullopt;
    last = std::move(*next);
  }
  struct stat info;
  if (stat(first->path.c_str(), &info) != 0 || info.st_ino != first->inode ||
      major(info.st_dev) != first->device_major || minor(info.st_dev) != first->device_minor) {
    return std::nullopt;
  }
  return FilePlace{first->path, FileIdentity(info), first->offset + (address - first->start)};
}

}  // namespace onepack
