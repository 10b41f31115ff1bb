# SPDX-License-Identifier: MIT
#
# The vocabulary of component build files.
#
#   bennu_library(NAME [SOURCES ...] [GUEST_SOURCES ...] [HOST_SOURCES ...]
#                 [DEPENDS ...] [INCLUDES ...] [OPTIONS ...])
#       Static library, or headers only. In the guest preset there are two
#       builds of it: NAME for services, NAME_pic for the libOS.
#   bennu_service(NAME SOURCES ... [DEPENDS ...])    guest: bin/NAME.elf
#   bennu_driver(NAME SOURCES ... [DEPENDS ...])     the same
#   bennu_init(SOURCES ... [DEPENDS ...])            guest: init.img
#   bennu_libos(NAME SOURCES ... [DEPENDS ...])      guest: bin/NAME.elf
#   bennu_program(NAME SOURCES ... [GLIBC] [PIE] [DYNAMIC])
#       guest: programs/NAME, a Linux program (musl unless GLIBC), static
#       unless DYNAMIC
#   bennu_hosted(NAME SOURCES ... [DEPENDS ...])
#       host presets: bin/NAME, a Linux program that people run
#   bennu_test(NAME SOURCES ... [DEPENDS ...] [INCLUDES ...] [KERNEL_HOST]
#              [PLAIN] [THREADS] [SLOW])
#       host presets: a KTAP test, listed in build/PRESET/tests.list
#       PLAIN: never with sanitizers, for tests that copy stacks or count
#       THREADS: also of the preset host-tsan, which has no other tests
#       SLOW: not in the tier quick
#   bennu_fuzz(NAME SOURCES ... [DEPENDS ...])       fuzz: listed in fuzz.list
#   bennu_interfaces(NAME SCHEMAS ... [FOLDER ...])
#       target NAME: C from Cap'n Proto schemas of one folder, by
#       tools/capnpc, in FOLDER/idl of the build (docs/design/interfaces.md).
#       Those of the target `interfaces` any component may include
#   bennu_host_tool(NAME SOURCES ...)                tools/NAME, for the build
#       is a Linux program in every preset
#
# A function that has nothing to do in the current preset does nothing, so
# build files need no conditions. OPTIONS are extra compiler options.

include_guard(GLOBAL)

if(BENNU_PRESET MATCHES "^guest(-debug)?$")
	set(BENNU_GUEST TRUE)
elseif(BENNU_PRESET STREQUAL "fuzz")
	set(BENNU_FUZZ TRUE)
elseif(BENNU_PRESET MATCHES "^host(-asan|-tsan)?$")
	set(BENNU_HOST TRUE)
elseif(BENNU_PRESET STREQUAL "package")
	# As host; tests are targets that nobody asks for.
	set(BENNU_HOST TRUE)
	set(BENNU_PACKAGE TRUE)
else()
	message(FATAL_ERROR "unknown BENNU_PRESET '${BENNU_PRESET}'")
endif()

set(BENNU_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})
set(BENNU_TOOLS_DIR ${CMAKE_SOURCE_DIR}/tools)
find_program(BENNU_OBJCOPY objcopy REQUIRED)
find_program(BENNU_PYTHON python3 REQUIRED)
find_program(BENNU_CAPNP capnp REQUIRED)

# No path of the build machine ends up in an image or a back trace.
set(BENNU_COMMON_FLAGS
	-std=c17 -g -Wall -Wextra -Wno-unused-parameter -Werror -Wshadow -Wvla
	-Wmissing-prototypes -Wstrict-prototypes
	-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
	$<$<BOOL:${BENNU_DEBUG}>:-DBENNU_DEBUG>
)
set(BENNU_FREESTANDING_FLAGS
	-ffreestanding -mgeneral-regs-only -fcf-protection=none
	-fstack-protector-strong -mstack-protector-guard=global
	-fno-asynchronous-unwind-tables
)
set(BENNU_USER_FLAGS ${BENNU_FREESTANDING_FLAGS}
	-ffunction-sections -fdata-sections
	-O2 -fno-omit-frame-pointer -fno-pic -fno-pie)
# The libOS lives far above 4 GB: code finds its data relative to itself.
set(BENNU_LIBOS_FLAGS ${BENNU_FREESTANDING_FLAGS}
	-ffunction-sections -fdata-sections
	-O2 -fno-omit-frame-pointer -fpie -fvisibility=hidden -mno-red-zone)
set(BENNU_KERNEL_FLAGS ${BENNU_COMMON_FLAGS} ${BENNU_FREESTANDING_FLAGS}
	-Oz -fstack-protector -mpreferred-stack-boundary=3 -mcmodel=kernel -mno-red-zone -fno-pic -fno-pie
	-ffunction-sections -fdata-sections -fomit-frame-pointer)
set(BENNU_HOSTED_FLAGS -DBENNU_HOSTED -D_GNU_SOURCE
	-fno-omit-frame-pointer)
set(BENNU_SANITIZERS)
if(BENNU_PRESET STREQUAL "host")
	list(APPEND BENNU_HOSTED_FLAGS -O2)
elseif(BENNU_PRESET STREQUAL "host-asan")
	list(APPEND BENNU_HOSTED_FLAGS -O1)
	set(BENNU_SANITIZERS
		-fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(BENNU_PRESET STREQUAL "host-tsan")
	list(APPEND BENNU_HOSTED_FLAGS -O1)
	set(BENNU_SANITIZERS -fsanitize=thread)
elseif(BENNU_FUZZ)
	list(APPEND BENNU_HOSTED_FLAGS -O1)
	set(BENNU_SANITIZERS -fsanitize=fuzzer-no-link,address,undefined
		-fno-sanitize-recover=all)
elseif(BENNU_PACKAGE)
	list(APPEND BENNU_HOSTED_FLAGS -O2)
	add_compile_options(-fPIC -fstack-protector-strong
		-fstack-clash-protection -D_FORTIFY_SOURCE=2
		-ffunction-sections -fdata-sections)
	add_link_options(LINKER:-z,relro LINKER:-z,now LINKER:--as-needed)
endif()

# Adds AREA if it has a CMakeLists.txt, else each component inside it that has.
function(bennu_add_area area)
	set(dir ${CMAKE_SOURCE_DIR}/${area})
	if(EXISTS ${dir}/CMakeLists.txt)
		add_subdirectory(${dir})
		return()
	endif()
	file(GLOB files CONFIGURE_DEPENDS ${dir}/CMakeLists.txt
		${dir}/*/CMakeLists.txt)
	foreach(file IN LISTS files)
		get_filename_component(component ${file} DIRECTORY)
		add_subdirectory(${component})
	endforeach()
endfunction()

# What the interface compiler makes; <idl/NAME.h> is found there first.
set(BENNU_GENERATED ${CMAKE_BINARY_DIR}/generated)

function(bennu_common target scope)
	target_include_directories(${target} ${scope} ${BENNU_GENERATED})
	if(NOT scope STREQUAL "INTERFACE")
		add_dependencies(${target} interfaces)
	endif()
	target_include_directories(${target} ${scope} ${CMAKE_SOURCE_DIR})
	if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/include)
		target_include_directories(${target} ${scope}
			${CMAKE_CURRENT_SOURCE_DIR}/include)
	endif()
endfunction()

function(bennu_host_tool name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
	add_executable(tool_${name} ${arg_SOURCES})
	target_include_directories(tool_${name} PRIVATE ${CMAKE_SOURCE_DIR})
	target_compile_options(tool_${name} PRIVATE
		${BENNU_COMMON_FLAGS} -DBENNU_HOSTED -D_GNU_SOURCE -O1)
	set_target_properties(tool_${name} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools
		OUTPUT_NAME ${name})
endfunction()

# The headers of a schema: of its protocols, with three for each interface, and
# of ordinary structs ($layout(fixed) stands on the line of the struct).
function(bennu_headers_of schema folder out_headers)
	get_filename_component(name ${schema} NAME_WE)
	file(STRINGS ${schema} ours REGEX "bennu\\.capnp")
	file(STRINGS ${schema} structs REGEX "^ *struct [A-Za-z0-9]+")
	list(FILTER structs EXCLUDE REGEX "layout\\(fixed\\)")
	set(headers)
	if(ours)
		list(APPEND headers ${folder}/idl/${name}.h)
	endif()
	if(structs OR NOT ours)
		list(APPEND headers ${folder}/idl/${name}.capnp.h)
	endif()
	set(${out_headers} ${headers} PARENT_SCOPE)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
		${schema})
	if(NOT ours)
		return()
	endif()
	file(STRINGS ${schema} lines REGEX "^interface [A-Za-z0-9]+")
	foreach(line IN LISTS lines)
		string(REGEX REPLACE "^interface ([A-Za-z0-9]+).*" "\\1" word
			"${line}")
		string(REGEX REPLACE "([a-z0-9])([A-Z])" "\\1_\\2" word
			"${word}")
		string(TOLOWER "${word}" word)
		foreach(part client server fuzz)
			list(APPEND headers
				${folder}/idl/${word}_${part}.h)
		endforeach()
	endforeach()
	set(${out_headers} ${headers} PARENT_SCOPE)
endfunction()

# One call of the compiler for all, so that names of requests are compared.
# Files that stay the same are not written, and nothing is built again.
function(bennu_interfaces name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "FOLDER" "SCHEMAS")
	if(NOT arg_FOLDER)
		set(arg_FOLDER ${BENNU_GENERATED})
	endif()
	set(schemas)
	foreach(schema IN LISTS arg_SCHEMAS)
		get_filename_component(path ${schema} ABSOLUTE)
		list(APPEND schemas ${path})
		get_filename_component(prefix ${path} DIRECTORY)
	endforeach()
	set(outputs)
	foreach(schema IN LISTS schemas)
		bennu_headers_of(${schema} ${arg_FOLDER} headers)
		list(APPEND outputs ${headers})
	endforeach()
	if("${outputs}" MATCHES "_client.h")
		list(APPEND outputs ${arg_FOLDER}/idl/names.h
			${arg_FOLDER}/idl/fuzz.h)
	endif()
	file(MAKE_DIRECTORY ${arg_FOLDER})
	add_custom_command(OUTPUT ${outputs}
		COMMAND ${BENNU_CAPNP} compile
			-o$<TARGET_FILE:tool_capnpc-bennu>:${arg_FOLDER}
			--src-prefix=${prefix}
			-I${CMAKE_SOURCE_DIR}/idl ${schemas}
		DEPENDS ${schemas} ${CMAKE_SOURCE_DIR}/idl/bennu.capnp
			tool_capnpc-bennu
		VERBATIM)
	add_custom_target(${name} DEPENDS ${outputs})
endfunction()

# A file that is listed but not there fails the build of its own component,
# not the configuration of all others.
function(bennu_sources_exist target sources out_exist)
	foreach(source IN LISTS sources)
		get_filename_component(path ${source} ABSOLUTE)
		if(EXISTS ${path})
			continue()
		endif()
		message(WARNING "${target}: no file ${path}")
		add_custom_target(${target} ALL COMMAND
			${CMAKE_COMMAND} -E echo "${target}: no file ${path}"
			COMMAND false VERBATIM)
		# Look again when it appears.
		file(GLOB unused CONFIGURE_DEPENDS ${path})
		set(${out_exist} FALSE PARENT_SCOPE)
		return()
	endforeach()
	set(${out_exist} TRUE PARENT_SCOPE)
endfunction()

function(bennu_one_library name flags suffix sources depends includes options)
	list(TRANSFORM depends APPEND "${suffix}")
	if(NOT sources)
		add_library(${name}${suffix} INTERFACE)
		bennu_common(${name}${suffix} INTERFACE)
		target_include_directories(${name}${suffix} INTERFACE
			${includes})
		target_link_libraries(${name}${suffix} INTERFACE ${depends})
		return()
	endif()
	bennu_sources_exist(${name}${suffix} "${sources}" exist)
	if(NOT exist)
		return()
	endif()
	add_library(${name}${suffix} STATIC ${sources})
	if(BENNU_PRESET STREQUAL "host-tsan")
		# Only what its few tests need is built.
		set_target_properties(${name}${suffix} PROPERTIES
			EXCLUDE_FROM_ALL TRUE)
	endif()
	bennu_common(${name}${suffix} PUBLIC)
	target_include_directories(${name}${suffix} PUBLIC ${includes})
	target_compile_options(${name}${suffix} PRIVATE
		${BENNU_COMMON_FLAGS} ${flags} ${options})
	target_link_libraries(${name}${suffix} PUBLIC ${depends})
endfunction()

function(bennu_library name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "" ""
		"SOURCES;GUEST_SOURCES;HOST_SOURCES;DEPENDS;INCLUDES;OPTIONS")
	if(BENNU_GUEST)
		set(sources ${arg_SOURCES} ${arg_GUEST_SOURCES})
		bennu_one_library(${name} "${BENNU_USER_FLAGS}" ""
			"${sources}" "${arg_DEPENDS}" "${arg_INCLUDES}"
			"${arg_OPTIONS}")
		bennu_one_library(${name} "${BENNU_LIBOS_FLAGS}" "_pic"
			"${sources}" "${arg_DEPENDS}" "${arg_INCLUDES}"
			"${arg_OPTIONS}")
		if(TARGET ${name}_pic)
			set_target_properties(${name}_pic PROPERTIES
				EXCLUDE_FROM_ALL TRUE)
		endif()
	else()
		set(sources ${arg_SOURCES} ${arg_HOST_SOURCES})
		bennu_one_library(${name}
			"${BENNU_HOSTED_FLAGS};${BENNU_SANITIZERS}" ""
			"${sources}" "${arg_DEPENDS}" "${arg_INCLUDES}"
			"${arg_OPTIONS}")
	endif()
endfunction()

# A guest executable. SUFFIX picks the build of the libraries.
function(bennu_guest_image target file script flags suffix sources depends)
	list(TRANSFORM depends APPEND "${suffix}")
	bennu_sources_exist(${target} "${sources}" exist)
	if(NOT exist)
		return()
	endif()
	add_executable(${target} ${sources})
	bennu_common(${target} PRIVATE)
	target_include_directories(${target} PRIVATE
		${CMAKE_CURRENT_SOURCE_DIR})
	target_compile_options(${target} PRIVATE
		${BENNU_COMMON_FLAGS} ${flags})
	target_link_options(${target} PRIVATE
		-static -no-pie -nostdlib -T ${script}
		LINKER:-z,max-page-size=4096 LINKER:-z,noexecstack
		LINKER:--gc-sections LINKER:--build-id=none
		LINKER:--fatal-warnings)
	# Libraries of one layer may need each other; libgcc divides 128 bits.
	target_link_libraries(${target} PRIVATE
		-Wl,--start-group ${depends} -Wl,--end-group -lgcc)
	set_target_properties(${target} PROPERTIES
		LINK_DEPENDS ${script}
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin
		OUTPUT_NAME ${file})
	add_custom_command(TARGET ${target} POST_BUILD
		COMMAND ${BENNU_PYTHON} ${BENNU_TOOLS_DIR}/check_no_vector.py
			$<TARGET_FILE:${target}>
		VERBATIM)
endfunction()

function(bennu_service name)
	if(NOT BENNU_GUEST)
		return()
	endif()
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;OPTIONS")
	bennu_guest_image(service_${name} ${name}.elf
		${BENNU_CMAKE_DIR}/service.ld
		"${BENNU_USER_FLAGS};${arg_OPTIONS}" ""
		"${arg_SOURCES}" "${arg_DEPENDS}")
endfunction()

function(bennu_driver name)
	bennu_service(${name} ${ARGN})
endfunction()

function(bennu_libos name)
	if(NOT BENNU_GUEST)
		return()
	endif()
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS;OPTIONS")
	bennu_guest_image(libos_${name} ${name}.elf
		${BENNU_CMAKE_DIR}/libos.ld
		"${BENNU_LIBOS_FLAGS};${arg_OPTIONS}" "_pic"
		"${arg_SOURCES}" "${arg_DEPENDS}")
endfunction()

# init comes as a flat image whose header the linker script fills in.
function(bennu_init)
	if(NOT BENNU_GUEST)
		return()
	endif()
	cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "SOURCES;DEPENDS;OPTIONS")
	bennu_guest_image(service_init init.elf ${BENNU_CMAKE_DIR}/init.ld
		"${BENNU_USER_FLAGS};${arg_OPTIONS}" ""
		"${BENNU_CMAKE_DIR}/init_header.S;${arg_SOURCES}"
		"${arg_DEPENDS}")
	get_target_property(kind service_init TYPE)
	if(NOT kind STREQUAL "EXECUTABLE")
		add_custom_target(init_image DEPENDS service_init)
		return()
	endif()
	add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/init.img
		COMMAND ${BENNU_OBJCOPY} -O binary
			$<TARGET_FILE:service_init>
			${CMAKE_BINARY_DIR}/init.img
		DEPENDS service_init VERBATIM)
	add_custom_target(init_image ALL
		DEPENDS ${CMAKE_BINARY_DIR}/init.img)
endfunction()

function(bennu_program name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "GLIBC;PIE;DYNAMIC" ""
		"SOURCES;OPTIONS")
	if(NOT BENNU_GUEST)
		return()
	endif()
	set(compiler musl-gcc)
	if(arg_GLIBC)
		set(compiler gcc)
	endif()
	set(kind -static -no-pie -fno-pie)
	if(arg_DYNAMIC AND arg_PIE)
		set(kind -pie -fPIE)
	elseif(arg_DYNAMIC)
		set(kind -no-pie -fno-pie)
	elseif(arg_PIE)
		set(kind -static-pie -fPIE)
	endif()
	set(sources ${arg_SOURCES})
	list(TRANSFORM sources PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
	set(output ${CMAKE_BINARY_DIR}/programs/${name})
	file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/programs
		${CMAKE_BINARY_DIR}/depend)
	# -MD names the last file only, enough for programs of one file.
	add_custom_command(OUTPUT ${output}
		COMMAND ${compiler} -std=gnu17 -O2 -g -Wall -Wextra -Werror
			-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
			-I${CMAKE_SOURCE_DIR} ${kind} ${arg_OPTIONS}
			-MD -MF ${CMAKE_BINARY_DIR}/depend/${name}.d
			-MT ${output} ${sources} -o ${output}
		DEPENDS ${sources}
		DEPFILE ${CMAKE_BINARY_DIR}/depend/${name}.d
		VERBATIM)
	add_custom_target(program_${name} ALL DEPENDS ${output})
	bennu_note_sources(${sources})
endfunction()

# Sources that compile_commands.json does not know.
function(bennu_note_sources)
	set_property(GLOBAL APPEND PROPERTY BENNU_OTHER_SOURCES ${ARGN})
endfunction()

function(bennu_hosted_executable target sources depends includes options)
	bennu_sources_exist(${target} "${sources}" exist)
	if(NOT exist)
		return()
	endif()
	add_executable(${target} ${sources})
	bennu_common(${target} PRIVATE)
	target_include_directories(${target} PRIVATE
		${CMAKE_CURRENT_SOURCE_DIR} ${includes})
	target_compile_options(${target} PRIVATE ${BENNU_COMMON_FLAGS}
		${BENNU_HOSTED_FLAGS} ${BENNU_SANITIZERS} ${options})
	target_link_libraries(${target} PRIVATE ${depends})
endfunction()

function(bennu_hosted name)
	if(NOT BENNU_HOST)
		return()
	endif()
	cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPENDS")
	bennu_hosted_executable(hosted_${name} "${arg_SOURCES}"
		"${arg_DEPENDS}" "" "")
	get_target_property(kind hosted_${name} TYPE)
	if(NOT kind STREQUAL "EXECUTABLE")
		return()
	endif()
	target_link_options(hosted_${name} PRIVATE ${BENNU_SANITIZERS})
	set_target_properties(hosted_${name} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin
		OUTPUT_NAME ${name})
endfunction()

function(bennu_test name)
	if(NOT BENNU_HOST)
		return()
	endif()
	cmake_parse_arguments(PARSE_ARGV 1 arg "KERNEL_HOST;PLAIN;THREADS;SLOW" ""
		"SOURCES;DEPENDS;INCLUDES;OPTIONS")
	if(BENNU_PRESET STREQUAL "host-tsan" AND NOT arg_THREADS)
		return()
	endif()
	if(arg_PLAIN)
		list(APPEND arg_OPTIONS -O2 -fno-sanitize=all)
		set(BENNU_SANITIZERS)
	endif()
	if(arg_KERNEL_HOST)
		list(APPEND arg_INCLUDES ${CMAKE_SOURCE_DIR}/kernel/arch/host)
		list(APPEND arg_DEPENDS kernel_host)
	endif()
	bennu_hosted_executable(test_${name} "${arg_SOURCES}"
		"${arg_DEPENDS}" "${arg_INCLUDES}" "${arg_OPTIONS}")
	set(listed ${name})
	if(arg_SLOW)
		set(listed ${name}:full)
	endif()
	set_property(GLOBAL APPEND PROPERTY BENNU_TESTS ${listed})
	get_target_property(kind test_${name} TYPE)
	if(NOT kind STREQUAL "EXECUTABLE")
		return()
	endif()
	target_link_options(test_${name} PRIVATE ${BENNU_SANITIZERS})
	target_link_libraries(test_${name} PRIVATE pthread)
	set_target_properties(test_${name} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests
		OUTPUT_NAME ${name}
		EXCLUDE_FROM_ALL "${BENNU_PACKAGE}")
endfunction()

function(bennu_fuzz name)
	if(NOT BENNU_FUZZ)
		return()
	endif()
	cmake_parse_arguments(PARSE_ARGV 1 arg "" ""
		"SOURCES;DEPENDS;INCLUDES;OPTIONS")
	bennu_hosted_executable(fuzz_${name} "${arg_SOURCES}"
		"${arg_DEPENDS}" "${arg_INCLUDES}" "${arg_OPTIONS}")
	set_property(GLOBAL APPEND PROPERTY BENNU_FUZZERS ${name})
	get_target_property(kind fuzz_${name} TYPE)
	if(NOT kind STREQUAL "EXECUTABLE")
		return()
	endif()
	target_link_options(fuzz_${name} PRIVATE
		-fsanitize=fuzzer,address,undefined)
	set_target_properties(fuzz_${name} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers
		OUTPUT_NAME ${name})
endfunction()

# Writes one line per item of a global property into the build folder.
function(bennu_write_list property file)
	get_property(items GLOBAL PROPERTY ${property})
	list(SORT items)
	list(JOIN items "\n" text)
	file(WRITE ${CMAKE_BINARY_DIR}/${file} "${text}\n")
endfunction()

function(bennu_finish)
	bennu_write_list(BENNU_TESTS tests.list)
	bennu_write_list(BENNU_FUZZERS fuzz.list)
	bennu_write_list(BENNU_OTHER_SOURCES sources.list)
endfunction()
