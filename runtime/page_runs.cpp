#include "runtime/page_runs.h"

#include <stdint.h>
#include <string.h>

namespace onepack {

void PageRuns::Add(const PageRun& run) {
  if (run.count == 0) return;
  size_t place = count_;  // of the first run that does not end before it
  while (place > 0 && runs_[place - 1].end() >= run.first) --place;
  size_t touched = 0;
  PageRun joined = run;
  for (size_t i = place; i < count_ && runs_[i].first <= run.end(); ++i, ++touched) {
    const size_t end = runs_[i].end() > joined.end() ? runs_[i].end() : joined.end();
    if (runs_[i].first < joined.first) joined.first = runs_[i].first;
    joined.count = end - joined.first;
  }
  if (touched == 0) {
    memmove(runs_ + place + 1, runs_ + place, (count_ - place) * sizeof(PageRun));
    ++count_;
  } else {
    Remove(place + 1, touched - 1);
  }
  runs_[place] = joined;
  if (count_ > kMost) JoinNearest();
}

void PageRuns::Remove(size_t first, size_t count) {
  memmove(runs_ + first, runs_ + first + count, (count_ - first - count) * sizeof(PageRun));
  count_ -= count;
}

void PageRuns::JoinNearest() {
  size_t nearest = 0;
  size_t least = SIZE_MAX;
  for (size_t i = 0; i + 1 < count_; ++i) {
    const size_t gap = runs_[i + 1].first - runs_[i].end();
    if (gap >= least) continue;
    least = gap;
    nearest = i;
  }
  runs_[nearest].count = runs_[nearest + 1].end() - runs_[nearest].first;
  Remove(nearest + 1, 1);
}

bool PageRuns::Has(size_t page) const {
  size_t low = 0;
  size_t high = count_;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (runs_[middle].end() <= page) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count_ && runs_[low].first <= page;
}

size_t PageRuns::page_count() const {
  size_t pages = 0;
  for (const PageRun& run : *this) pages += run.count;
  return pages;
}

}  // namespace onepack
