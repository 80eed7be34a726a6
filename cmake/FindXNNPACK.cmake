# XNNPACK::XNNPACK, from one of four places (docs/xnnpack.md):
#
#   ONEPACK_XNNPACK=system (the default)   the distribution's package, which ships no CMake config
#   ONEPACK_XNNPACK_INCLUDE_DIR, ONEPACK_XNNPACK_LIBRARY
#                                          any other: the folder of its xnnpack.h, and its library. Of static ones a
#                                          list, closed: XNNPACK's archive first and then all that it needs
#   ONEPACK_XNNPACK=executorch             the one inside the Python package executorch, with the pthreadpool and cpuinfo
#                                          that it was built with: pthreadpool::pthreadpool and cpuinfo::cpuinfo are made
#                                          here, too. ONEPACK_EXECUTORCH_DIR is the folder of the package, and Python is
#                                          asked for it otherwise
#   ONEPACK_XNNPACK=headers                headers alone, for a platform that has no library of it: all of onepack's
#                                          libraries are built, and nothing is that has to be linked with XNNPACK

# An installed onepack sets them, to what it was built with.
if(NOT DEFINED ONEPACK_XNNPACK)
  set(ONEPACK_XNNPACK "system" CACHE STRING "Which XNNPACK: system, executorch for the Python package's, or headers")
  set_property(CACHE ONEPACK_XNNPACK PROPERTY STRINGS system executorch headers)
endif()
if(NOT DEFINED ONEPACK_XNNPACK_INCLUDE_DIR)
  set(ONEPACK_XNNPACK_INCLUDE_DIR "" CACHE PATH "Folder of the xnnpack.h of another XNNPACK than the distribution's")
endif()
if(NOT DEFINED ONEPACK_XNNPACK_LIBRARY)
  set(ONEPACK_XNNPACK_LIBRARY "" CACHE STRING "Its library; of a static one, that and all archives it needs")
endif()

set(_xnnpack_message "")
if(ONEPACK_XNNPACK STREQUAL "executorch")
  include(${CMAKE_CURRENT_LIST_DIR}/ExecutorchXnnpack.cmake)
  set(_xnnpack_required XNNPACK_LIBRARY)
elseif(ONEPACK_XNNPACK MATCHES "^(system|headers)$")
  set(_xnnpack_required XNNPACK_LIBRARY XNNPACK_INCLUDE_DIR)
  if(ONEPACK_XNNPACK STREQUAL "headers")
    set(_xnnpack_required XNNPACK_INCLUDE_DIR)
    find_path(XNNPACK_INCLUDE_DIR xnnpack.h HINTS ${ONEPACK_XNNPACK_INCLUDE_DIR})
  elseif(ONEPACK_XNNPACK_LIBRARY OR ONEPACK_XNNPACK_INCLUDE_DIR)
    if(NOT EXISTS "${ONEPACK_XNNPACK_INCLUDE_DIR}/xnnpack.h")
      set(_xnnpack_message "ONEPACK_XNNPACK_INCLUDE_DIR: no xnnpack.h in \"${ONEPACK_XNNPACK_INCLUDE_DIR}\"")
    elseif(NOT ONEPACK_XNNPACK_LIBRARY)
      set(_xnnpack_message "ONEPACK_XNNPACK_INCLUDE_DIR is set, and ONEPACK_XNNPACK_LIBRARY is not")
    endif()
    set(XNNPACK_INCLUDE_DIR ${ONEPACK_XNNPACK_INCLUDE_DIR})
    set(_xnnpack_closure ${ONEPACK_XNNPACK_LIBRARY})
    list(POP_FRONT _xnnpack_closure XNNPACK_LIBRARY)
    foreach(_xnnpack_file ${ONEPACK_XNNPACK_LIBRARY})
      # What begins with a dash is an option for the linker.
      if(NOT _xnnpack_file MATCHES "^-" AND NOT EXISTS "${_xnnpack_file}")
        set(_xnnpack_message "ONEPACK_XNNPACK_LIBRARY: no file \"${_xnnpack_file}\"")
      endif()
    endforeach()
  else()
    find_path(XNNPACK_INCLUDE_DIR xnnpack.h)
    find_library(XNNPACK_LIBRARY XNNPACK)
    set(_xnnpack_closure "")
  endif()
  # onepack rests on the public provider interface, which older releases lack.
  if(XNNPACK_INCLUDE_DIR AND NOT _xnnpack_message)
    file(STRINGS ${XNNPACK_INCLUDE_DIR}/xnnpack.h _xnnpack_provider REGEX "struct xnn_weights_cache_provider {")
    if(NOT _xnnpack_provider)
      set(_xnnpack_message
          "${XNNPACK_INCLUDE_DIR}/xnnpack.h has no xnn_weights_cache_provider: too old. Run scripts/setup.sh.")
    endif()
  endif()
else()
  set(_xnnpack_required XNNPACK_LIBRARY)
  set(_xnnpack_message "ONEPACK_XNNPACK is \"${ONEPACK_XNNPACK}\": system, executorch or headers expected")
endif()
if(_xnnpack_message)
  # Not to the cache: a later run looks again.
  set(XNNPACK_LIBRARY XNNPACK_LIBRARY-NOTFOUND)
  set(XNNPACK_INCLUDE_DIR XNNPACK_INCLUDE_DIR-NOTFOUND)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XNNPACK REQUIRED_VARS ${_xnnpack_required}
                                  REASON_FAILURE_MESSAGE "${_xnnpack_message}")
if(XNNPACK_FOUND AND NOT TARGET XNNPACK::XNNPACK AND ONEPACK_XNNPACK STREQUAL "headers")
  add_library(XNNPACK::XNNPACK INTERFACE IMPORTED)
  set_target_properties(XNNPACK::XNNPACK PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${XNNPACK_INCLUDE_DIR})
elseif(XNNPACK_FOUND AND NOT TARGET XNNPACK::XNNPACK)
  add_library(XNNPACK::XNNPACK UNKNOWN IMPORTED)
  set_target_properties(XNNPACK::XNNPACK PROPERTIES IMPORTED_LOCATION ${XNNPACK_LIBRARY})
  if(ONEPACK_XNNPACK STREQUAL "executorch")
    onepack_add_executorch_dependencies()
  else()
    set_target_properties(XNNPACK::XNNPACK PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${XNNPACK_INCLUDE_DIR})
    if(XNNPACK_LIBRARY MATCHES "\\.a$")
      # An archive is read once, and what it needs has to come after it.
      set_target_properties(XNNPACK::XNNPACK PROPERTIES INTERFACE_LINK_LIBRARIES
                            "${_xnnpack_closure};pthreadpool::pthreadpool;cpuinfo::cpuinfo;${CMAKE_DL_LIBS};m")
    elseif(_xnnpack_closure)
      set_target_properties(XNNPACK::XNNPACK PROPERTIES INTERFACE_LINK_LIBRARIES "${_xnnpack_closure}")
    endif()
  endif()
endif()
