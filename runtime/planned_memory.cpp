#include "runtime/planned_memory.h"

#include <string.h>
#include <unistd.h>

#include "base/checked_math.h"
#include "base/page_size.h"
#include "onepack/method_state.h"
#include "runtime/page_map.h"

namespace onepack {
namespace {

uint64_t PhysicalMemory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  uint64_t bytes = 0;
  const bool is_known =
      pages > 0 && CheckedMultiply<uint64_t>(static_cast<uint64_t>(pages), PageSize(), &bytes);
  return is_known ? bytes : UINT64_MAX;
}

}  // namespace

uint64_t MostPlannedBytes(uint64_t given) { return given != 0 ? given : PhysicalMemory(); }

Status CheckPlannedBytes(size_t bytes, uint64_t most) {
  if (bytes <= most) return Status::Ok();
  return Status::Error(StatusCode::kResourceExhausted,
                       "%zu bytes of planned memory, at most %llu allowed", bytes,
                       static_cast<unsigned long long>(most));
}

Result<Ref<PlannedMemory>> PlannedMemory::Create(size_t size, size_t initial_count,
                                                 const Allocator& allocator) {
  size_t whole;
  if (!CheckedRoundUp(size, MethodState::kBlock, &whole)) {
    return Status::Error(StatusCode::kResourceExhausted, "cannot map %zu bytes of memory", size);
  }
  ONEPACK_ASSIGN_OR_RETURN(Ref<PlannedMemory> memory, MakeRef<PlannedMemory>(allocator));
  ONEPACK_ASSIGN_OR_RETURN(memory->memory_, Mapping::OfZeros(whole));
  ONEPACK_ASSIGN_OR_RETURN(memory->initial_contents_,
                           Array<InitialContent>::Create(allocator, initial_count));
  return memory;
}

void PlannedMemory::InitialContent::Copy() const {
  if (!from.empty()) memcpy(to, from.data(), from.size());
}

void PlannedMemory::AddInitial(Bytes from, uint8_t* to) {
  InitialContent& content = initial_contents_[initial_used_++];
  content = {from, to};
  content.Copy();
}

void PlannedMemory::SetToZero() {
  WillChange();
  memory_.SetToZero();
  snapshot_ = nullptr;
}

void PlannedMemory::Reset() {
  SetToZero();
  for (size_t i = 0; i < initial_used_; ++i) initial_contents_[i].Copy();
}

Result<Ref<PlannedMemory>> PlannedMemory::Fork(const Allocator& allocator) {
  if (!is_as_forked_) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<const PageSnapshot> taken,
                             PageSnapshot::Take(memory_, snapshot_, allocator));
    const bool is_another = taken.get() != snapshot_.get();
    snapshot_ = std::move(taken);
    Status shown = is_another ? snapshot_->ShowInOrigin(memory_) : Status::Ok();
    if (shown.code() == StatusCode::kInternal) return shown;
    // Otherwise its own pages have the bytes of the snapshot: the next fork tries again.
    is_as_forked_ = shown.ok();
  }
  ONEPACK_ASSIGN_OR_RETURN(Ref<PlannedMemory> fork,
                           Create(memory_.size(), initial_used_, allocator));
  if (snapshot_) ONEPACK_RETURN_IF_ERROR(snapshot_->ShowIn(fork->memory_));
  fork->snapshot_ = snapshot_;
  fork->is_as_forked_ = true;
  for (size_t i = 0; i < initial_used_; ++i) {
    const InitialContent& content = initial_contents_[i];
    fork->initial_contents_[i] = {content.from, fork->Moved(content.to, *this)};
  }
  fork->initial_used_ = initial_used_;
  return fork;
}

void PlannedMemory::VisitPages(const StatePageVisitor& visitor) const {
  const size_t own = is_as_forked_ ? 0 : OwnBytes();
  if (own > 0) visitor(this, own);
  if (snapshot_) snapshot_->VisitPages(visitor);
}

size_t PlannedMemory::OwnBytes() const {
  PageMap pages;
  size_t own = 0;
  for (size_t start = 0; start < memory_.size(); start += PageSize()) {
    const uint8_t* const page = memory_.data() + start;
    // A page that was read and never written is the system's page of zeros.
    if (pages.IsOwn(page) && !IsZero({page, PageSize()})) own += PageSize();
  }
  return own;
}

bool PlannedMemory::IsUntouched(size_t block, PageMap& pages) const {
  const size_t offset = block * MethodState::kBlock;
  return !pages.IsOwn(memory_.data() + offset) &&
         !(snapshot_ && snapshot_->Has(offset / PageSize()));
}

}  // namespace onepack
