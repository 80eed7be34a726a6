# Installs the build tree BUILD_DIR under WORK_DIR, compiles every installed header by itself, and builds and runs the
# consumer, with the programs of DATA_DIR, against what was installed. Nothing of the source tree is on any search path.

set(prefix ${WORK_DIR}/prefix)
set(flags "")
if(SANITIZERS)
  # Our archives call into the sanitizers' runtime. vptr needs type information that the core libraries do not have.
  set(flags "-fsanitize=${SANITIZERS} -fno-sanitize=vptr")
endif()

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed with ${status}:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run("Installing" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})

set(include_dir ${prefix}/include/onepack)
file(GLOB_RECURSE headers RELATIVE ${include_dir} ${include_dir}/*.h)
list(LENGTH headers count)
if(count EQUAL 0)
  message(FATAL_ERROR "no header was installed in ${include_dir}")
endif()
file(GLOB_RECURSE generated ${prefix}/*_generated.h)
if(generated)
  message(FATAL_ERROR "generated headers are no part of the package: ${generated}")
endif()
foreach(header IN LISTS headers)
  file(READ ${include_dir}/${header} text)
  if(text MATCHES "#include [<\"](flatbuffers/[^>\"]*|[^>\"]*_generated\\.h)")
    message(FATAL_ERROR "${header} includes ${CMAKE_MATCH_1}, which users do not have")
  endif()
  file(WRITE ${WORK_DIR}/alone.cpp "#include \"${header}\"\n#include \"${header}\"\n")
  run("Compiling ${header} alone" ${CXX} -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only
      -I ${include_dir} ${WORK_DIR}/alone.cpp)
endforeach()

run("Configuring the consumer" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${CONSUMER_DIR} -B ${WORK_DIR}/build
    -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${flags}")
run("Building the consumer" ${CMAKE_COMMAND} --build ${WORK_DIR}/build)
run("The consumer" ${WORK_DIR}/build/consumer ${DATA_DIR})
message(STATUS "${count} headers compile alone; the consumer builds and runs")
