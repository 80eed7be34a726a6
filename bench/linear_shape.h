// What the benchmarks of linear layers are run with: sizes, threads and memory.

#ifndef ONEPACK_BENCH_LINEAR_SHAPE_H_
#define ONEPACK_BENCH_LINEAR_SHAPE_H_

#include <benchmark/benchmark.h>
#include <pthreadpool.h>
#include <stddef.h>
#include <stdlib.h>

#include <memory>

namespace onepack {

struct LinearShape {
  size_t outputs;
  size_t inputs;
  size_t rows;
  size_t threads;

  // The arguments are in this order.
  static void Name(benchmark::internal::Benchmark* benchmark) {
    benchmark->ArgNames({"outputs", "inputs", "rows", "threads"})->UseRealTime();
  }
  static LinearShape Of(const benchmark::State& state) {
    const auto range = [&](size_t i) { return static_cast<size_t>(state.range(i)); };
    return {range(0), range(1), range(2), range(3)};
  }
};

// What all weights of one shape take together, so that they come from memory. Less for a run whose
// numbers mean nothing.
inline size_t WorkingSetBytes() {
  const char* megabytes = getenv("ONEPACK_BENCH_WORKING_SET_MB");
  return strtoull(megabytes != nullptr ? megabytes : "150", nullptr, 10) << 20;
}

// Null for one thread, the one that calls.
using Pool = std::unique_ptr<pthreadpool, decltype(&pthreadpool_destroy)>;
inline Pool PoolOf(const LinearShape& shape) {
  return {shape.threads == 1 ? nullptr : pthreadpool_create(shape.threads), &pthreadpool_destroy};
}

}  // namespace onepack

#endif  // ONEPACK_BENCH_LINEAR_SHAPE_H_
