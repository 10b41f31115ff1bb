/* SPDX-License-Identifier: MIT */
/* What a program is given: arguments, environment, auxiliary vector. */
#include "say.h"

#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>

int global_in_data = 7;
char global_in_bss[100000];

int
main(int argc, char **argv, char **envp)
{
	const unsigned char *random = (void *)getauxval(AT_RANDOM);
	const Elf64_Phdr *headers = (void *)getauxval(AT_PHDR);
	unsigned bits = 0, loads = 0;

	printf("%d arguments\n", argc);
	for (int i = 1; i < argc; i++)
		printf("[%s]\n", argv[i]);
	CHECK(argv[argc] == NULL);
	CHECK(envp == argv + argc + 1);
	CHECK(((uintptr_t)__builtin_frame_address(0) & 15) == 0);
	CHECK(getauxval(AT_PAGESZ) == 4096);
	CHECK(getauxval(AT_CLKTCK) == 100);
	CHECK(getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
	CHECK(getauxval(AT_UID) == getuid());
	CHECK(getauxval(AT_GID) == getgid());
	CHECK(getauxval(AT_SECURE) == 0);
	/* Exactly a program with an interpreter has a base. */
	unsigned interpreters = 0;
	for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
		interpreters += headers[i].p_type == PT_INTERP;
	CHECK((getauxval(AT_BASE) != 0) == interpreters);
	CHECK(interpreters == 0 ||
	    memcmp((void *)getauxval(AT_BASE), ELFMAG, SELFMAG) == 0);
	CHECK((uintptr_t)main >> 24 == getauxval(AT_ENTRY) >> 24);
	CHECK(strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0);
	CHECK(strcmp((char *)getauxval(AT_PLATFORM), "x86_64") == 0);
	for (int i = 0; i < 16; i++)
		bits |= random[i];
	CHECK(bits != 0);
	for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
		loads += headers[i].p_type == PT_LOAD;
	CHECK(loads >= 2);
	CHECK(global_in_data == 7);
	for (unsigned i = 0; i < sizeof(global_in_bss); i++)
		bits |= (unsigned)global_in_bss[i] << 8;
	CHECK(bits < 256);
	return 0;
}
