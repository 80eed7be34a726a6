#include "tests/support/fault_injector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <atomic>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

#include "delegate/xnn/xnnpack.h"

// What the linker's --wrap=NAME calls the original.
extern "C" {
void* __real_malloc(size_t size);
void* __real_calloc(size_t count, size_t size);
void* __real_realloc(void* pointer, size_t size);
int __real_posix_memalign(void** pointer, size_t alignment, size_t size);
void* __real_mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_madvise(void* address, size_t size, int advice);
int __real_open(const char* path, int flags, ...);
int __real_fstat(int fd, struct stat* info);
}

namespace onepack {
namespace {

struct State {
  bool is_armed = false;
  FaultPlan plan;
  FaultReport report;
};

// No constructor runs for it, so that it can be used from the first allocation of the process on.
thread_local State own_state;

// Of the thread that counts everybody's events, if one does.
std::atomic<State*> common_state{nullptr};
std::mutex common_mutex;

bool CountEvent(State& state, FaultKind kind, size_t bytes) {
  if (!state.is_armed || (kind == FaultKind::kXnnpack && state.plan.spares_xnnpack)) return false;
  FaultReport& report = state.report;
  ++report.events[static_cast<size_t>(kind)];
  report.bytes[static_cast<size_t>(kind)] += bytes;
  const size_t number = ++report.total;
  const FaultPlan& plan = state.plan;
  const bool fails =
      plan.fail_at != 0 &&
      (plan.duration == FaultPlan::kOnce ? number == plan.fail_at : number >= plan.fail_at);
  if (fails && ++report.failed == 1) report.first_failed = kind;
  return fails;
}

}  // namespace

const char* FaultKindName(FaultKind kind) {
  static constexpr const char* kNames[] = {"operator new", "malloc",    "mmap",    "open",
                                           "madvise",      "Allocator", "XNNPACK", "read"};
  return kNames[static_cast<size_t>(kind)];
}

void FaultInjector::Arm(const FaultPlan& plan) {
  own_state.plan = plan;
  own_state.report = FaultReport();
  own_state.is_armed = true;
  if (plan.of_all_threads) common_state = &own_state;
}

FaultReport FaultInjector::Disarm() {
  common_state = nullptr;
  own_state.is_armed = false;
  return own_state.report;
}

bool FaultInjector::ShouldFail(FaultKind kind, size_t bytes) {
  State* const common = common_state;
  if (common == nullptr) return CountEvent(own_state, kind, bytes);
  const std::lock_guard<std::mutex> lock(common_mutex);
  return CountEvent(*common, kind, bytes);
}

namespace {

void* AllocateUnlessFailing(FaultKind kind, size_t size, size_t alignment) {
  if (FaultInjector::ShouldFail(kind, size)) return nullptr;
  if (alignment <= alignof(max_align_t)) return __real_malloc(size == 0 ? 1 : size);
  void* pointer = nullptr;
  return __real_posix_memalign(&pointer, alignment, size) == 0 ? pointer : nullptr;
}

void* NewOrThrow(size_t size, size_t alignment) {
  void* pointer = AllocateUnlessFailing(FaultKind::kNew, size, alignment);
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

}  // namespace

Allocator FaultyAllocator() {
  const auto allocate = [](void*, size_t size, size_t alignment) {
    return AllocateUnlessFailing(FaultKind::kAllocator, size, alignment);
  };
  const auto deallocate = [](void*, void* pointer, size_t) { free(pointer); };
  return Allocator{allocate, deallocate, nullptr};
}

const xnn_allocator* FaultyXnnAllocator() {
  static const xnn_allocator allocator = [] {
    xnn_allocator faulty{};
    faulty.allocate = [](void*, size_t size) {
      return AllocateUnlessFailing(FaultKind::kXnnpack, size, 1);
    };
    faulty.reallocate = [](void*, void* pointer, size_t size) -> void* {
      if (FaultInjector::ShouldFail(FaultKind::kXnnpack, size)) return nullptr;
      return __real_realloc(pointer, size);
    };
    faulty.deallocate = [](void*, void* pointer) { free(pointer); };
    faulty.aligned_allocate = [](void*, size_t alignment, size_t size) {
      return AllocateUnlessFailing(FaultKind::kXnnpack, size, alignment);
    };
    faulty.aligned_deallocate = [](void*, void* pointer) { free(pointer); };
    return faulty;
  }();
  return &allocator;
}

namespace {

class Faulty final : public DataSource {
 public:
  explicit Faulty(Ref<DataSource> source)
      : DataSource(source->identity()), source_(std::move(source)) {}

  const char* name() const override { return source_->name(); }
  uint64_t size() const override { return source_->size(); }
  Result<Buffer> Load(const Segment& range) const override {
    ONEPACK_RETURN_IF_ERROR(Check());
    return source_->Load(range);
  }
  Status Read(const Segment& range, uint8_t* destination) const override {
    ONEPACK_RETURN_IF_ERROR(Check());
    return source_->Read(range, destination);
  }
  void Prefetch(const Segment& range) const override { source_->Prefetch(range); }
  void Discard(const Segment& range) const override { source_->Discard(range); }

 private:
  Status Check() const {
    if (!FaultInjector::ShouldFail(FaultKind::kRead)) return Status::Ok();
    return Status::Error(StatusCode::kIoError, "%s: injected", name());
  }

  const Ref<DataSource> source_;
};

}  // namespace

Ref<DataSource> FaultySource(Ref<DataSource> source) {
  auto faulty = MakeRef<Faulty>(HeapAllocator(), std::move(source));
  if (!faulty.ok()) throw std::runtime_error(faulty.status().message());
  return *faulty;
}

}  // namespace onepack

using onepack::FaultInjector;
using onepack::FaultKind;

extern "C" {

void* __wrap_malloc(size_t size) {
  return FaultInjector::ShouldFail(FaultKind::kHeap, size) ? nullptr : __real_malloc(size);
}

void* __wrap_calloc(size_t count, size_t size) {
  return FaultInjector::ShouldFail(FaultKind::kHeap, count * size) ? nullptr
                                                                   : __real_calloc(count, size);
}

void* __wrap_realloc(void* pointer, size_t size) {
  return FaultInjector::ShouldFail(FaultKind::kHeap, size) ? nullptr
                                                           : __real_realloc(pointer, size);
}

int __wrap_posix_memalign(void** pointer, size_t alignment, size_t size) {
  if (FaultInjector::ShouldFail(FaultKind::kHeap, size)) return ENOMEM;
  return __real_posix_memalign(pointer, alignment, size);
}

void* __wrap_mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
  if (!FaultInjector::ShouldFail(FaultKind::kMap, size)) {
    return __real_mmap(address, size, protection, flags, fd, offset);
  }
  errno = ENOMEM;
  return MAP_FAILED;
}

int __wrap_madvise(void* address, size_t size, int advice) {
  if (!FaultInjector::ShouldFail(FaultKind::kWish)) return __real_madvise(address, size, advice);
  errno = EAGAIN;
  return -1;
}

int __wrap_open(const char* path, int flags, ...) {
  if (FaultInjector::ShouldFail(FaultKind::kOpen)) {
    errno = EMFILE;
    return -1;
  }
  va_list arguments;
  va_start(arguments, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return __real_open(path, flags, mode);
}

int __wrap_fstat(int fd, struct stat* info) {
  if (!FaultInjector::ShouldFail(FaultKind::kOpen)) return __real_fstat(fd, info);
  errno = EIO;
  return -1;
}

}  // extern "C"

// All forms that the library declares; those that are not here call one of these.

void* operator new(size_t size) { return onepack::NewOrThrow(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) {
  return onepack::NewOrThrow(size, static_cast<size_t>(alignment));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return onepack::AllocateUnlessFailing(FaultKind::kNew, size, 1);
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return onepack::AllocateUnlessFailing(FaultKind::kNew, size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size) { return onepack::NewOrThrow(size, 1); }
void* operator new[](size_t size, std::align_val_t alignment) {
  return onepack::NewOrThrow(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return onepack::AllocateUnlessFailing(FaultKind::kNew, size, 1);
}
void* operator new[](size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return onepack::AllocateUnlessFailing(FaultKind::kNew, size, static_cast<size_t>(alignment));
}

void operator delete(void* pointer) noexcept { free(pointer); }
void operator delete(void* pointer, size_t) noexcept { free(pointer); }
void operator delete(void* pointer, std::align_val_t) noexcept { free(pointer); }
void operator delete(void* pointer, size_t, std::align_val_t) noexcept { free(pointer); }
void operator delete(void* pointer, const std::nothrow_t&) noexcept { free(pointer); }
void operator delete(void* pointer, std::align_val_t, const std::nothrow_t&) noexcept {
  free(pointer);
}
void operator delete[](void* pointer) noexcept { free(pointer); }
void operator delete[](void* pointer, size_t) noexcept { free(pointer); }
void operator delete[](void* pointer, std::align_val_t) noexcept { free(pointer); }
void operator delete[](void* pointer, size_t, std::align_val_t) noexcept { free(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { free(pointer); }
void operator delete[](void* pointer, std::align_val_t, const std::nothrow_t&) noexcept {
  free(pointer);
}
