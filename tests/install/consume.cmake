# SPDX-License-Identifier: BSD-3-Clause
#
# One test labelled "install": installs into an empty prefix, then configures, builds and runs the
# consumer there.
#
#   cmake -D BUILD=<build folder> -D WORK=<scratch folder> -D PARTS=<component>+... -D OPTIONS=<cmake options>
#         [-D INSTALLED=<install component>] -P consume.cmake

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${WORK}")
set(only "")
if(INSTALLED)
  set(only --component ${INSTALLED})
endif()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix ${only})
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${WORK}/build -D CMAKE_PREFIX_PATH=${WORK}/prefix
    -D PARTS=${PARTS} ${OPTIONS})
run(${CMAKE_COMMAND} --build ${WORK}/build)
