# Builds for aarch64 on another machine, and runs what was built in an emulator: docs/aarch64.md.
#
# scripts/setup.sh --aarch64 installs the compiler and the emulator, and unpacks the libraries into build/aarch64-sysroot.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

get_filename_component(_sysroot ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-sysroot ABSOLUTE)
if(NOT EXISTS ${_sysroot}/packages)
  message(FATAL_ERROR "no libraries for aarch64 in ${_sysroot}: run scripts/setup.sh --aarch64")
endif()
# No CMAKE_SYSROOT: Debian's cross compiler has its C library elsewhere, and takes that first in any case.
set(CMAKE_FIND_ROOT_PATH ${_sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)  # those that make code run here: flatc
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Where some libraries keep the headers that are made for one architecture.
foreach(_language C CXX)
  set(CMAKE_${_language}_STANDARD_INCLUDE_DIRECTORIES ${_sysroot}/usr/include/aarch64-linux-gnu)
endforeach()
# Libraries that the libraries need.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${_sysroot}/usr/lib/aarch64-linux-gnu")
set(CMAKE_SHARED_LINKER_FLAGS_INIT "${CMAKE_EXE_LINKER_FLAGS_INIT}")

# QEMU_CPU in the environment says which processor.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${_sysroot})
