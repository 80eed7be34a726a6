// onepack.WeightCache

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "python/bindings/bind.h"
#include "python/bindings/handles.h"
#include "python/bindings/path.h"
#include "python/bindings/text.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace onepack::python {
namespace {

constexpr const char* kAbout =
    R"(Packed weights, shared by every program that is loaded with it.

Give one cache to a Backend, and that to all programs that shall share weights. It is kept alive
by what was loaded with it; when the last program that uses a weight is closed, the weight's memory
goes back to the system.

Threads: any, at any time.

Args:
    retained_bytes: Keep weights that no program uses any more up to so many bytes, the least
        recently used dropped first. 0 frees each with its last program.
    record_hashes: Put a SHA-256 of each raw weight on record when it is packed, so that a weight
        that was retained is recognised in another file.
    huge_pages: Ask for transparent huge pages: faster runs where the kernel has some at hand.
    packed_file: A file that keeps what was packed, for the next start and for other processes
        (docs/packed_files.md). Its folder is there; the file is made when it is needed.
    packed_read_only: Use what is in the packed file, and write nothing.
    packed_max_bytes: Keep the packed file below that. None: no limit.
    packed_checksums: When what is in the packed file is compared with its checksums.
)";

nb::object PythonStats(const WeightCacheStats& stats) {
  const nb::module_ classes = nb::module_::import_("onepack.records");
  const WeightCacheMisses& misses = stats.misses;
  const PackedFileStats& file = stats.file;
  const nb::object python_misses = classes.attr("WeightCacheMisses")(
      "absent"_a = misses.absent, "other_content"_a = misses.other_content,
      "other_quantization"_a = misses.other_quantization, "other_layout"_a = misses.other_layout);
  const nb::object file_misses = classes.attr("PackedFileMisses")(
      "absent"_a = file.misses.absent, "other_layout"_a = file.misses.other_layout,
      "damaged"_a = file.misses.damaged);
  const nb::object python_file = classes.attr("PackedFileStats")(
      "file_bytes"_a = file.file_bytes, "dead_bytes"_a = file.dead_bytes,
      "entries"_a = file.entries, "pending"_a = file.pending, "hits"_a = file.hits,
      "hit_bytes"_a = file.hit_bytes, "misses"_a = file_misses,
      "hashed_bytes"_a = file.hashed_bytes, "written"_a = file.written,
      "written_bytes"_a = file.written_bytes, "troubles"_a = file.troubles);
  return classes.attr("WeightCacheStats")(
      "entries"_a = stats.entries, "bytes"_a = stats.bytes, "private_bytes"_a = stats.private_bytes,
      "retained_bytes"_a = stats.retained_bytes, "file_bytes"_a = stats.file_bytes,
      "in_place_bytes"_a = stats.in_place_bytes, "copied_bytes"_a = stats.copied_bytes,
      "pins"_a = stats.pins, "heap_bytes"_a = stats.heap_bytes, "hits"_a = stats.hits,
      "hit_bytes"_a = stats.hit_bytes, "misses"_a = python_misses,
      "packed_bytes"_a = stats.packed_bytes, "packing_ns"_a = stats.packing_ns,
      "waits"_a = stats.waits, "wait_ns"_a = stats.wait_ns, "evictions"_a = stats.evictions,
      "lock_count"_a = stats.lock_count, "file"_a = python_file);
}

nb::object Stats(const PyWeightCache& self) {
  const std::shared_ptr<CacheWithTrouble> cache = self.handle.Get();
  const WeightCacheStats stats = [&] {
    const nb::gil_scoped_release release;  // a load may hold the lock, and wait for the GIL
    return cache->cache()->Stats();
  }();
  return PythonStats(stats);
}

void Flush(const PyWeightCache& self) {
  const std::shared_ptr<CacheWithTrouble> cache = self.handle.Get();
  const nb::gil_scoped_release release;
  ThrowIfError(cache->cache()->Flush());
}

void Prune(const PyWeightCache& self) {
  const std::shared_ptr<CacheWithTrouble> cache = self.handle.Get();
  const nb::gil_scoped_release release;
  cache->cache()->Prune();
}

nb::object Trouble(const PyWeightCache& self) {
  const Status status = self.handle.Get()->trouble();
  if (status.ok()) return nb::none();
  return nb::module_::import_("onepack.errors")
      .attr("_error_of")(status.code(), TextOf(status.message()), "", false);
}

void Make(PyWeightCache* self, size_t retained_bytes, bool record_hashes, bool huge_pages,
          const nb::object& packed_file, bool packed_read_only,
          std::optional<uint64_t> packed_max_bytes, ChecksumPolicy packed_checksums) {
  WeightCacheOptions options;
  options.retained_bytes = retained_bytes;
  options.record_hashes = record_hashes;
  options.huge_pages = huge_pages;
  if (!packed_file.is_none()) options.packed_file.path = PathOf(packed_file);
  options.packed_file.is_read_only = packed_read_only;
  options.packed_file.max_bytes = packed_max_bytes.value_or(UINT64_MAX);
  options.packed_file.checksums = packed_checksums;
  new (self) PyWeightCache{{"cache", CacheWithTrouble::Create(options)}};
}

}  // namespace

void BindWeightCache(nb::module_& module) {
  nb::enum_<ChecksumPolicy>(module, "ChecksumPolicy",
                            "When what is in a packed file is compared with its checksums.")
      .value("ON_FIRST_USE", ChecksumPolicy::kOnFirstUse, "Of each entry.")
      .value("AT_OPEN", ChecksumPolicy::kAtOpen, "Of all entries.")
      .value("NEVER", ChecksumPolicy::kNever,
             "Also after a power failure, which may have left zeros.");
  nb::class_<PyWeightCache> bound(module, "WeightCache", kAbout);
  bound
      .def("__init__", Make, nb::kw_only(), "retained_bytes"_a = 0, "record_hashes"_a = false,
           "huge_pages"_a = false, "packed_file"_a = nb::none(), "packed_read_only"_a = false,
           "packed_max_bytes"_a = nb::none(), "packed_checksums"_a = ChecksumPolicy::kOnFirstUse,
           nb::sig("def __init__(self, *, retained_bytes: int = 0, record_hashes: bool = False, "
                   "huge_pages: bool = False, packed_file: str | bytes | os.PathLike[str] | None = "
                   "None, "
                   "packed_read_only: bool = False, packed_max_bytes: int | None = None, "
                   "packed_checksums: ChecksumPolicy = ...) -> None"))
      .def("stats", Stats, nb::sig("def stats(self) -> onepack.records.WeightCacheStats"),
           "What the cache holds now, and what it did since it was made.")
      .def("prune", Prune, "Drops every weight that no program uses.")
      .def("flush", Flush,
           "Waits until all that was packed so far is in the packed file, and on the disk. Does "
           "nothing without such a file. Raises what keeps it from being there.")
      .def_prop_ro("trouble", Trouble, nb::sig("def trouble(self) -> onepack.errors.Error | None"),
                   "The first reason why the packed file could not be used or written: no "
                   "permission, a full disk, a damaged file. Everything goes on in memory. "
                   "None: there was none.");
  BindClosing(bound);
}

}  // namespace onepack::python
