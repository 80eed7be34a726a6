# kissfft::kissfft-float. Not through the package's own CMake config: that has to be told whether the library is a shared
# one, and stops where another project has asked for another type.

find_path(kissfft_INCLUDE_DIR kissfft/kiss_fft.h)
find_library(kissfft_LIBRARY kissfft-float)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(kissfft REQUIRED_VARS kissfft_LIBRARY kissfft_INCLUDE_DIR)
if(kissfft_FOUND AND NOT TARGET kissfft::kissfft-float)
  add_library(kissfft::kissfft-float UNKNOWN IMPORTED)
  set_target_properties(kissfft::kissfft-float PROPERTIES IMPORTED_LOCATION ${kissfft_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${kissfft_INCLUDE_DIR})
endif()
