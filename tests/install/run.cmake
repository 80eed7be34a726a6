# Installs the build tree BUILD_DIR under WORK_DIR, compiles every installed header by itself, and builds and runs the
# consumer, with the programs of DATA_DIR, against what was installed. Nothing of the source tree is on any search path.

set(prefix ${WORK_DIR}/prefix)
set(flags "${CXX_FLAGS}")
if(SANITIZERS)
  # Our archives call into the sanitizers' runtime. vptr needs type information that the core libraries do not have.
  string(APPEND flags " -fsanitize=${SANITIZERS} -fno-sanitize=vptr")
endif()

separate_arguments(language_flags UNIX_COMMAND "${CXX_FLAGS}")

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed with ${status}:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run("Installing" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

set(include_dir ${prefix}/include)
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

run("Configuring the consumer" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${CONSUMER_DIR} -B ${WORK_DIR}/build
    -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${flags}")
run("Building the consumer" ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run("The consumer" ${WORK_DIR}/build/consumer ${DATA_DIR})

# The same by pkg-config.
set(ENV{PKG_CONFIG_PATH} ${prefix}/${LIBDIR}/pkgconfig)
execute_process(COMMAND ${PKG_CONFIG} --cflags --libs onepack OUTPUT_VARIABLE options COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(options UNIX_COMMAND "${options}")
separate_arguments(flags UNIX_COMMAND "${flags}")
run("Building with pkg-config" ${CXX} -std=c++17 ${flags} ${CONSUMER_DIR}/main.cpp -o ${WORK_DIR}/by_pkg_config ${options}
    -Wl,-rpath,${prefix}/${LIBDIR})
run("What pkg-config built" ${WORK_DIR}/by_pkg_config ${DATA_DIR})

# Only what the interface declares is exported: each name here is one that a public header marks. Parameters are left
# out, because they are not written alike on every machine.
if(SHARED)
  execute_process(COMMAND ${NM} -DC --defined-only ${prefix}/${LIBDIR}/libonepack.so OUTPUT_VARIABLE symbols
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[0-9a-f]+ [A-Za-z] " "" symbols "${symbols}")
  string(REGEX REPLACE "\\[abi:[a-z0-9]+\\]|\\([^\n]*" "" symbols "${symbols}")
  string(REPLACE "\n" ";" symbols "${symbols}")
  list(SORT symbols)
  list(REMOVE_DUPLICATES symbols)
  list(JOIN symbols "\n" found)
  file(WRITE ${WORK_DIR}/exported_symbols.txt "${found}\n")
  run("Comparing ${WORK_DIR}/exported_symbols.txt with what is to be exported" ${CMAKE_COMMAND} -E compare_files
      ${WORK_DIR}/exported_symbols.txt ${CMAKE_CURRENT_LIST_DIR}/exported_symbols.txt)
endif()
message(STATUS "${count} headers compile alone; the consumer builds and runs")
