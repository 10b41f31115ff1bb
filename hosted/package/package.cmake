# SPDX-License-Identifier: MIT
#
# Debian packages of the parts that run on Linux, by CPack. Included last, when
# all targets are known; only in the preset `package`. docs/design/packages.md
# says what is in which and why.
#
# What others may call is written down twice on purpose: headers.txt lists the
# headers that are installed, libbennu-ipc.map the functions that the libraries
# show. tools/check_exports.py holds one against the other.

set(BENNU_IPC_VERSION 0.1.0)
set(BENNU_IPC_ABI 0)
set(PACKAGE_DIR ${CMAKE_CURRENT_LIST_DIR})
set(PACKAGE_OUT ${CMAKE_BINARY_DIR}/package)
file(MAKE_DIRECTORY ${PACKAGE_OUT})
include(GNUInstallDirs)

# --- The libraries -----------------------------------------------------------

# Those of lib/ that libbennu-ipc is made of.
set(PACKAGE_PARTS base pool ring token capnp lite channel_graph channel
	channel_hosted)
set(package_objects)
foreach(part IN LISTS PACKAGE_PARTS)
	if(NOT TARGET ${part})
		continue()
	endif()
	get_target_property(kind ${part} TYPE)
	if(kind STREQUAL "STATIC_LIBRARY")
		list(APPEND package_objects $<TARGET_OBJECTS:${part}>)
	endif()
endforeach()

set(package_map ${PACKAGE_DIR}/libbennu-ipc.map)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
	${package_map} ${PACKAGE_DIR}/headers.txt)

add_library(bennu-ipc SHARED ${package_objects})
set_target_properties(bennu-ipc PROPERTIES
	VERSION ${BENNU_IPC_VERSION} SOVERSION ${BENNU_IPC_ABI}
	LINKER_LANGUAGE C
	LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib
	LINK_DEPENDS ${package_map})
target_link_options(bennu-ipc PRIVATE
	LINKER:--version-script=${package_map} LINKER:-Bsymbolic-functions
	LINKER:--no-undefined LINKER:--gc-sections)

# The static library shows the same functions and no other: all objects are
# joined to one, whose other symbols become local.
file(READ ${package_map} symbols)
string(REGEX MATCHALL "\t\t[a-z_0-9]+" symbols "${symbols}")
string(REGEX REPLACE "[\t;]+" "\n" symbols "${symbols}")
file(CONFIGURE OUTPUT ${PACKAGE_OUT}/symbols.txt CONTENT "${symbols}\n" @ONLY)
set(package_archive ${CMAKE_BINARY_DIR}/lib/libbennu-ipc.a)
add_custom_command(OUTPUT ${package_archive}
	COMMAND ${CMAKE_LINKER} -r -o ${PACKAGE_OUT}/bennu-ipc.o
		${package_objects}
	COMMAND ${BENNU_OBJCOPY} --strip-debug
		--keep-global-symbols=${PACKAGE_OUT}/symbols.txt
		${PACKAGE_OUT}/bennu-ipc.o
	COMMAND ${CMAKE_COMMAND} -E rm -f ${package_archive}
	COMMAND ${CMAKE_AR} rcsD ${package_archive} ${PACKAGE_OUT}/bennu-ipc.o
	DEPENDS ${package_objects} ${PACKAGE_OUT}/symbols.txt
	COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(bennu-ipc-archive ALL DEPENDS ${package_archive})

install(TARGETS bennu-ipc
	LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime
	NAMELINK_COMPONENT development)
install(FILES ${package_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR}
	COMPONENT development)

# --- For who builds on them --------------------------------------------------

file(STRINGS ${PACKAGE_DIR}/headers.txt package_headers)
foreach(header IN LISTS package_headers)
	get_filename_component(folder ${header} DIRECTORY)
	install(FILES ${CMAKE_SOURCE_DIR}/${header}
		DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/bennu/${folder}
		COMPONENT development)
endforeach()

configure_file(${PACKAGE_DIR}/bennu-ipc.pc.in ${PACKAGE_OUT}/bennu-ipc.pc
	@ONLY)
install(FILES ${PACKAGE_OUT}/bennu-ipc.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

include(CMakePackageConfigHelpers)
set(package_cmake ${CMAKE_INSTALL_LIBDIR}/cmake/bennu-ipc)
configure_package_config_file(${PACKAGE_DIR}/bennu-ipc-config.cmake.in
	${PACKAGE_OUT}/bennu-ipc-config.cmake
	INSTALL_DESTINATION ${package_cmake}
	PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(${PACKAGE_OUT}/bennu-ipc-config-version.cmake
	VERSION ${BENNU_IPC_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${PACKAGE_OUT}/bennu-ipc-config.cmake
	${PACKAGE_OUT}/bennu-ipc-config-version.cmake
	DESTINATION ${package_cmake} COMPONENT development)

# --- Manual pages ------------------------------------------------------------

# These pages are of the libraries.
file(GLOB package_pages CONFIGURE_DEPENDS
	${CMAKE_SOURCE_DIR}/docs/man/capnp_*.3
	${CMAKE_SOURCE_DIR}/docs/man/channel_*.3
	${CMAKE_SOURCE_DIR}/docs/man/lite_*.3
	${CMAKE_SOURCE_DIR}/docs/man/token_*.3
	${CMAKE_SOURCE_DIR}/docs/man/bennu-ipc.7)
set(package_compressed)
file(MAKE_DIRECTORY ${PACKAGE_OUT}/man)

# package_man_links(COMPONENT PAGE): the other names that the page says it has.
function(package_man_links component page)
	get_filename_component(name ${page} NAME)
	string(REGEX MATCH "[0-9]$" section ${name})
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
	file(READ ${page} text)
	string(REGEX REPLACE "^.*\n\\.Sh NAME\n(.*)\n\\.Nd .*$" "\\1"
		text "${text}")
	string(REGEX MATCHALL "Nm [^ \n]+" others "${text}")
	foreach(other IN LISTS others)
		string(SUBSTRING ${other} 3 -1 other)
		set(link ${PACKAGE_OUT}/man/${other}.${section}.gz)
		if(NOT ${other}.${section} STREQUAL ${name})
			file(CREATE_LINK ${name}.gz ${link} SYMBOLIC)
			install(FILES ${link} COMPONENT ${component}
				DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
		endif()
	endforeach()
endfunction()

# package_man(COMPONENT PAGE...): compressed, as the policy of Debian asks.
function(package_man component)
	foreach(page IN LISTS ARGN)
		get_filename_component(name ${page} NAME)
		string(REGEX MATCH "[0-9]$" section ${name})
		set(output ${PACKAGE_OUT}/man/${name}.gz)
		add_custom_command(OUTPUT ${output}
			COMMAND gzip -9n < ${page} > ${output}
			DEPENDS ${page} VERBATIM)
		list(APPEND package_compressed ${output})
		install(FILES ${output} COMPONENT ${component}
			DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
		package_man_links(${component} ${page})
	endforeach()
	set(package_compressed ${package_compressed} PARENT_SCOPE)
endfunction()

package_man(development ${package_pages})

# --- Programs ----------------------------------------------------------------

# package_program(COMPONENT TARGET FOLDER PAGE...): if the tree has it.
function(package_program component target folder)
	if(NOT TARGET ${target})
		return()
	endif()
	install(TARGETS ${target} RUNTIME DESTINATION ${folder}
		COMPONENT ${component})
	foreach(page IN LISTS ARGN)
		package_man(${component} ${CMAKE_SOURCE_DIR}/docs/man/${page})
	endforeach()
	set(package_compressed ${package_compressed} PARENT_SCOPE)
endfunction()

set(package_components runtime development)
include(${PACKAGE_DIR}/programs.cmake OPTIONAL)
add_custom_target(package_man_pages ALL DEPENDS ${package_compressed})

include(${PACKAGE_DIR}/cpack.cmake)
