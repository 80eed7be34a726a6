# XNNPACK::XNNPACK, from a distribution package that ships no CMake config.

find_path(XNNPACK_INCLUDE_DIR xnnpack.h)
find_library(XNNPACK_LIBRARY XNNPACK)

# onepack rests on the public provider interface, which older releases lack.
if(XNNPACK_INCLUDE_DIR)
  file(STRINGS ${XNNPACK_INCLUDE_DIR}/xnnpack.h _xnnpack_provider REGEX "struct xnn_weights_cache_provider {")
  if(NOT _xnnpack_provider)
    set(XNNPACK_NOT_FOUND_MESSAGE
        "${XNNPACK_INCLUDE_DIR}/xnnpack.h has no xnn_weights_cache_provider: too old. Run scripts/setup.sh.")
    set(XNNPACK_INCLUDE_DIR XNNPACK_INCLUDE_DIR-NOTFOUND)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XNNPACK REQUIRED_VARS XNNPACK_LIBRARY XNNPACK_INCLUDE_DIR
                                  REASON_FAILURE_MESSAGE "${XNNPACK_NOT_FOUND_MESSAGE}")
if(XNNPACK_FOUND AND NOT TARGET XNNPACK::XNNPACK)
  add_library(XNNPACK::XNNPACK UNKNOWN IMPORTED)
  set_target_properties(XNNPACK::XNNPACK PROPERTIES IMPORTED_LOCATION ${XNNPACK_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${XNNPACK_INCLUDE_DIR})
endif()
