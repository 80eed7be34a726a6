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

# onepack_install_headers(TARGET HEADER...): of include/onepack, with the target.
function(onepack_install_headers target)
  set(headers ${ARGN})
  list(TRANSFORM headers PREPEND ${PROJECT_SOURCE_DIR}/include/onepack/)
  get_target_property(type ${target} TYPE)
  set(scope PUBLIC)
  if(type STREQUAL INTERFACE_LIBRARY)
    set(scope INTERFACE)
  endif()
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  if(ONEPACK_INSTALL)
    install(TARGETS ${target} EXPORT onepack FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
endfunction()

# Headers take longer to read than most files to compile. Off by default: it hides what a file forgets to include, and one
# changed file compiles its neighbours. The presets ask the environment.
option(ONEPACK_UNITY "Compile several files of a library together" OFF)

# onepack_library(NAME SOURCES ... HEADERS ... [CORE] [INTERNAL] [TOGETHER] [APART ...])
#   HEADERS   the public ones, in include/onepack; installed
#   CORE      keeps the promise of using nothing from the C++ standard library's archive
#   INTERNAL  no part of what applications link
#   TOGETHER  its files may be compiled together (ONEPACK_UNITY), but not those of APART, which have functions of the same
#             names as others
function(onepack_library name)
  cmake_parse_arguments(ARG "CORE;INTERNAL;TOGETHER" "" "SOURCES;HEADERS;APART" ${ARGN})
  set(target onepack_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(onepack::${name} ALIAS ${target})
  # Static libraries may become part of a shared one, an application's or ours: what is not marked with ONEPACK_API is
  # hidden there.
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} C_VISIBILITY_PRESET hidden
                        CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_compile_features(${target} PUBLIC cxx_std_17)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:onepack_build_flags>)
  if(ARG_CORE)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions$<SEMICOLON>-fno-rtti>)
    set_property(GLOBAL APPEND PROPERTY ONEPACK_CORE_TARGETS ${target})
  endif()
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(ARG_TOGETHER AND ONEPACK_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endif()
  if(NOT ARG_INTERNAL)
    set_property(GLOBAL APPEND PROPERTY ONEPACK_COMPONENTS ${name})
    set_property(GLOBAL APPEND PROPERTY ONEPACK_PUBLIC_HEADERS ${ARG_HEADERS})
    if(NOT BUILD_SHARED_LIBS)
      onepack_install_headers(${target} ${ARG_HEADERS})
    endif()
  endif()
endfunction()
