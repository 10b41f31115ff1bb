# SPDX-License-Identifier: MIT
#
# What CPack is told: a package for each component. Included by package.cmake.

# package_describe(COMPONENT NAME SUMMARY TEXT): name, texts, and the files that
# each package has: its copyright and its changes.
function(package_describe component name summary text)
	if(NOT component IN_LIST package_components)
		return()
	endif()
	string(TOUPPER ${component} upper)
	set(folder ${PACKAGE_OUT}/doc/${component})
	file(MAKE_DIRECTORY ${folder})
	configure_file(${PACKAGE_DIR}/copyright.in ${folder}/copyright @ONLY)
	file(COPY_FILE ${PACKAGE_OUT}/changelog.gz ${folder}/changelog.gz)
	install(FILES ${folder}/copyright ${folder}/changelog.gz
		DESTINATION share/doc/${name} COMPONENT ${component})
	set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
	set(CPACK_DEBIAN_${upper}_DESCRIPTION "${summary}\n${text}"
		PARENT_SCOPE)
endfunction()

# The text of LICENSE as a field of a copyright file: indented, dots for blanks.
file(READ ${CMAKE_SOURCE_DIR}/LICENSE text)
string(REGEX REPLACE ".*Copyright \\(c\\) ([^\n]*)\n.*" "\\1" BENNU_YEARS "${text}")
string(REGEX REPLACE "^.*Copyright [^\n]*\n\n" "" text "${text}")
string(STRIP "${text}" text)
string(REPLACE "\n\n" "\n.\n" text "${text}")
string(REPLACE "\n" "\n " BENNU_LICENCE " ${text}")

configure_file(${PACKAGE_DIR}/changelog.in ${PACKAGE_OUT}/changelog @ONLY)
execute_process(COMMAND gzip -9nk --force ${PACKAGE_OUT}/changelog
	COMMAND_ERROR_IS_FATAL ANY)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bennu-ipc)
set(CPACK_PACKAGE_VERSION ${BENNU_IPC_VERSION})
set(CPACK_PACKAGE_VENDOR Bennu)
set(CPACK_PACKAGE_CONTACT "Bennu contributors <bennu@localhost>")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/debs)
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL ${package_components})
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE
	OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR}/lib)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY "=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)

package_describe(runtime libbennu-ipc${BENNU_IPC_ABI}
	"messages between processes without copies - shared library"
	"Channels between threads and processes that share memory: no server and
no system call is on the path of a message, and neither end believes what the
other writes. With tokens that say who may do what, and a reader and builder of
Cap'n Proto messages that do not allocate.")
package_describe(development libbennu-ipc-dev
	"messages between processes without copies - development files"
	"Headers, the static library, manual pages, and descriptions for
pkg-config and CMake.")
package_describe(broker bennu-broker
	"where processes meet to open channels - daemon"
	"Gives processes memory that just the two ends of a lane share, and says
who may open which channel. No message goes through it, and open channels
outlive it.")
package_describe(tools bennu-ipc-tools
	"messages between processes without copies - programs"
	"bennu-top shows the channels of a broker; two demonstrations send messages
between processes and compute with workers that may die; capnpc-bennu makes C
from schemas of Cap'n Proto.")
package_describe(benchmark bennu-ipc-benchmark
	"messages between processes without copies - benchmark"
	"benchmark-ipc measures channels beside pipes, sockets, futexes, io_uring,
ZeroMQ, nng and Cap'n Proto, as ratios to what the hardware needs.")
package_describe(python python3-bennu-ipc
	"messages between processes without copies - Python 3"
	"A module that opens channels, with messages as bytes or as views of the
shared memory.")
package_describe(supervise bennu-supervise
	"runs services and brings them back when they die - daemon"
	"Starts services in the order of what they need, notices deaths by pidfd,
restarts with growing delays, refuses requests that kill, and never gives up for
good unless told to. Speaks sd_notify, keeps sockets, connections and memory of
services, has warm spares, and works as process 1 of a container.")
package_describe(place bennu-supervise-dev
	"programs that outlive their crashes - development files"
	"A static library and headers for services of bennu-supervise: memory with
transactions that the next process finds as it was, connections that do not
break.")

set(runtime "libbennu-ipc${BENNU_IPC_ABI} (= ${BENNU_IPC_VERSION})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${runtime}")
set(CPACK_DEBIAN_BROKER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_BROKER_PACKAGE_CONTROL_EXTRA ${PACKAGE_DIR}/broker/conffiles
	${PACKAGE_DIR}/broker/postinst ${PACKAGE_DIR}/broker/prerm
	${PACKAGE_DIR}/broker/postrm)
set(CPACK_DEBIAN_SUPERVISE_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_SUPERVISE_PACKAGE_CONTROL_EXTRA
	${PACKAGE_DIR}/supervise/postinst ${PACKAGE_DIR}/supervise/prerm
	${PACKAGE_DIR}/supervise/postrm)
set(CPACK_DEBIAN_PLACE_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PLACE_PACKAGE_SUGGESTS bennu-supervise)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_TOOLS_PACKAGE_RECOMMENDS bennu-broker)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SUGGESTS capnproto)
set(CPACK_DEBIAN_BENCHMARK_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3, ${runtime}")
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${PACKAGE_DIR}/python/postinst
	${PACKAGE_DIR}/python/prerm)
include(CPack)
