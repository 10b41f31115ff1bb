/* SPDX-License-Identifier: MIT */
/* What a program of the system's own calls needs besides the calls. */
#include <bennu/abi.h>

#define ERROR_LAST	4095ul

int errno;
char **environ;

_Noreturn void own_begin(long *stack);
/* Of the program, which may leave out what it does not look at. */
int main(int argc, char **argv, char **envp);

void
own_begin(long *stack)
{
	char **argv = (char **)(stack + 1);

	environ = argv + *stack + 1;
	exit(main((int)*stack, argv, environ));
}

long
bennu_result(long result)
{
	if ((unsigned long)result < 0 - ERROR_LAST)
		return result;
	errno = (int)-result;
	return -1;
}

struct error {
	int	 number;
	const char *name, *text;
};

static const struct error errors[] = {
#define ERROR(number, name, text) { number, #name, text },
#define ALIAS(name, other)
#include <bennu/errors.def>
};

static const struct error *
error_find(int number)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].number == number)
			return &errors[i];
	}
	return NULL;
}

const char *
error_name(int error)
{
	const struct error *found = error_find(error);

	return found != NULL ? found->name : NULL;
}

const char *
error_text(int error)
{
	const struct error *found = error_find(error);

	return found != NULL ? found->text : NULL;
}

/* The system tells where the data ends. */
int
brk(void *addr)
{
	return bennu_result(bennu_call(BENNU_BRK, addr)) < 0 ? -1 : 0;
}

void *
sbrk(intptr_t increment)
{
	long before = bennu_call(BENNU_BRK, NULL);

	if (increment != 0 && brk((char *)before + increment) != 0)
		return (void *)-1;
	return (void *)before;
}

/* The system tells 20 less the value, so that no value is an error. */
int
getpriority(int which, id_t who)
{
	long result = bennu_result(bennu_call(BENNU_GETPRIORITY, which, who));

	return result < 0 ? -1 : 20 - (int)result;
}

int
nice(int inc)
{
	if (bennu_result(bennu_call(BENNU_NICE, inc)) < 0)
		return -1;
	return getpriority(PRIO_PROCESS, 0);
}
