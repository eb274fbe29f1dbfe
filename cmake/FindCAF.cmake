# SPDX-License-Identifier: BSD-3-Clause
#
# Finds the C++ Actor Framework: Debian's 0.17 (which ships neither a CMake package nor .pc files)
# or a 1.x install.
#
#   CAF_ROOT      CMake or environment variable: prefix of the CAF to take, before any other
#   CAF::core     the actor library
#   CAF::io       networked actors
#   CAF::test     1.x only: deterministic tests (0.17 has them in CAF::core)
#   CAF_VERSION   0.17.x or 1.x.y
#
# A 1.x package wins over the system's headers, because its include directory comes first on the
# command line.

# 1.x: its exported targets name OpenSSL::SSL without finding it, so that comes first.
find_package(OpenSSL QUIET)
if(OPENSSL_FOUND)
  find_package(CAF 1.0 CONFIG QUIET)
endif()
if(CAF_FOUND)
  foreach(_caf_part IN ITEMS core io test)
    set(CAF_${_caf_part}_FOUND FALSE)
    if(TARGET CAF::${_caf_part})
      set(CAF_${_caf_part}_FOUND TRUE)
    endif()
  endforeach()
  include(FindPackageHandleStandardArgs)
  find_package_handle_standard_args(CAF CONFIG_MODE HANDLE_COMPONENTS)
  return()
endif()

# 0.17: CAF_ROOT is searched before the system (CMP0074).
find_package(Threads REQUIRED)
find_path(CAF_INCLUDE_DIR caf/all.hpp)
find_library(CAF_CORE_LIBRARY caf_core)
find_library(CAF_IO_LIBRARY caf_io)
mark_as_advanced(CAF_INCLUDE_DIR CAF_CORE_LIBRARY CAF_IO_LIBRARY)

set(CAF_VERSION "")
if(CAF_INCLUDE_DIR AND EXISTS "${CAF_INCLUDE_DIR}/caf/config.hpp")
  file(STRINGS "${CAF_INCLUDE_DIR}/caf/config.hpp" _caf_line REGEX "^#define CAF_VERSION [0-9]+")
  if(_caf_line MATCHES "CAF_VERSION ([0-9]+)")
    math(EXPR _caf_major "${CMAKE_MATCH_1} / 10000")
    math(EXPR _caf_minor "${CMAKE_MATCH_1} / 100 % 100")
    math(EXPR _caf_patch "${CMAKE_MATCH_1} % 100")
    set(CAF_VERSION "${_caf_major}.${_caf_minor}.${_caf_patch}")
  endif()
endif()

# A CAF_ROOT that holds no CAF must not end in the system's.
set(_caf_root "${CAF_ROOT}")
if(NOT _caf_root)
  set(_caf_root "$ENV{CAF_ROOT}")
endif()
if(_caf_root AND CAF_INCLUDE_DIR)
  cmake_path(IS_PREFIX _caf_root "${CAF_INCLUDE_DIR}" NORMALIZE _caf_is_below_root)
  if(NOT _caf_is_below_root)
    unset(CAF_INCLUDE_DIR CACHE)
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  CAF
  REQUIRED_VARS CAF_CORE_LIBRARY CAF_IO_LIBRARY CAF_INCLUDE_DIR CAF_VERSION
  VERSION_VAR CAF_VERSION
  REASON_FAILURE_MESSAGE
    "no CAF here. Install Debian's libcaf-dev, or set CAF_ROOT to the prefix of a CAF 1.x install \
(which needs OpenSSL's headers, libssl-dev), or leave the actors out with -DBATCHER_BUILD_ACTORS=OFF.")

if(CAF_FOUND AND NOT TARGET CAF::core)
  foreach(_caf_part IN ITEMS CORE IO)
    string(TOLOWER ${_caf_part} _caf_name)
    add_library(CAF::${_caf_name} UNKNOWN IMPORTED)
    set_target_properties(
      CAF::${_caf_name} PROPERTIES IMPORTED_LOCATION "${CAF_${_caf_part}_LIBRARY}"
                                   INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
  endforeach()
  set_property(TARGET CAF::core PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
  set_property(TARGET CAF::io PROPERTY INTERFACE_LINK_LIBRARIES CAF::core)
endif()
