// The operators that exported programs keep outside their delegates, computed on the CPU.
//
//   CpuOperatorOptions operator_options;
//   operator_options.threadpool = pool;
//   auto operators = CpuOperators::Create(operator_options);
//   method_options.operators = operators->registry();
//
// They follow PyTorch: names and order of arguments are those of its "out" variants, types are
// promoted and rounded as it does, sizes are broadcast as it does.
//
// Ownership: the application keeps the object, and the thread pool, as long as methods that were
//            loaded with its registry.
// Threads:   read only once created; a pool may be shared, its users take turns.
// Errors:    an operator returns what was found and what was expected, and writes nothing outside
//            the tensors it was given; the method can be used again.

#ifndef ONEPACK_CPU_OPERATORS_H_
#define ONEPACK_CPU_OPERATORS_H_

#include <stdint.h>

#include "onepack/array.h"
#include "onepack/export.h"
#include "onepack/operator_registry.h"

struct pthreadpool;

namespace onepack {

struct CpuOperatorOptions {
  // What the expensive operators compute on: attention, products, convolution. Null: the thread
  // that runs the method.
  pthreadpool* threadpool = nullptr;
  // For what an operator needs while it runs.
  Allocator allocator = HeapAllocator();
  // Of the random numbers of aten::rand, aten::randn and their like. The same seed gives the same
  // numbers to the same calls in the same order; for others in each process, choose another one
  // there. All methods that are loaded with one registry draw from one stream.
  uint64_t random_seed = 0;
  // The application's own, which count before ours of the same name. Copied; what their names and
  // contexts point to stays the application's.
  Span<const Operator> additional;
};

namespace kernels {
struct OperatorContext;
}  // namespace kernels

class ONEPACK_API CpuOperators {
 public:
  // Errors: kResourceExhausted.
  static Result<CpuOperators> Create(const CpuOperatorOptions& options);

  CpuOperators(CpuOperators&& other) noexcept;
  CpuOperators& operator=(CpuOperators&& other) noexcept;
  ~CpuOperators();

  OperatorRegistry registry() const { return OperatorRegistry(operators_); }
  Span<const Operator> operators() const { return operators_; }

 private:
  CpuOperators();

  Array<kernels::OperatorContext> context_;  // one, at an address that stays
  Array<Operator> operators_;
};

}  // namespace onepack

#endif  // ONEPACK_CPU_OPERATORS_H_
