# Installs the build tree BUILD_DIR under WORK_DIR, compiles every installed header by itself, and builds and runs the
# consumer, with the programs of DATA_DIR, against what was installed. Nothing of the source tree is on any search path.

cmake_minimum_required(VERSION 3.25)

set(prefix ${WORK_DIR}/prefix)
set(sanitizer_flags "")
if(SANITIZERS)
  # Our archives call into the sanitizers' runtime. vptr needs type information that the core libraries do not have.
  set(sanitizer_flags "-fsanitize=${SANITIZERS} -fno-sanitize=vptr")
endif()
set(flags "${CXX_FLAGS} ${sanitizer_flags}")

separate_arguments(language_flags UNIX_COMMAND "${CXX_FLAGS}")

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed with ${status}:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run("Installing" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

set(include_dir ${prefix}/${INCLUDEDIR})
file(GLOB_RECURSE headers RELATIVE ${include_dir} ${include_dir}/*.h)
list(LENGTH headers count)
if(count EQUAL 0)
  message(FATAL_ERROR "no header was installed in ${include_dir}")
endif()
foreach(header IN LISTS headers)
  file(READ ${include_dir}/${header} text)
  string(REGEX MATCHALL "#include \"[^\"]*\"" includes "${text}")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "#include \"(.*)\"" "\\1" included "${include}")
    if(NOT included IN_LIST headers)
      message(FATAL_ERROR "${header} includes ${included}, which users do not have")
    endif()
  endforeach()
  file(WRITE ${WORK_DIR}/alone.cpp "#include \"${header}\"\n#include \"${header}\"\n")
  run("Compiling ${header} alone" ${CXX} ${language_flags} -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only
      -I ${include_dir} ${WORK_DIR}/alone.cpp)
endforeach()

function(run_small how program)
  run("The small consumer, built by ${how}" ${program} ${DATA_DIR}/one.pte ${DATA_DIR}/one.ptd)
endfunction()

run("Configuring the consumer" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${CONSUMER_DIR} -B ${WORK_DIR}/build
    -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_C_COMPILER=${CC} -D CMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${flags}"
    "-DCMAKE_C_FLAGS=${sanitizer_flags}")
run("Building the consumer" ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run("The consumer" ${WORK_DIR}/build/consumer ${DATA_DIR})
run_small(CMake ${WORK_DIR}/build/small_cpp)
run_small(CMake ${WORK_DIR}/build/small_c)

# Some installations are for CMake alone (cmake/Install.cmake).
if(EXISTS ${prefix}/${LIBDIR}/pkgconfig/onepack.pc)
  set(ENV{PKG_CONFIG_PATH} ${prefix}/${LIBDIR}/pkgconfig)
  execute_process(COMMAND ${PKG_CONFIG} --cflags --libs onepack OUTPUT_VARIABLE options COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(options UNIX_COMMAND "${options}")
  separate_arguments(sanitizer_options UNIX_COMMAND "${sanitizer_flags}")
  set(rpath -Wl,-rpath,${prefix}/${LIBDIR})
  run("Building C++ with pkg-config" ${CXX} ${language_flags} ${sanitizer_options} -std=c++17 ${CONSUMER_DIR}/small.cpp
      -o ${WORK_DIR}/small_cpp ${options} ${rpath})
  run_small(pkg-config ${WORK_DIR}/small_cpp)
  run("Building C with pkg-config" ${CC} ${sanitizer_options} -std=c99 -Wall -Wextra -Wpedantic -Werror
      ${CONSUMER_DIR}/small.c -o ${WORK_DIR}/small_c ${options} ${rpath})
  run_small(pkg-config ${WORK_DIR}/small_c)
endif()

# Only what the interface declares is exported: each name here is one that a public header marks. Parameters are left
# out, because they are not written alike on every machine.
if(SHARED)
  execute_process(COMMAND ${NM} -DC --defined-only ${prefix}/${LIBDIR}/libonepack.so OUTPUT_VARIABLE symbols
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[0-9a-f]+ [A-Za-z] " "" symbols "${symbols}")
  string(REGEX REPLACE "\\[abi:[a-z0-9]+\\]|\\([^\n]*" "" symbols "${symbols}")
  string(REPLACE "\n" ";" symbols "${symbols}")
  list(FILTER symbols EXCLUDE REGEX "^$")
  list(SORT symbols)
  list(REMOVE_DUPLICATES symbols)
  list(JOIN symbols "\n" found)
  file(WRITE ${WORK_DIR}/exported_symbols.txt "${found}\n")
  run("Comparing ${WORK_DIR}/exported_symbols.txt with what is to be exported" ${CMAKE_COMMAND} -E compare_files
      ${WORK_DIR}/exported_symbols.txt ${CMAKE_CURRENT_LIST_DIR}/exported_symbols.txt)
endif()
message(STATUS "${count} headers compile alone; the consumer builds and runs")
