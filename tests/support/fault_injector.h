// Makes the k-th thing fail that a piece of code asks of the system: memory, a mapping, a file, a
// read.
//
// A binary that links this gets its operator new and, after onepack_wrap_calls of
// tests/CMakeLists.txt, the calls of malloc, mmap and the like that its own objects and archives
// make, replaced by ones that can fail. Shared libraries are left alone, but operator new, which is
// one for the whole process. Two things have to be handed over by the test: FaultyAllocator() and
// FaultySource().
//
//     FaultInjector::Arm({1, FaultPlan::kOnce});
//     Status status = Load(...);
//     FaultReport report = FaultInjector::Disarm();
//
// Threads: one thread at a time arms it. Its events count, and with `of_all_threads` everybody's.

#ifndef ONEPACK_TESTS_SUPPORT_FAULT_INJECTOR_H_
#define ONEPACK_TESTS_SUPPORT_FAULT_INJECTOR_H_

#include <stddef.h>

#include <array>

#include "onepack/allocator.h"
#include "onepack/data_source.h"
#include "onepack/ref.h"

struct xnn_allocator;

namespace onepack {

enum class FaultKind : size_t {
  kNew,        // operator new of any form: throws, or gives null
  kHeap,       // malloc, calloc, realloc, posix_memalign
  kMap,        // mmap
  kOpen,       // open, fstat
  kWish,       // madvise, of which nothing but speed and memory may depend
  kAllocator,  // FaultyAllocator
  kXnnpack,    // XNNPACK's allocator
  kRead,       // Load and Read of a FaultySource
};
inline constexpr size_t kFaultKindCount = 8;
const char* FaultKindName(FaultKind kind);

struct FaultPlan {
  enum Duration { kOnce, kFromThenOn };

  size_t fail_at = 0;  // the number of the event, from 1; 0: none fails
  Duration duration = kOnce;
  // Requests of XNNPACK then neither fail nor count.
  bool spares_xnnpack = false;
  // Events of threads that the armed one starts count too, in the order in which they happen.
  bool of_all_threads = false;
};

struct FaultReport {
  std::array<size_t, kFaultKindCount> events{};  // by kind, the failing ones included
  std::array<size_t, kFaultKindCount> bytes{};   // asked for by them, where memory is
  size_t total = 0;
  size_t failed = 0;
  FaultKind first_failed = FaultKind::kNew;  // if any did
};

class FaultInjector {
 public:
  // Events count from now on, until Disarm.
  static void Arm(const FaultPlan& plan);
  static FaultReport Disarm();

  // For the replaced functions: counts an event, and says whether it is to fail.
  static bool ShouldFail(FaultKind kind, size_t bytes = 0);
};

// The C heap, which can fail.
Allocator FaultyAllocator();

// For InitializeXnnpack, before anything else calls it.
const xnn_allocator* FaultyXnnAllocator();

// `source`, whose Load and Read can fail with kIoError. Not mapped, whatever `source` is.
Ref<DataSource> FaultySource(Ref<DataSource> source);

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_FAULT_INJECTOR_H_
