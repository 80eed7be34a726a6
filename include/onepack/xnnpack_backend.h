// The backend that runs XNNPACK delegates, with packed weights shared across programs.
//
// Ownership: the backend keeps the cache; the application keeps the thread pool until every method
//            that was loaded with it is gone.
// Threads:   load methods from any number of threads. Methods run in parallel; two that use one
//            pool take turns, one parallel region at a time: never run one from a task of its own
//            pool. A run takes a lock of the backend only to choose a runtime.
// Fork:      methods may be closed in a child process, and those without a thread pool run and are
//            loaded there. A thread pool's threads do not follow into a child: methods that have
//            one refuse to run. What another thread was loading or running is lost in the child.
// Callbacks: `on_progress` may load, run and close methods. A data source may not load one while it
//            is read for the weights of another: kFailedPrecondition.
// Errors:    a payload that is damaged or asks for what XNNPACK cannot do is refused at load,
//            naming the node.

#ifndef ONEPACK_XNNPACK_BACKEND_H_
#define ONEPACK_XNNPACK_BACKEND_H_

#include <stddef.h>

#include <memory>

#include "onepack/backend.h"
#include "onepack/export.h"
#include "onepack/linear_layout.h"
#include "onepack/load_progress.h"
#include "onepack/ref.h"
#include "onepack/result.h"
#include "onepack/weight_cache.h"

struct pthreadpool;

namespace onepack {

struct XnnpackBackendOptions {
  // Give the same cache to every program that shall share weights. Null: every method packs for
  // itself.
  std::shared_ptr<WeightCache> weight_cache;
  // Null: the calling thread does all the work. Not every pthreadpool is for machines that do other
  // work as well (thread_pool.h).
  pthreadpool* threadpool = nullptr;
  // Called while a method is loaded; may be empty. From any thread that loads.
  ProgressCallback on_progress;
  // Whether linear layers run over packed weights, or over weights as the files have them: those
  // are read whenever a method runs, so a file must not be changed in place, nor cut short, while
  // any method that uses it is loaded (SECURITY.md).
  LinearLayout linears = LinearLayout::kAuto;
  // Of weights that are used as they are stored: starts to read them from the disk at load, all of
  // them (MADV_WILLNEED), instead of page by page at the first run. Those of integers are read at
  // load in any case.
  bool prefetch_weights = false;
  // Reads every constant whose key is the SHA-256 of its bytes, and refuses the program when one is
  // not what its key says (key_integrity.h).
  bool verify_keys = false;
  // Threads that pack what a method needs and the cache does not have, while it is loaded; they end
  // with the load, and the thread that loads waits for them. 1: the thread that loads packs. Takes
  // the memory of so many raw weights at a time, instead of one.
  size_t packing_threads = 1;
  // No more threads than there are as many raw bytes to pack: to start one and to wait for it takes
  // longer than to pack an adapter.
  size_t min_bytes_per_packing_thread = 4 << 20;
  // A mapped weight of a fully connected node of at least so many raw bytes is packed in slices of
  // about a sixteenth of that, which the packing threads share, and of which so many are in memory
  // at a time. With `on_progress` one thread is made for it in any case. 0: every weight is packed
  // whole.
  size_t large_weight_bytes = 64 << 20;
};

// Initializes XNNPACK. The backend's name is "XnnpackBackend", as in the programs.
ONEPACK_API Result<Ref<Backend>> CreateXnnpackBackend(const XnnpackBackendOptions& options);

}  // namespace onepack

#endif  // ONEPACK_XNNPACK_BACKEND_H_
