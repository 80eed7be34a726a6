#include "integrations/executorch/file_place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <memory>
#include <utility>

namespace onepack {

// One mapping, as the kernel describes it.
struct FilePlaces::Range {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t offset = 0;  // of `start`, in the file
  uint64_t inode = 0;   // 0: of no file
  unsigned device_major = 0;
  unsigned device_minor = 0;
  bool shows_the_file = false;  // as it is now, and cannot be written to
  std::string path;

  bool IsContinuedBy(const Range& next) const {
    return next.start == end && next.offset == offset + (end - start) && next.inode == inode &&
           next.device_major == device_major && next.device_minor == device_minor;
  }

  // False for a line of the list that is none.
  bool Parse(const char* line);
};

namespace {

constexpr char kMaps[] = "/proc/self/maps";

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
constexpr uint64_t kWritable = 2;  // of flags
constexpr uint64_t kShared = 8;
constexpr uint64_t kFileBacked = 0x20;  // of query_flags: no other mapping is wanted

}  // namespace

bool FilePlaces::Range::Parse(const char* line) {
  unsigned long long first = 0, last = 0, place = 0, number = 0;
  char permissions[5] = "";
  int name = 0;
  if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &first, &last, permissions, &place,
             &device_major, &device_minor, &number, &name) < 7) {
    return false;
  }
  start = first;
  end = last;
  offset = place;
  inode = number;
  shows_the_file = permissions[1] != 'w' && permissions[3] == 's';
  path = line + name;
  if (!path.empty() && path.back() == '\n') path.pop_back();
  return true;
}

FilePlaces::~FilePlaces() {
  if (maps_ >= 0) close(maps_);
}

// nullopt too where the kernel cannot be asked for one address.
std::optional<FilePlaces::Range> FilePlaces::Query(uint64_t address) {
  if (maps_ == kNotOpened) maps_ = open(kMaps, O_RDONLY | O_CLOEXEC);
  if (maps_ < 0) {
    maps_ = kCannotAsk;
    return std::nullopt;
  }
  char name[PATH_MAX];
  name[0] = '\0';
  ProcmapQuery query{};
  query.size = sizeof(query);
  query.query_flags = kFileBacked;
  query.query_address = address;
  query.name_address = reinterpret_cast<uintptr_t>(name);
  query.name_size = sizeof(name);
  if (ioctl(maps_, _IOWR('f', 17, ProcmapQuery), &query) != 0) {
    if (errno == ENOENT) return std::nullopt;
    close(std::exchange(maps_, kCannotAsk));
    return std::nullopt;
  }
  Range range;
  range.start = query.start;
  range.end = query.end;
  range.offset = query.offset;
  range.inode = query.inode;
  range.device_major = query.device_major;
  range.device_minor = query.device_minor;
  range.shows_the_file = (query.flags & (kWritable | kShared)) == kShared;
  range.path = name;
  return range;
}

// Of a file; nullopt for memory that is no file's.
std::optional<FilePlaces::Range> FilePlaces::FindRange(uint64_t address) {
  std::optional<Range> asked = Query(address);
  if (maps_ != kCannotAsk) return asked;
  struct Closer {
    void operator()(FILE* file) const { fclose(file); }
  };
  const std::unique_ptr<FILE, Closer> maps(fopen(kMaps, "re"));
  if (maps == nullptr) return std::nullopt;
  char line[PATH_MAX + 128];
  Range range;
  while (fgets(line, sizeof(line), maps.get()) != nullptr) {
    if (!range.Parse(line) || address < range.start || address >= range.end) continue;
    return range.inode != 0 ? std::make_optional(std::move(range)) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<FilePlaces::Range> FilePlaces::FindMapped(const void* data, size_t size) {
  const uint64_t address = reinterpret_cast<uintptr_t>(data);
  if (data == nullptr || size == 0) return std::nullopt;
  std::optional<Range> first = FindRange(address);
  if (!first || !first->shows_the_file) return std::nullopt;
  // To lock a part of a mapping in memory splits it.
  for (Range last = *first; last.end - address < size;) {
    std::optional<Range> next = FindRange(last.end);
    if (!next || !next->shows_the_file || !last.IsContinuedBy(*next)) return std::nullopt;
    last = std::move(*next);
  }
  return first;
}

bool FilePlaces::IsMapped(const void* data, size_t size) {
  return FindMapped(data, size).has_value();
}

std::optional<FilePlace> FilePlaces::Find(const void* data, size_t size) {
  std::optional<Range> first = FindMapped(data, size);
  struct stat info;
  if (!first || stat(first->path.c_str(), &info) != 0 || info.st_ino != first->inode ||
      major(info.st_dev) != first->device_major || minor(info.st_dev) != first->device_minor) {
    return std::nullopt;
  }
  const uint64_t address = reinterpret_cast<uintptr_t>(data);
  return FilePlace{std::move(first->path), FileIdentity(info),
                   first->offset + (address - first->start)};
}

}  // namespace onepack
