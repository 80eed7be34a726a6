#include "runtime/page_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/page_size.h"
#include "base/rounding.h"
#include "runtime/page_map.h"

namespace onepack {
namespace {

Status Failed(const char* what) {
  return Status::Error(StatusCode::kResourceExhausted, "%s", PosixError(what, errno).message());
}

// The system would end the process, by SIGXFSZ.
Status CheckFileSize(size_t size) {
  rlimit limit;
  const bool fits = getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
                    size <= limit.rlim_cur;
  if (fits) return Status::Ok();
  return Status::Error(StatusCode::kResourceExhausted,
                       "%zu bytes of memory, and files of this process are limited to %llu", size,
                       static_cast<unsigned long long>(limit.rlim_cur));
}

// The pages of a memory that shows a snapshot.
class Pages {
 public:
  Pages(const Mapping& memory, const PageSnapshot* shown)
      : memory_(memory), shown_(shown), page_size_(PageSize()) {}

  size_t count() const { return DivideUp(memory_.size(), page_size_); }
  size_t size_bytes() const { return count() * page_size_; }

  // Whether the page is not what the snapshot has.
  bool IsChanged(size_t page) {
    return map_.IsOwn(Start(page)) && (IsShown(page) || !IsZero(BytesOf(page)));
  }

  // To the same place of a file of zeros.
  Status Write(const PageRun& run, int file) {
    for (size_t page = run.first; page < run.end();) {
      const size_t start = page;
      while (page < run.end() && page - start < kMostAtOnce && HoldsBytes(page)) ++page;
      const Bytes bytes(Start(start), (page - start) * page_size_);
      if (!WriteAt(file, start * page_size_, bytes)) return Failed("copying it");
      while (page < run.end() && !HoldsBytes(page)) ++page;
    }
    return Status::Ok();
  }

 private:
  static constexpr size_t kMostAtOnce = 256;

  const uint8_t* Start(size_t page) const { return memory_.data() + page * page_size_; }
  Bytes BytesOf(size_t page) const { return {Start(page), page_size_}; }
  bool IsShown(size_t page) const { return shown_ != nullptr && shown_->Has(page); }
  bool HoldsBytes(size_t page) {
    return (map_.IsOwn(Start(page)) || IsShown(page)) && !IsZero(BytesOf(page));
  }

  const Mapping& memory_;
  const PageSnapshot* const shown_;
  const size_t page_size_;
  PageMap map_;
};

Result<Fd> FileOf(Pages& pages, const PageRuns& runs) {
  ONEPACK_RETURN_IF_ERROR(CheckFileSize(pages.size_bytes()));
  ONEPACK_ASSIGN_OR_RETURN(Fd file, Fd::InMemory("onepack-state"));
  if (ftruncate(file.get(), static_cast<off_t>(pages.size_bytes())) != 0) {
    return Failed("making room for it");
  }
  for (const PageRun& run : runs) ONEPACK_RETURN_IF_ERROR(pages.Write(run, file.get()));
  // Nobody writes to it any more, not even by mistake; a system that cannot see to that is as good.
  fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  return file;
}

}  // namespace

Result<Ref<const PageSnapshot>> PageSnapshot::Take(const Mapping& memory,
                                                   const Ref<const PageSnapshot>& shown,
                                                   const Allocator& allocator) {
  Pages pages(memory, shown.get());
  PageRuns runs;
  for (size_t page = 0; page < pages.count(); ++page) {
    if (pages.IsChanged(page)) runs.Add({page, 1});
  }
  if (runs.empty()) return shown;
  Ref<const PageSnapshot> below = shown;
  while (below && below->IsBetterCopiedWith(runs)) {
    for (const PageRun& run : below->runs_) runs.Add(run);
    below = below->below_;
  }
  ONEPACK_ASSIGN_OR_RETURN(Fd file, FileOf(pages, runs));
  ONEPACK_ASSIGN_OR_RETURN(
      const Ref<PageSnapshot> snapshot,
      MakeRef<PageSnapshot>(allocator, std::move(file), runs, std::move(below)));
  return Ref<const PageSnapshot>(snapshot);
}

bool PageSnapshot::IsBetterCopiedWith(const PageRuns& runs) const {
  if (runs_.page_count() <= runs.page_count() || height_ >= kMostHigh) return true;
  // The lowest may be most of the state: never for its mappings alone.
  return below_ && runs_above_lowest_ + runs.count() > PageRuns::kMost;
}

bool PageSnapshot::Has(size_t page) const {
  if (!runs_.Has(page)) return below_ && below_->Has(page);
  const auto start = static_cast<off_t>(page * PageSize());
  const off_t data = lseek(file_.get(), start, SEEK_DATA);
  return data >= 0 ? data < start + static_cast<off_t>(PageSize()) : errno != ENXIO;
}

void PageSnapshot::VisitPages(const StatePageVisitor& visitor) const {
  constexpr size_t kStatBlock = 512;  // what st_blocks counts, whatever the system's pages are
  struct stat file;
  const bool is_known = fstat(file_.get(), &file) == 0;
  visitor(this, is_known ? static_cast<size_t>(file.st_blocks) * kStatBlock
                         : runs_.page_count() * PageSize());
  if (below_) below_->VisitPages(visitor);
}

Status PageSnapshot::ShowIn(Mapping& memory) const {
  if (below_) ONEPACK_RETURN_IF_ERROR(below_->ShowIn(memory));
  return ShowInOrigin(memory);
}

Status PageSnapshot::ShowInOrigin(Mapping& memory) const {
  for (const PageRun& run : runs_) {
    ONEPACK_RETURN_IF_ERROR(
        memory.ShowFile(file_.get(), run.first * PageSize(), run.count * PageSize()));
  }
  return Status::Ok();
}

}  // namespace onepack
