# SPDX-License-Identifier: BSD-3-Clause
#
# Installs the package files that find_package(batcher) reads. The libraries install themselves
# (BatcherLibrary).

include(CMakePackageConfigHelpers)

set(batcher_cmake_dir "${CMAKE_INSTALL_LIBDIR}/cmake/batcher")

# Headers and library of the actors hold for the CAF that they were built with.
if(BATCHER_BUILD_ACTORS)
  set(batcher_caf_version "${CAF_VERSION}")
  set(batcher_caf_root "${CAF_ROOT}")
  if(NOT batcher_caf_root)
    set(batcher_caf_root "$ENV{CAF_ROOT}")
  endif()
  set(batcher_has_tls FALSE)
  if(TARGET CAF::openssl)
    set(batcher_has_tls TRUE)
  endif()
endif()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/batcher-config.cmake.in"
  "${PROJECT_BINARY_DIR}/batcher-config.cmake"
  INSTALL_DESTINATION "${batcher_cmake_dir}")
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/batcher-config-version.cmake"
  COMPATIBILITY SameMinorVersion) # before 1.0 every minor version may break

install(
  FILES "${PROJECT_BINARY_DIR}/batcher-config.cmake"
        "${PROJECT_BINARY_DIR}/batcher-config-version.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindCAF.cmake"
  DESTINATION "${batcher_cmake_dir}"
  COMPONENT batcher_core)
