# find_package(onepack_executorch) before find_package(executorch), and executorch::backend_xnnpack, which
# EXECUTORCH_LIBRARIES has, is onepack's backend in place of ExecuTorch's own. Nothing else changes in the application.
#
# Also defines onepack::executorch, for applications that include onepack_executorch.h: it links the same library.

if(TARGET executorch::runtime AND NOT TARGET onepack::executorch)
  set(onepack_executorch_FOUND FALSE)
  set(onepack_executorch_NOT_FOUND_MESSAGE
      "find_package(executorch) was there before: executorch::backend_xnnpack is ExecuTorch's own already. Put find_package(onepack_executorch) first")
  return()
endif()

get_filename_component(_onepack_executorch_dir "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)
set(_onepack_executorch_library "${_onepack_executorch_dir}/libexecutorch_backend_xnnpack.so")
if(NOT EXISTS "${_onepack_executorch_library}")
  set(onepack_executorch_FOUND FALSE)
  set(onepack_executorch_NOT_FOUND_MESSAGE "there is no ${_onepack_executorch_library}")
  return()
endif()

# A library that registers itself, which the linker would leave out.
set(_onepack_executorch_options "LINKER:--push-state,--no-as-needed,${_onepack_executorch_library},--pop-state")
if(NOT TARGET onepack::executorch)
  add_library(onepack::executorch SHARED IMPORTED)
  set_target_properties(onepack::executorch PROPERTIES
    IMPORTED_LOCATION "${_onepack_executorch_library}"
    INTERFACE_INCLUDE_DIRECTORIES "${_onepack_executorch_dir}/include"
    INTERFACE_LINK_OPTIONS "${_onepack_executorch_options}")
endif()

# A program asks for libexecutorch_backend_xnnpack.so by this name alone, and ExecuTorch's libraries, all in the folder of
# their own one, bring that folder along: ours has to be looked at first. What targets ask for comes behind what their folder
# does.
add_link_options("LINKER:--enable-new-dtags" "LINKER:-rpath,${_onepack_executorch_dir}")
# Before CMake 3.28 ExecuTorch's package has no targets, and EXECUTORCH_LIBRARIES names its libraries by their paths. Else it
# takes a target that is there.
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.28 AND NOT TARGET executorch::backend_xnnpack)
  add_library(executorch::backend_xnnpack SHARED IMPORTED)
  set_target_properties(executorch::backend_xnnpack PROPERTIES
    IMPORTED_LOCATION "${_onepack_executorch_library}"
    INTERFACE_LINK_LIBRARIES executorch::runtime
    INTERFACE_LINK_OPTIONS "${_onepack_executorch_options}")
endif()
set(onepack_executorch_FOUND TRUE)
