# Installs BUILD_DIR's backend under WORK_DIR, and builds and runs applications over it and the package in EXECUTORCH_DIR:
# one with find_package(onepack_executorch), one that was built without and is run with LD_LIBRARY_PATH. Each prints whose
# backend it had, and the same number.

cmake_minimum_required(VERSION 3.25)

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed with ${status}:\n${output}\n${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect what text)
  if(NOT output MATCHES "${text}")
    message(FATAL_ERROR "${what} printed:\n${output}\n${text} expected")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
set(prefix ${WORK_DIR}/prefix)
run("Installing" ${CMAKE_COMMAND} --install ${BUILD_DIR} --component executorch --prefix ${prefix})
set(ENV{CMAKE_PREFIX_PATH} "${prefix}:${EXECUTORCH_DIR}")
foreach(application consumer unchanged)
  run("Configuring ${application}" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE_DIR}/${application}
      -B ${WORK_DIR}/${application} -D CMAKE_CXX_COMPILER=${CXX})
  run("Building ${application}" ${CMAKE_COMMAND} --build ${WORK_DIR}/${application})
endforeach()

set(program ${DATA_DIR}/one.pte ${DATA_DIR}/one.ptd)
run("The unchanged application" ${WORK_DIR}/unchanged/unchanged ${program})
expect("The unchanged application" "^executorch ")
string(REGEX MATCH " .*" number "${output}")
run("The consumer" ${WORK_DIR}/consumer/consumer ${program})
expect("The consumer" "^onepack${number}")
run("The unchanged application over ours" ${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR}/onepack_executorch
    ${WORK_DIR}/unchanged/unchanged ${program})
expect("The unchanged application over ours" "^onepack${number}")

# The other order is said to be wrong.
file(WRITE ${WORK_DIR}/late/CMakeLists.txt "
cmake_minimum_required(VERSION 3.28)
project(late LANGUAGES CXX)
find_package(executorch REQUIRED)
find_package(onepack_executorch REQUIRED)
")
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.28)
  execute_process(COMMAND ${CMAKE_COMMAND} -G ${GENERATOR} -S ${WORK_DIR}/late -B ${WORK_DIR}/late/build
                  -D CMAKE_CXX_COMPILER=${CXX}
                  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  expect("find_package in the other order" "Put find_package\\(onepack_executorch\\) *first")
endif()
