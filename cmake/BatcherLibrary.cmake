# SPDX-License-Identifier: BSD-3-Clause
#
# batcher_add_library(<part> SOURCES <file>... HEADERS <file>...)
#
# Adds the static library batcher_<part>, alias batcher::<part>, with its public headers below
# include/ and its install rules. Each part has its own export file, so that an installed core needs
# neither CAF nor Prometheus. What the part links is said where it is called.

function(batcher_add_library part)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;HEADERS")
  set(target batcher_${part})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(batcher::${part} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${part} POSITION_INDEPENDENT_CODE ON)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS})
  install(
    TARGETS ${target}
    EXPORT batcher-${part}-targets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT batcher_${part}
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT batcher_${part})
  install(
    EXPORT batcher-${part}-targets
    NAMESPACE batcher::
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/batcher"
    COMPONENT batcher_${part})
endfunction()
