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

# Paths in it are absolute: pkg-config's own prefix is a guess.
if(BUILD_SHARED_LIBS)
  set(pkgconfig_libraries "-lonepack")
else()
  # In the order of the linker: each folder after those that use it.
  list(TRANSFORM ONEPACK_COMPONENTS PREPEND "-lonepack_" OUTPUT_VARIABLE archives)
  list(REVERSE archives)
  list(JOIN archives " " pkgconfig_libraries)
  get_target_property(xnnpack XNNPACK::XNNPACK IMPORTED_LOCATION)
  string(APPEND pkgconfig_libraries
    " ${xnnpack} -lpthreadpool -lcpuinfo -lhwy -lkissfft-float -lcrypto -lstdc++ -lm -ldl -pthread")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/onepack.pc.in onepack.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/onepack.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
