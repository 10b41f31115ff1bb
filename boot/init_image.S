/* SPDX-License-Identifier: MIT */
/* The first user program, a flat image (abi/boot.h). User code, not kernel. */
	.section .init_image, "a"
	.globl	init_image_start, init_image_end
	.p2align 12
init_image_start:
	.incbin	INIT_IMAGE_PATH
init_image_end:
	.p2align 12

	.section .note.GNU-stack, "", @progbits
