// Whether a sanitizer was built in: some tests count what it changes.

#ifndef ONEPACK_TESTS_SUPPORT_SANITIZERS_H_
#define ONEPACK_TESTS_SUPPORT_SANITIZERS_H_

// clang says it so...
#ifdef __has_feature
#define ONEPACK_HAS_FEATURE(feature) __has_feature(feature)
#else
#define ONEPACK_HAS_FEATURE(feature) 0
#endif

namespace onepack {

// ...and g++ so.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    ONEPACK_HAS_FEATURE(address_sanitizer) || ONEPACK_HAS_FEATURE(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// The thread sanitizer ends a child of a process with threads when that makes a thread of its own.
#if defined(__SANITIZE_THREAD__) || ONEPACK_HAS_FEATURE(thread_sanitizer)
constexpr bool kThreadSanitized = true;
#else
constexpr bool kThreadSanitized = false;
#endif

}  // namespace onepack

#undef ONEPACK_HAS_FEATURE

#endif  // ONEPACK_TESTS_SUPPORT_SANITIZERS_H_
