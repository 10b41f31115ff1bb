# SPDX-License-Identifier: MIT
#
# For programs that bennu-supervise runs as places: a static library of
# hosted/supervise/place.c and the arena, whose other symbols are local, and the
# headers, in a folder of their own. Included by programs.cmake.

set(place_shown hosted/supervise/place.h lib/arena/arena.h lib/arena/ring.h
	lib/arena/slab.h lib/arena/text.h lib/arena/tree.h)
set(place_headers abi/status.h hosted/supervise/protocol.h ${place_shown})
set(place_objects)
foreach(part IN ITEMS bennu_place arena base)
	get_target_property(kind ${part} TYPE)
	if(kind STREQUAL "STATIC_LIBRARY")
		list(APPEND place_objects $<TARGET_OBJECTS:${part}>)
	endif()
endforeach()

# What the headers declare is shown.
set(place_symbols)
foreach(header IN LISTS place_shown)
	file(READ ${CMAKE_SOURCE_DIR}/${header} text)
	string(REGEX MATCHALL "(bennu_place|arena|tx)_[a-z_]+\\(" found
		"${text}")
	list(APPEND place_symbols ${found})
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
		${CMAKE_SOURCE_DIR}/${header})
endforeach()
list(REMOVE_DUPLICATES place_symbols)
list(TRANSFORM place_symbols REPLACE "\\(" "")
list(JOIN place_symbols "\n" text)
file(CONFIGURE OUTPUT ${PACKAGE_OUT}/place-symbols.txt CONTENT "${text}\n"
	@ONLY)

set(place_archive ${CMAKE_BINARY_DIR}/lib/libbennu-place.a)
add_custom_command(OUTPUT ${place_archive}
	COMMAND ${CMAKE_LINKER} -r -o ${PACKAGE_OUT}/bennu-place.o
		${place_objects}
	COMMAND ${BENNU_OBJCOPY} --strip-debug
		--keep-global-symbols=${PACKAGE_OUT}/place-symbols.txt
		${PACKAGE_OUT}/bennu-place.o
	COMMAND ${CMAKE_COMMAND} -E rm -f ${place_archive}
	COMMAND ${CMAKE_AR} rcsD ${place_archive} ${PACKAGE_OUT}/bennu-place.o
	DEPENDS ${place_objects} ${PACKAGE_OUT}/place-symbols.txt
	COMMAND_EXPAND_LISTS VERBATIM)
add_custom_target(bennu-place-archive ALL DEPENDS ${place_archive})

install(FILES ${place_archive} DESTINATION ${CMAKE_INSTALL_LIBDIR}
	COMPONENT place)
foreach(header IN LISTS place_headers)
	get_filename_component(folder ${header} DIRECTORY)
	install(FILES ${CMAKE_SOURCE_DIR}/${header}
		DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/bennu-place/${folder}
		COMPONENT place)
endforeach()
configure_file(${PACKAGE_DIR}/bennu-place.pc.in ${PACKAGE_OUT}/bennu-place.pc
	@ONLY)
install(FILES ${PACKAGE_OUT}/bennu-place.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT place)
package_man(place ${CMAKE_SOURCE_DIR}/docs/man/bennu-place.7)
list(APPEND package_components place)
