# SPDX-License-Identifier: BSD-3-Clause
#
# Finds the C++ Actor Framework: a 1.x install that CAF_ROOT names, else the system's 0.17 (which
# ships neither a CMake package nor .pc files). Others are refused with a message.
#
#   CAF_ROOT      CMake or environment variable: prefix of the CAF to take; CAF_DIR (the folder of its
#                 CAFConfig.cmake) counts as well
#   CAF::core     the actor library
#   CAF::io       networked actors
#   CAF::openssl  networked actors over TLS; only if CAF has that part and OpenSSL's headers are here
#   CAF::test     1.x only: deterministic tests (0.17 has them in CAF::core)
#   CAF_VERSION   0.17.x or 1.x.y
#
# A 1.x install is not looked for anywhere else: one that lies around by chance must not replace the
# system's. Its headers win over the system's, since its include directory comes first on the command
# line.

include(FindPackageHandleStandardArgs)

set(_caf_root "${CAF_ROOT}")
if(NOT _caf_root)
  set(_caf_root "$ENV{CAF_ROOT}")
endif()
if(_caf_root AND NOT IS_DIRECTORY "${_caf_root}")
  message(FATAL_ERROR "CAF_ROOT is ${_caf_root}, which is no folder. Let it name the prefix of a CAF 1.x install, or unset it to take the system's CAF 0.17.")
endif()

# 1.x: its exported targets name OpenSSL::SSL without finding it, so that comes first.
if(_caf_root OR CAF_DIR)
  find_package(OpenSSL QUIET)
  if(OPENSSL_FOUND)
    find_package(CAF CONFIG QUIET PATHS "${_caf_root}" NO_DEFAULT_PATH)
  endif()
endif()
if(CAF_FOUND)
  if(CAF_VERSION VERSION_LESS 1 OR CAF_VERSION VERSION_GREATER_EQUAL 2)
    message(FATAL_ERROR "CAF ${CAF_VERSION} in ${CAF_DIR} will not do: Batcher works with CAF 1.x, and with the 0.17 that Debian and Ubuntu install (unset CAF_ROOT).")
  endif()
  foreach(_caf_part IN ITEMS core io openssl test)
    set(CAF_${_caf_part}_FOUND FALSE)
    if(TARGET CAF::${_caf_part})
      set(CAF_${_caf_part}_FOUND TRUE)
    endif()
  endforeach()
  find_package_handle_standard_args(CAF CONFIG_MODE HANDLE_COMPONENTS)
  return()
endif()
if(_caf_root AND EXISTS "${_caf_root}/lib/cmake/CAF/CAFConfig.cmake" AND NOT OPENSSL_FOUND)
  message(FATAL_ERROR "The CAF in ${_caf_root} needs OpenSSL's headers: install libssl-dev.")
endif()

# 0.17: only where CAF_ROOT says, if it says anything.
set(_caf_where "")
if(_caf_root)
  set(_caf_where PATHS "${_caf_root}" PATH_SUFFIXES include lib NO_DEFAULT_PATH)
endif()
find_package(Threads REQUIRED)
find_package(OpenSSL QUIET)
find_path(CAF_INCLUDE_DIR caf/all.hpp ${_caf_where})
find_library(CAF_CORE_LIBRARY caf_core ${_caf_where})
find_library(CAF_IO_LIBRARY caf_io ${_caf_where})
find_library(CAF_OPENSSL_LIBRARY caf_openssl ${_caf_where})
mark_as_advanced(CAF_INCLUDE_DIR CAF_CORE_LIBRARY CAF_IO_LIBRARY CAF_OPENSSL_LIBRARY)

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
if(CAF_INCLUDE_DIR AND NOT CAF_VERSION VERSION_GREATER_EQUAL 0.17.5 OR CAF_VERSION VERSION_GREATER_EQUAL 0.18)
  message(FATAL_ERROR "The CAF in ${CAF_INCLUDE_DIR} is not 0.17.5 or 0.17.6. Set CAF_ROOT to the prefix of a CAF 1.x install, or leave the actors out with -DBATCHER_BUILD_ACTORS=OFF.")
endif()

find_package_handle_standard_args(
  CAF
  REQUIRED_VARS CAF_CORE_LIBRARY CAF_IO_LIBRARY CAF_INCLUDE_DIR CAF_VERSION
  VERSION_VAR CAF_VERSION
  REASON_FAILURE_MESSAGE
    "no CAF here. Install Debian's libcaf-dev, or set CAF_ROOT to the prefix of a CAF 1.x install \
(which needs OpenSSL's headers, libssl-dev), or leave the actors out with -DBATCHER_BUILD_ACTORS=OFF.")

if(CAF_FOUND AND NOT TARGET CAF::core)
  foreach(_caf_part IN ITEMS CORE IO OPENSSL)
    if(NOT CAF_${_caf_part}_LIBRARY OR _caf_part STREQUAL "OPENSSL" AND NOT OPENSSL_FOUND)
      continue()
    endif()
    string(TOLOWER ${_caf_part} _caf_name)
    add_library(CAF::${_caf_name} UNKNOWN IMPORTED)
    set_target_properties(
      CAF::${_caf_name} PROPERTIES IMPORTED_LOCATION "${CAF_${_caf_part}_LIBRARY}"
                                   INTERFACE_INCLUDE_DIRECTORIES "${CAF_INCLUDE_DIR}")
  endforeach()
  set_property(TARGET CAF::core PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
  set_property(TARGET CAF::io PROPERTY INTERFACE_LINK_LIBRARIES CAF::core)
  if(TARGET CAF::openssl)
    set_property(TARGET CAF::openssl PROPERTY INTERFACE_LINK_LIBRARIES CAF::io OpenSSL::SSL)
  endif()
endif()
