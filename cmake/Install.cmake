# The package: what find_package(onepack) and pkg-config find.
include(CMakePackageConfigHelpers)
set(ONEPACK_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/onepack)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/onepackConfig.cmake.in onepackConfig.cmake
                              INSTALL_DESTINATION ${ONEPACK_CMAKE_DIR})
write_basic_package_version_file(onepackConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT onepack NAMESPACE onepack:: DESTINATION ${ONEPACK_CMAKE_DIR} FILE onepackTargets.cmake)
install(FILES ${PROJECT_BINARY_DIR}/onepackConfig.cmake ${PROJECT_BINARY_DIR}/onepackConfigVersion.cmake
        DESTINATION ${ONEPACK_CMAKE_DIR})
if(NOT BUILD_SHARED_LIBS)
  # Those who link static libraries look for what these need.
  install(FILES cmake/FindXNNPACK.cmake cmake/ExecutorchXnnpack.cmake cmake/Findkissfft.cmake cmake/Findpthreadpool.cmake
          DESTINATION ${ONEPACK_CMAKE_DIR})
endif()

# Static libraries over another XNNPACK than the system's are for CMake alone: what that one needs is not to be had by
# the names of libraries.
if(BUILD_SHARED_LIBS)
  set(pkgconfig_libraries "-lonepack")
elseif(ONEPACK_XNNPACK STREQUAL "system" AND NOT ONEPACK_XNNPACK_LIBRARY)
  # In the order of the linker: each folder after those that use it.
  list(TRANSFORM ONEPACK_COMPONENTS PREPEND "-lonepack_" OUTPUT_VARIABLE libraries)
  list(REVERSE libraries)
  set(standard_library ${CMAKE_CXX_IMPLICIT_LINK_LIBRARIES})
  list(FILTER standard_library INCLUDE REGEX "^(std)?c\\+\\+")
  list(TRANSFORM standard_library PREPEND "-l")
  list(APPEND libraries -lXNNPACK -lpthreadpool -lcpuinfo -lhwy -lkissfft-float -lcrypto ${standard_library} -lm -ldl
       -pthread)
  list(JOIN libraries " " pkgconfig_libraries)
else()
  return()
endif()
# Relative where they can be: so the package may be moved as a whole.
set(libdir ${CMAKE_INSTALL_LIBDIR})
set(includedir ${CMAKE_INSTALL_INCLUDEDIR})
foreach(folder libdir includedir)
  if(NOT IS_ABSOLUTE "${${folder}}")
    string(PREPEND ${folder} "\${prefix}/")
  endif()
endforeach()
file(RELATIVE_PATH prefix_from_here ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_CURRENT_LIST_DIR}/onepack.pc.in onepack.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/onepack.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
