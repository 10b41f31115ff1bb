/* SPDX-License-Identifier: MIT */
/* struct init_image of abi/boot.h; the linker script knows the sizes. */
	.section .init_header, "a"
	.quad	0x494e4954554e4542	/* INIT_MAGIC */
	.quad	_start
	.quad	__init_text_size
	.quad	__init_data_size
	.quad	__init_bss_size

	.section .note.GNU-stack, "", @progbits
