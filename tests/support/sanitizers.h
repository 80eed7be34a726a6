// Whether a sanitizer was built in: some tests count what it changes.

#ifndef ONEPACK_TESTS_SUPPORT_SANITIZERS_H_
#define ONEPACK_TESTS_SUPPORT_SANITIZERS_H_

namespace onepack {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_SANITIZERS_H_
