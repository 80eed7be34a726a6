// How much of a mapped file is in this process' memory, and how much memory is its own.

#ifndef ONEPACK_TESTS_SUPPORT_RESIDENT_BYTES_H_
#define ONEPACK_TESTS_SUPPORT_RESIDENT_BYTES_H_

#include <stddef.h>

#include <string>

namespace onepack {

// Resident bytes of every mapping of `path` in this process; `mappings`, if given, counts them.
size_t ResidentBytesOf(const std::string& path, int* mappings = nullptr);

// The same of the proportional set size: what several processes have counts for each in part.
size_t ProportionalBytesOf(const std::string& path);

// Memory that goes with the process: anonymous pages, and all of its open files in memory (memfd),
// mapped or not.
size_t OwnBytes();

// Of open files in memory whose name, such as "/memfd:ones", begins with `prefix`; `descriptors`,
// if given, counts them.
size_t FileBytesOf(const std::string& prefix, int* descriptors = nullptr);

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_RESIDENT_BYTES_H_
