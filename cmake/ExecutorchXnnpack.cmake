# For FindXNNPACK: the XNNPACK inside the Python package executorch, XNNPACK_LIBRARY, or _xnnpack_message says why not.
#
# The package has no xnnpack.h. delegate/xnn/executorch_xnnpack.h declares what onepack calls, as the versions named here
# have it; another version may number enumerators otherwise without an error from the linker, so it is refused.

set(ONEPACK_EXECUTORCH_VERSIONS "1.5.1")

# Sets ONEPACK_EXECUTORCH_DIR, unless it is set or Python knows no such package.
function(_onepack_find_executorch)
  if(ONEPACK_EXECUTORCH_DIR)
    return()
  endif()
  # What is built by pip is for the Python that runs it.
  find_program(ONEPACK_PYTHON NAMES ${Python_EXECUTABLE} python3 python
               DOC "Python that is asked where the package executorch is")
  set(found "")
  if(ONEPACK_PYTHON)
    # Without importing it, which would need its dependencies. While pip builds, modules that are installed are not found.
    execute_process(
      COMMAND ${ONEPACK_PYTHON} -c
              "import importlib.util as u, os, site, sysconfig
spec = u.find_spec('executorch')
found = spec.submodule_search_locations if spec else [os.path.join(folder, 'executorch') for folder in (
    sysconfig.get_path('platlib'), sysconfig.get_path('purelib'), site.getusersitepackages())]
print(next(filter(os.path.isdir, found), ''))"
      OUTPUT_VARIABLE found ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  set(ONEPACK_EXECUTORCH_DIR "${found}" CACHE PATH "Folder of the Python package executorch; empty: ask Python" FORCE)
endfunction()

# Sets `out` to the version of the package in `folder`, from the metadata that pip leaves beside it.
function(_onepack_executorch_version folder out)
  set(${out} "unknown" PARENT_SCOPE)
  file(GLOB metadata ${folder}/../executorch-*.dist-info/METADATA)
  if(metadata)
    list(GET metadata 0 metadata)
    file(STRINGS ${metadata} line REGEX "^Version: " LIMIT_COUNT 1)
    string(REGEX REPLACE "^Version: *" "" version "${line}")
    set(${out} "${version}" PARENT_SCOPE)
  endif()
endfunction()

_onepack_find_executorch()
set(_executorch_dir "${ONEPACK_EXECUTORCH_DIR}")
set(_executorch_library ${_executorch_dir}/lib/libexecutorch_backend_xnnpack.so)
set(_executorch_pool ${_executorch_dir}/lib/libexecutorch_threadpool.so)
_onepack_executorch_version("${_executorch_dir}" _executorch_version)

set(XNNPACK_LIBRARY ${_executorch_library})
if(NOT _executorch_dir)
  set(_xnnpack_message "no Python package executorch: pip install --no-deps executorch, or set ONEPACK_EXECUTORCH_DIR")
elseif(NOT EXISTS ${_executorch_library} OR NOT EXISTS ${_executorch_pool})
  set(_xnnpack_message "${_executorch_dir}/lib: no libexecutorch_backend_xnnpack.so and libexecutorch_threadpool.so")
elseif(NOT _executorch_version IN_LIST ONEPACK_EXECUTORCH_VERSIONS)
  set(_xnnpack_message
      "${_executorch_dir} is version ${_executorch_version}, and onepack knows the interface of the XNNPACK in ${ONEPACK_EXECUTORCH_VERSIONS}")
endif()

# XNNPACK calls the pthreadpool and cpuinfo in the package's own library, and so does onepack: with two of them in a
# process, a pool of the one would be handed to the other. Only their headers are the distribution's.
function(onepack_add_executorch_dependencies)
  find_path(pthreadpool_INCLUDE_DIR pthreadpool.h REQUIRED)
  find_path(cpuinfo_INCLUDE_DIR cpuinfo.h REQUIRED)
  foreach(name pthreadpool cpuinfo)
    if(NOT TARGET ${name}::${name})
      add_library(${name}::${name} SHARED IMPORTED)
      set_target_properties(${name}::${name} PROPERTIES IMPORTED_LOCATION ${_executorch_pool}
                            INTERFACE_INCLUDE_DIRECTORIES ${${name}_INCLUDE_DIR})
    endif()
  endforeach()
  set_target_properties(XNNPACK::XNNPACK PROPERTIES
    INTERFACE_LINK_LIBRARIES pthreadpool::pthreadpool
    INTERFACE_COMPILE_DEFINITIONS ONEPACK_EXECUTORCH_XNNPACK)
endfunction()
