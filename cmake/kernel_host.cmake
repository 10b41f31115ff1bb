# SPDX-License-Identifier: MIT
#
# The portable kernel as a Linux library. Included by kernel/CMakeLists.txt.
# Each *_test.c beside a kernel source is a test program of its own.

file(GLOB arch CONFIGURE_DEPENDS arch/host/*.c)
list(FILTER arch EXCLUDE REGEX "_test\\.c$")

# memcpy and its kin come from libc here.
list(FILTER portable EXCLUDE REGEX "/core/string\\.c$")

if(portable OR arch)
	add_library(kernel_host STATIC ${portable} ${arch})
	target_compile_options(kernel_host PRIVATE ${BENNU_COMMON_FLAGS}
		${BENNU_HOSTED_FLAGS} ${BENNU_SANITIZERS})
	target_include_directories(kernel_host PUBLIC ${CMAKE_SOURCE_DIR}
		${CMAKE_SOURCE_DIR}/kernel/arch/host)

	file(GLOB tests CONFIGURE_DEPENDS core/*_test.c object/*_test.c
		arch/host/*_test.c)
	foreach(test IN LISTS tests)
		get_filename_component(stem ${test} NAME_WE)
		string(REGEX REPLACE "_test$" "" stem ${stem})
		bennu_test(kernel_${stem} SOURCES ${test} KERNEL_HOST)
	endforeach()
endif()
