# SPDX-License-Identifier: MIT
#
# What CPack is told: a package for each component. Included by package.cmake.

# package_describe(COMPONENT NAME SUMMARY TEXT): name, texts, and the files that
# each package has: its copyright and its changes.
function(package_describe component name summary text)
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
set(same "(= ${BENNU_IPC_VERSION})")
set(runtime "libbennu-ipc${BENNU_IPC_ABI} ${same}")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${runtime}")
include(CPack)
