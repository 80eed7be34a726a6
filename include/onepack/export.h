// What libonepack.so gives to those who link it: all else in it is hidden.

#ifndef ONEPACK_EXPORT_H_
#define ONEPACK_EXPORT_H_

#if defined(__cplusplus) && defined(__GNUC__)
#define ONEPACK_API [[gnu::visibility("default")]]
#elif defined(__GNUC__)
#define ONEPACK_API __attribute__((visibility("default")))
#else
#define ONEPACK_API
#endif

#endif  // ONEPACK_EXPORT_H_
