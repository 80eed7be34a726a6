// The version of these headers; CMakeLists.txt reads it here.
//
// While the major version is 0, a minor version may change the interface: what was compiled with
// another one has to be compiled again.

#ifndef ONEPACK_VERSION_H_
#define ONEPACK_VERSION_H_

#define ONEPACK_VERSION_MAJOR 0
#define ONEPACK_VERSION_MINOR 1
#define ONEPACK_VERSION_PATCH 0

#endif  // ONEPACK_VERSION_H_
