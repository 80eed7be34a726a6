# onepack::onepack, what applications link: all folders that have public headers, and what these need. One shared library
# or, as BUILD_SHARED_LIBS says, the static ones together.
get_property(ONEPACK_COMPONENTS GLOBAL PROPERTY ONEPACK_COMPONENTS)
if(BUILD_SHARED_LIBS)
  add_library(onepack SHARED)
  target_link_options(onepack PRIVATE LINKER:--whole-archive)
  foreach(component IN LISTS ONEPACK_COMPONENTS)
    # By its path: as a target it would come once more with each of those that use it.
    target_link_options(onepack PRIVATE $<TARGET_FILE:onepack_${component}>)
    set_property(TARGET onepack APPEND PROPERTY LINK_DEPENDS $<TARGET_FILE:onepack_${component}>)
    add_dependencies(onepack onepack_${component})
  endforeach()
  target_link_options(onepack PRIVATE LINKER:--no-whole-archive)
  target_link_libraries(onepack PRIVATE XNNPACK::XNNPACK pthreadpool::pthreadpool cpuinfo::cpuinfo hwy::hwy
                        kissfft::kissfft-float OpenSSL::Crypto Threads::Threads ${CMAKE_DL_LIBS})
  # The standard library's templates are in here, too, and are not hidden by themselves.
  set(version_script ${CMAKE_CURRENT_LIST_DIR}/onepack.map)
  target_link_options(onepack PRIVATE LINKER:--version-script=${version_script} LINKER:--no-undefined)
  set_property(TARGET onepack APPEND PROPERTY LINK_DEPENDS ${version_script})
  # An XNNPACK that is not the system's is found where it was when this was built.
  set_target_properties(onepack PROPERTIES LINKER_LANGUAGE CXX INSTALL_RPATH_USE_LINK_PATH ON
                        VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  target_compile_features(onepack INTERFACE cxx_std_17)
  target_include_directories(onepack INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  get_property(public_headers GLOBAL PROPERTY ONEPACK_PUBLIC_HEADERS)
  onepack_install_headers(onepack onepack.h ${public_headers})
else()
  add_library(onepack INTERFACE)
  list(TRANSFORM ONEPACK_COMPONENTS PREPEND onepack:: OUTPUT_VARIABLE components)
  target_link_libraries(onepack INTERFACE ${components})
  onepack_install_headers(onepack onepack.h)
endif()
add_library(onepack::onepack ALIAS onepack)
