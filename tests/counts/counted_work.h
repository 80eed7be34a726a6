// What a piece of work asks of the system, and a function that callgrind can tell it by.

#ifndef ONEPACK_TESTS_COUNTS_COUNTED_WORK_H_
#define ONEPACK_TESTS_COUNTS_COUNTED_WORK_H_

#include <stddef.h>

#include <functional>

#include "onepack/result.h"

namespace onepack {

struct Counts {
  size_t allocations = 0;  // operator new, malloc and the like, of our archives
  size_t bytes = 0;        // of them
  size_t mappings = 0;
  size_t mapped_bytes = 0;
};

// What `work` takes. Errors: those of `work`.
Result<Counts> CountsOf(const std::function<Status()>& work);

}  // namespace onepack

// Calls `work`. check.py has callgrind count while this function, found by its name, is running.
extern "C" void OnepackCountedWork(const std::function<void()>& work);

#endif  // ONEPACK_TESTS_COUNTS_COUNTED_WORK_H_
