# A toolchain for Linux with musl instead of glibc: zig's clang and libc++, with what scripts/musl.sh puts into a folder.
# Stands in for Android's, which has a C library of its own and libc++, too (docs/android.md).

set(ONEPACK_MUSL_PROCESSOR x86_64 CACHE STRING "x86_64 or aarch64")
set(ONEPACK_MUSL_DIR ${CMAKE_CURRENT_LIST_DIR}/../build/musl/${ONEPACK_MUSL_PROCESSOR} CACHE PATH
    "What scripts/musl.sh made: zig, and the libraries for musl in root/")
# For the compiler checks, which are projects of their own.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ONEPACK_MUSL_PROCESSOR ONEPACK_MUSL_DIR)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${ONEPACK_MUSL_PROCESSOR})
get_filename_component(zig ${ONEPACK_MUSL_DIR}/zig REALPATH)
set(CMAKE_C_COMPILER ${zig} cc)
set(CMAKE_CXX_COMPILER ${zig} c++)
set(CMAKE_C_COMPILER_TARGET ${ONEPACK_MUSL_PROCESSOR}-linux-musl)
set(CMAKE_CXX_COMPILER_TARGET ${ONEPACK_MUSL_PROCESSOR}-linux-musl)
set(CMAKE_AR ${zig})
foreach(language C CXX)
  set(CMAKE_${language}_ARCHIVE_CREATE "<CMAKE_AR> ar qc <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_APPEND "<CMAKE_AR> ar q <TARGET> <LINK_FLAGS> <OBJECTS>")
  set(CMAKE_${language}_ARCHIVE_FINISH "")
endforeach()
# libcrypto is a shared library, so executables start with musl's loader.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,--dynamic-linker=${ONEPACK_MUSL_DIR}/root/lib/ld-musl.so.1")
if(NOT ONEPACK_MUSL_PROCESSOR STREQUAL CMAKE_HOST_SYSTEM_PROCESSOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${ONEPACK_MUSL_PROCESSOR})
endif()

set(CMAKE_FIND_ROOT_PATH ${ONEPACK_MUSL_DIR}/root)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
