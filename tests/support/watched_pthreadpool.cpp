// pthreadpool for the thread sanitizer. The library is not compiled with it, so that the sanitizer
// does not see how the pool's threads wait for a task and are waited for: each task would be a race
// with the caller, who has written what the task reads. These functions take the place of the
// library's, tell the sanitizer of both hand-overs and call the library's. What the library
// promises is all that they tell: a task begins after the call, and the call returns after all
// tasks. Nothing orders the tasks of a call (racing_tasks.cpp). They are the functions that our
// code calls: what XNNPACK's tasks do, the sanitizer does not see either.

#include <dlfcn.h>
#include <pthreadpool.h>
#include <sanitizer/tsan_interface.h>
#include <stdint.h>

#include <cstdlib>

namespace {

template <class Function>
Function* LibraryFunction(const char* name) {
  void* const function = dlsym(RTLD_NEXT, name);
  if (function == nullptr) abort();
  return reinterpret_cast<Function*>(function);
}

template <class Task>
class WatchedTask {
 public:
  WatchedTask(Task task, void* context) : task_(task), context_(context) {}

  // `call` is the library's function, called with Run and this.
  template <class Call>
  void Watch(Call call) {
    __tsan_release(&begin_);
    call();
    __tsan_acquire(&end_);
  }

  template <class... Indices>
  static void Run(void* self, Indices... indices) {
    auto& watched = *static_cast<WatchedTask*>(self);
    __tsan_acquire(&watched.begin_);
    watched.task_(watched.context_, indices...);
    __tsan_release(&watched.end_);
  }

 private:
  const Task task_;
  void* const context_;
  // Two, so that a task does not acquire what another has released.
  uint64_t begin_ = 0;
  uint64_t end_ = 0;
};

using Parallelize1d = void(pthreadpool_t, pthreadpool_task_1d_t, void*, size_t, uint32_t);
using Parallelize1dTile1d = void(pthreadpool_t, pthreadpool_task_1d_tile_1d_t, void*, size_t,
                                 size_t, uint32_t);
using Parallelize2dTile2d = void(pthreadpool_t, pthreadpool_task_2d_tile_2d_t, void*, size_t,
                                 size_t, size_t, size_t, uint32_t);

}  // namespace

extern "C" {

void pthreadpool_parallelize_1d(pthreadpool_t pool, pthreadpool_task_1d_t task, void* context,
                                size_t range, uint32_t flags) {
  static auto* const library = LibraryFunction<Parallelize1d>("pthreadpool_parallelize_1d");
  WatchedTask<pthreadpool_task_1d_t> watched(task, context);
  watched.Watch([&] { library(pool, watched.Run<size_t>, &watched, range, flags); });
}

void pthreadpool_parallelize_1d_tile_1d(pthreadpool_t pool, pthreadpool_task_1d_tile_1d_t task,
                                        void* context, size_t range, size_t tile, uint32_t flags) {
  static auto* const library =
      LibraryFunction<Parallelize1dTile1d>("pthreadpool_parallelize_1d_tile_1d");
  WatchedTask<pthreadpool_task_1d_tile_1d_t> watched(task, context);
  watched.Watch([&] { library(pool, watched.Run<size_t, size_t>, &watched, range, tile, flags); });
}

void pthreadpool_parallelize_2d_tile_2d(pthreadpool_t pool, pthreadpool_task_2d_tile_2d_t task,
                                        void* context, size_t range_i, size_t range_j,
                                        size_t tile_i, size_t tile_j, uint32_t flags) {
  static auto* const library =
      LibraryFunction<Parallelize2dTile2d>("pthreadpool_parallelize_2d_tile_2d");
  WatchedTask<pthreadpool_task_2d_tile_2d_t> watched(task, context);
  watched.Watch([&] {
    library(pool, watched.Run<size_t, size_t, size_t, size_t>, &watched, range_i, range_j, tile_i,
            tile_j, flags);
  });
}

}  // extern "C"
