# SPDX-License-Identifier: MIT
#
# The kernel for the machine. Included by kernel/CMakeLists.txt; boot/ adds its
# own files to bennu.elf after this.

add_library(kernel OBJECT)
target_sources(kernel PRIVATE ${portable})
target_compile_options(kernel PRIVATE ${BENNU_KERNEL_FLAGS})
target_include_directories(kernel PRIVATE ${CMAKE_SOURCE_DIR}
	${CMAKE_SOURCE_DIR}/kernel/arch/x86_64)
set_target_properties(kernel PROPERTIES LINKER_LANGUAGE C)

# The fast paths are the places where size gives way to speed.
set_source_files_properties(core/ipc_fast.c PROPERTIES
	COMPILE_OPTIONS "-O2;-fomit-frame-pointer")

set_source_files_properties(core/notify_fast.c PROPERTIES
	COMPILE_OPTIONS "-O2;-fomit-frame-pointer")

# The inner loops of address spaces are here.
set_source_files_properties(core/frame.c PROPERTIES COMPILE_OPTIONS -O2)

if(BENNU_DEBUG)
	include(${BENNU_CMAKE_DIR}/kernel_debug.cmake)
else()
	# The kernel as one unit: 5 % less code. Not what the compiler itself
	# calls. Warnings of single files, where the code can answer them.
	set(BENNU_KERNEL_LINK -flto=1 -flto-partition=none
		-Wno-maybe-uninitialized)
	target_compile_options(kernel PRIVATE -flto=1)
	set_source_files_properties(core/string.c core/panic.c PROPERTIES
		COMPILE_OPTIONS -fno-lto)
endif()

if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/arch/x86_64/CMakeLists.txt)
	add_subdirectory(arch/x86_64)
else()
	file(GLOB arch CONFIGURE_DEPENDS arch/x86_64/*.c arch/x86_64/*.S)
	list(FILTER arch EXCLUDE REGEX "_test\\.c$")
	target_sources(kernel PRIVATE ${arch})
endif()

set(script ${CMAKE_SOURCE_DIR}/boot/kernel.ld)
set(init_image ${CMAKE_BINARY_DIR}/init.img)

add_executable(bennu.elf $<TARGET_OBJECTS:kernel>)
target_compile_options(bennu.elf PRIVATE ${BENNU_KERNEL_FLAGS})
target_compile_definitions(bennu.elf PRIVATE INIT_IMAGE_PATH="${init_image}")
target_include_directories(bennu.elf PRIVATE ${CMAKE_SOURCE_DIR}
	${CMAKE_SOURCE_DIR}/kernel/arch/x86_64)
target_link_options(bennu.elf PRIVATE
	-static -no-pie -nostdlib -T ${script}
	LINKER:-z,max-page-size=4096 LINKER:-z,noexecstack
	LINKER:--gc-sections ${BENNU_KERNEL_FLAGS} ${BENNU_KERNEL_LINK}
	LINKER:--build-id=none ${BENNU_KERNEL_WRAPS})
set_target_properties(bennu.elf PROPERTIES
	LINKER_LANGUAGE C
	LINK_DEPENDS ${script}
	RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
add_dependencies(bennu.elf init_image)
set_source_files_properties(${CMAKE_SOURCE_DIR}/boot/init_image.S
	TARGET_DIRECTORY bennu.elf
	PROPERTIES OBJECT_DEPENDS ${init_image})
