/* SPDX-License-Identifier: MIT */
/* How a program begins, and what it is told of the system. */
#include "tell.h"

int
main(int argc, char **argv, char **envp)
{
	struct utsname names;

	print_number(argc);
	print(" arguments:");
	for (int i = 1; i < argc; i++) {
		print(" ");
		print(argv[i]);
	}
	print("\n");
	CHECK(envp == environ && envp[0] != NULL);
	CHECK(argv[argc] == NULL);
	TELL("uname", uname(&names));
	print(names.sysname);
	print(" ");
	print(names.release);
	print("\n");
	TELL("uname of nothing", uname(NULL));
	TELL("a number beyond the table",
	    bennu_result(bennu_call(BENNU_CALLS, 0, 0, 0)));
	TELL("a number beyond all tables",
	    bennu_result(bennu_call(100000, 0, 0, 0)));
	CHECK(same_text(error_text(ENOTRECOVERABLE), "State not recoverable"));
	CHECK(error_name(41) == NULL && error_text(132) == NULL);
	return 7;
}
