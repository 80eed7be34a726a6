// onepack.Backend

#include <nanobind/nanobind.h>

#include "onepack/linear_layout.h"
#include "onepack/thread_pool.h"
#include "python/bindings/bind.h"
#include "python/bindings/handles.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

constexpr const char* kAbout =
    R"(Runs programs with XNNPACK, and with onepack's own operators what is outside its delegates.

Use one for all programs that share weights: they share XNNPACK's runtimes as well. It is kept
alive by what was loaded with it.

Threads: load and run any number of methods at a time; the GIL is released meanwhile. Methods over
a backend with ``threads`` take turns at its threads; with one thread each, they run in parallel.

Args:
    cache: Give the same one to every backend that shall share weights. None: every method packs
        for itself.
    threads: How many threads compute one run, the caller included. 1: the caller alone.
    linears: What linear layers run over. IN_PLACE and AUTO read the files while they run: such a
        file must be replaced, and never changed in place or cut short, while it is in use.
    prefetch_weights: Start to read weights that are used in place at load, all of them.
    verify_keys: Refuse a program when a constant is not what its key, a SHA-256, says.
    packing_threads: How many threads pack what a method needs and the cache does not have.
    min_bytes_per_packing_thread: Each packing thread has so many raw bytes to pack; fewer threads
        are used where that is not so.
    large_weight_bytes: Weights of at least so many raw bytes are packed in slices. 0: none is.
    random_seed: Of aten::rand, aten::randn and their like.

Raises:
    InvalidArgumentError: No threads.
    Error: Threads cannot be started; XNNPACK does not run on this processor.
)";

void Make(PyBackend* self, const PyWeightCache* cache, size_t threads, LinearLayout linears,
          bool prefetch_weights, bool verify_keys, size_t packing_threads,
          size_t min_bytes_per_packing_thread, size_t large_weight_bytes, uint64_t random_seed) {
  XnnpackBackendOptions options;
  if (cache != nullptr) options.weight_cache = cache->handle.Get()->cache();
  options.linears = linears;
  options.prefetch_weights = prefetch_weights;
  options.verify_keys = verify_keys;
  options.packing_threads = packing_threads;
  options.min_bytes_per_packing_thread = min_bytes_per_packing_thread;
  options.large_weight_bytes = large_weight_bytes;
  new (self) PyBackend{{"backend", Engine::Create(options, threads, random_seed)}};
}

}  // namespace

void BindBackend(nb::module_& module) {
  const XnnpackBackendOptions defaults;
  nb::enum_<LinearLayout>(module, "LinearLayout", "What linear layers run over (docs/linears.md).")
      .value("AUTO", LinearLayout::kAuto, "What is faster on this machine.")
      .value("IN_PLACE", LinearLayout::kInPlace,
             "Weights as the files have them, all that can be: nothing is packed.")
      .value("PACKED", LinearLayout::kPacked,
             "Packed weights: the files are needed while a method is loaded, and not afterwards.");
  nb::class_<PyBackend> bound(module, "Backend", kAbout);
  bound.def("__init__", Make, "cache"_a.none() = nb::none(), nb::kw_only(), "threads"_a = 1,
            "linears"_a = LinearLayout::kAuto, "prefetch_weights"_a = false,
            "verify_keys"_a = false, "packing_threads"_a = 1,
            "min_bytes_per_packing_thread"_a = defaults.min_bytes_per_packing_thread,
            "large_weight_bytes"_a = defaults.large_weight_bytes, "random_seed"_a = 0);
  BindClosing(bound);
  module.def("thread_pool_suits_busy_machines", ThreadPoolSuitsBusyMachines,
             "False for a pthreadpool whose threads stall while other processes keep the cores "
             "busy: then give a Backend one thread on such a machine.");
}

}  // namespace onepack::python
