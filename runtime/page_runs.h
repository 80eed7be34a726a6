// Which pages of a memory, as a limited number of runs: each run is a mapping, of which a process
// may not have many (65,530 as a rule), and which takes some microseconds to make.
//
// A KV cache changes in one place for each layer, or for each head of each layer: the limit is
// above what models have as a rule, since to join runs means to copy what is between them.

#ifndef ONEPACK_RUNTIME_PAGE_RUNS_H_
#define ONEPACK_RUNTIME_PAGE_RUNS_H_

#include <stddef.h>

namespace onepack {

struct PageRun {
  size_t first = 0;
  size_t count = 0;

  size_t end() const { return first + count; }
};

class PageRuns {
 public:
  static constexpr size_t kMost = 1024;

  // Adds pages, which may be there already. Runs that would be too many become one with what is
  // between them, those first that are nearest to each other. Fastest in order.
  void Add(const PageRun& run);

  bool Has(size_t page) const;
  size_t page_count() const;
  size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // Ascending, with pages between them that are in none.
  const PageRun* begin() const { return runs_; }
  const PageRun* end() const { return runs_ + count_; }

 private:
  void Remove(size_t first, size_t count);
  void JoinNearest();

  PageRun runs_[kMost + 1];
  size_t count_ = 0;
};

}  // namespace onepack

#endif  // ONEPACK_RUNTIME_PAGE_RUNS_H_
