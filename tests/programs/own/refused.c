/* SPDX-License-Identifier: MIT */
/*
 * What nobody may do, and what is not there: the right error, never success.
 * Of calls that others of the same meaning may serve one day (mount, chroot ...)
 * only this is said: with wrong arguments they do not succeed.
 */
#include "tell.h"

#define REBOOT_MAGIC	((int)0xfee1dead)
#define REBOOT_MAGIC2	672274793

static void
the_machine(void)
{
	TELL("reboot", reboot(REBOOT_MAGIC, REBOOT_MAGIC2, 0, NULL));
	TELL("reboot by a wrong word", reboot(1, REBOOT_MAGIC2, 0, NULL));
	TELL("reboot by another", reboot(REBOOT_MAGIC, 2, 0, NULL));
	TELL("ioperm", ioperm(0x80, 1, 1));
	TELL("ioperm gives up", ioperm(0x80, 1, 0));
	TELL("ioperm of no port", ioperm(65536, 1, 1));
	TELL("ioperm of none", ioperm(0, 0, 1));
	TELL("iopl", iopl(3));
	TELL("iopl gives up", iopl(0));
	TELL("iopl of a wrong level", iopl(4));
	TELL("vhangup", vhangup());
	TELL("swapon", swapon("/dev/null", 0));
	TELL("uselib", uselib("/lib/libc.so"));
}

#define REFUSED(call) \
	print((call) < 0 ? #call ": refused\n" : #call ": DONE\n")

static void
what_may_come(void)
{
	REFUSED(mount("none", "/nothing/there", "nothing", 0, NULL));
	REFUSED(umount("/nothing/there"));
	REFUSED(chroot("/nothing/there"));
	REFUSED(acct("/nothing/there"));
	REFUSED(sethostname(NULL, 5));
	REFUSED(ptrace(9999, 1 << 30, NULL, NULL));
	REFUSED(syslog(99, NULL, 0));
}

int
main(void)
{
	the_machine();
	what_may_come();
	return 0;
}
