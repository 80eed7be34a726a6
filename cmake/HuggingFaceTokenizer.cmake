# onepack_hugging_face_crate: the Rust library in tools/hugging_face_tokenizer, built by cargo; no such target where it is
# left out (ONEPACK_HUGGING_FACE_TOKENIZER). Crates are downloaded by scripts/setup.sh --rust, or here with ON: never with
# AUTO, and never by the build.

set(crate ${PROJECT_SOURCE_DIR}/tools/hugging_face_tokenizer)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${crate}/Cargo.toml)

# why_not: empty where the crate can be built.
function(find_crates why_not)
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
    set(${why_not} "cargo ${version} is older than ${wanted}" PARENT_SCOPE)
    return()
  endif()
  if(ONEPACK_HUGGING_FACE_TOKENIZER STREQUAL "AUTO")
    set(offline --offline)
  endif()
  execute_process(COMMAND rustc --print host-tuple OUTPUT_VARIABLE host OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${ONEPACK_CARGO} fetch --quiet ${offline} --target ${host} --manifest-path ${crate}/Cargo.toml
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    set(${why_not} "cargo fetch: ${output}" PARENT_SCOPE)
  endif()
endfunction()

if(NOT ONEPACK_HUGGING_FACE_TOKENIZER)
  return()
endif()
find_crates(why_not)
if(why_not AND ONEPACK_HUGGING_FACE_TOKENIZER STREQUAL "AUTO")
  string(REGEX REPLACE "\n.*" "" why_not "${why_not}")
  message(STATUS "Without Hugging Face's tokenizers (scripts/setup.sh --rust): ${why_not}")
  return()
elseif(why_not)
  message(FATAL_ERROR "ONEPACK_HUGGING_FACE_TOKENIZER=ON: ${why_not}\nscripts/setup.sh --rust installs what is needed.")
endif()

set(library ${ONEPACK_CARGO_TARGET_DIR}/release/libonepack_hugging_face_tokenizer.a)
add_custom_command(
  OUTPUT ${library}
  COMMAND ${ONEPACK_CARGO} build --release --quiet --frozen --manifest-path ${crate}/Cargo.toml
          --target-dir ${ONEPACK_CARGO_TARGET_DIR}
  COMMAND ${CMAKE_COMMAND} -E touch ${library}  # cargo leaves one that is up to date as old as it is
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
