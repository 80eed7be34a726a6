# onepack_hugging_face_crate: the Rust library in tools/hugging_face_tokenizer, built by cargo; no such target where it is
# left out (ONEPACK_HUGGING_FACE_TOKENIZER). It is built first while CMake configures, so that AUTO leaves it out where it cannot
# be built; later, when its sources change, by the build. Crates are downloaded by scripts/setup.sh --rust, or with ON while CMake
# configures: never with AUTO, and never by the build.

set(crate ${PROJECT_SOURCE_DIR}/tools/hugging_face_tokenizer)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${crate}/Cargo.toml)

# why_not: empty where the crate has been built, for what rustc calls host.
function(build_crate why_not host)
  if(CMAKE_CROSSCOMPILING)
    set(${why_not} "this is built for another processor" PARENT_SCOPE)
    return()
  endif()
  find_program(ONEPACK_CARGO cargo)
  if(NOT ONEPACK_CARGO)
    set(${why_not} "there is no cargo" PARENT_SCOPE)
    return()
  endif()
  file(STRINGS ${crate}/Cargo.toml wanted REGEX "^rust-version")
  string(REGEX MATCH "[0-9.]+" wanted "${wanted}")
  execute_process(COMMAND ${ONEPACK_CARGO} --version OUTPUT_VARIABLE version ERROR_QUIET)
  string(REGEX MATCH "[0-9.]+" version "${version}")
  if(version VERSION_LESS wanted)
    set(${why_not} "${ONEPACK_CARGO} is ${version}, older than ${wanted}" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND rustc --print host-tuple OUTPUT_VARIABLE tuple OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT tuple MATCHES "^${CMAKE_SYSTEM_PROCESSOR}-")
    set(${why_not} "rustc builds for \"${tuple}\", and this is built for ${CMAKE_SYSTEM_PROCESSOR}" PARENT_SCOPE)
    return()
  endif()
  set(${host} ${tuple} PARENT_SCOPE)
  if(ONEPACK_HUGGING_FACE_TOKENIZER STREQUAL "AUTO")
    set(offline --offline)
  endif()
  message(STATUS "Building Hugging Face's tokenizers with cargo")
  execute_process(COMMAND ${ONEPACK_CARGO} build --release --quiet ${offline} --target ${tuple}
                          --manifest-path ${crate}/Cargo.toml --target-dir ${ONEPACK_CARGO_TARGET_DIR}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    set(${why_not} "cargo build: ${output}" PARENT_SCOPE)
  endif()
endfunction()

if(NOT ONEPACK_HUGGING_FACE_TOKENIZER)
  return()
endif()
build_crate(why_not host)
if(why_not AND ONEPACK_HUGGING_FACE_TOKENIZER STREQUAL "AUTO")
  string(REGEX REPLACE "\n.*" "" why_not "${why_not}")
  message(STATUS "Without Hugging Face's tokenizers (scripts/setup.sh --rust): ${why_not}")
  return()
elseif(why_not)
  message(FATAL_ERROR "ONEPACK_HUGGING_FACE_TOKENIZER=ON: ${why_not}\nscripts/setup.sh --rust installs what is needed.")
endif()

set(library ${ONEPACK_CARGO_TARGET_DIR}/${host}/release/libonepack_hugging_face_tokenizer.a)
add_custom_command(
  OUTPUT ${library}
  COMMAND ${ONEPACK_CARGO} build --release --quiet --frozen --target ${host} --manifest-path ${crate}/Cargo.toml
          --target-dir ${ONEPACK_CARGO_TARGET_DIR}
  COMMAND ${CMAKE_COMMAND} -E touch_nocreate ${library}  # cargo leaves one that is up to date as old as it is
  DEPENDS ${crate}/Cargo.toml ${crate}/src/lib.rs
  COMMENT "Building Hugging Face's tokenizers with cargo"
  VERBATIM)
add_custom_target(onepack_hugging_face_library DEPENDS ${library})
add_library(onepack_hugging_face_crate STATIC IMPORTED GLOBAL)
set_target_properties(onepack_hugging_face_crate PROPERTIES
  IMPORTED_LOCATION ${library}
  INTERFACE_LINK_OPTIONS LINKER:--gc-sections  # each of its functions is a section
  INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS};m")
add_dependencies(onepack_hugging_face_crate onepack_hugging_face_library)
