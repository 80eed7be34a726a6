# Installs BUILD_DIR's backend under WORK_DIR, with the Python package's own files beside it, as pip does, and runs
# test_python.py with PYTHON and the package executorch in EXECUTORCH_DIR.

cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK_DIR})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD_DIR} --component executorch --prefix ${WORK_DIR}
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(COPY ${SOURCE_DIR}/python/onepack_executorch DESTINATION ${WORK_DIR}/${LIBDIR})
get_filename_component(executorch_parent ${EXECUTORCH_DIR} DIRECTORY)
set(ENV{PYTHONPATH} "${WORK_DIR}/${LIBDIR}:${executorch_parent}")
execute_process(COMMAND ${PYTHON} ${SOURCE_DIR}/tests/test_python.py COMMAND_ERROR_IS_FATAL ANY)
