# Everything comes from the system: scripts/setup.sh installs it.

find_package(XNNPACK REQUIRED)
find_package(pthreadpool REQUIRED)
find_package(cpuinfo CONFIG REQUIRED)
find_package(Flatbuffers CONFIG REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Threads REQUIRED)
find_program(ONEPACK_FLATC flatc REQUIRED)

if(ONEPACK_BUILD_TOOLS OR ONEPACK_BUILD_TESTS OR ONEPACK_BUILD_EXAMPLES)
  find_package(CLI11 CONFIG REQUIRED)
  find_package(nlohmann_json CONFIG REQUIRED)
endif()
if(ONEPACK_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
endif()
