# How a folder becomes a target.

# Warnings and sanitizers for our own code, never forced on those who link it.
add_library(onepack_build_flags INTERFACE)
target_compile_options(onepack_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  $<$<BOOL:${ONEPACK_WARNINGS_AS_ERRORS}>:-Werror>)
if(ONEPACK_SANITIZERS)
  # vptr needs the type information that the core libraries are built without.
  add_compile_options(-fsanitize=${ONEPACK_SANITIZERS} -fno-sanitize=vptr -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${ONEPACK_SANITIZERS})
endif()

# onepack_library(NAME SOURCES ... HEADERS ... [CORE] [INTERNAL])
#   HEADERS   the public ones, in include/onepack; installed
#   CORE      keeps the promise of using nothing from the C++ standard library's archive
#   INTERNAL  not installed
function(onepack_library name)
  cmake_parse_arguments(ARG "CORE;INTERNAL" "" "SOURCES;HEADERS" ${ARGN})
  set(target onepack_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(onepack::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} PUBLIC cxx_std_17)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:onepack_build_flags>)
  if(ARG_CORE)
    target_compile_options(${target} PRIVATE -fno-exceptions -fno-rtti)
    set_property(GLOBAL APPEND PROPERTY ONEPACK_CORE_TARGETS ${target})
  endif()
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(ARG_INTERNAL OR NOT ONEPACK_INSTALL)
    return()
  endif()
  list(TRANSFORM ARG_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/include/onepack/)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${ARG_HEADERS})
  install(TARGETS ${target} EXPORT onepack FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()
