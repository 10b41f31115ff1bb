/* SPDX-License-Identifier: MIT */
/* What a new program finds on its stack, and how its arguments get there. */
#include "stack.h"

#include "exec.h"
#include "linux.h"

#include <lib/ktap/ktap.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LOW	0x7000000000ul
#define SIZE	65536u

static uint8_t memory[SIZE];
static char text[ARGS_ROOM + ARGS_MAX];

static uint64_t
word_at(uint64_t address)
{
	uint64_t word;

	memcpy(&word, memory + (address - LOW), sizeof(word));
	return word;
}

static const char *
string_at(uint64_t address)
{
	return (const char *)memory + (address - LOW);
}

static void
test_stack_is_laid_out_as_the_abi_says(void)
{
	static const char strings[] = "ls\0-l\0\0HOME=/\0A=b";
	struct stack_input in = {
		.strings = strings, .strings_length = sizeof(strings),
		.argument_count = 3, .environment_count = 2,
		.path = "/bin/ls", .random = { 1, 2, 3 },
		.aux_count = 1, .aux = { { L_AT_PAGESZ, 4096 } },
	};
	uint64_t sp = stack_build(memory, LOW, LOW + SIZE, &in);

	KTAP_REQUIRE(sp != 0);
	KTAP_EQUAL(sp % 16, 0);
	KTAP_EQUAL(word_at(sp), 3);
	KTAP_CHECK(strcmp(string_at(word_at(sp + 8)), "ls") == 0);
	KTAP_CHECK(strcmp(string_at(word_at(sp + 16)), "-l") == 0);
	KTAP_CHECK(strcmp(string_at(word_at(sp + 24)), "") == 0);
	KTAP_EQUAL(word_at(sp + 32), 0);
	KTAP_CHECK(strcmp(string_at(word_at(sp + 40)), "HOME=/") == 0);
	KTAP_CHECK(strcmp(string_at(word_at(sp + 48)), "A=b") == 0);
	KTAP_EQUAL(word_at(sp + 56), 0);
	KTAP_EQUAL(word_at(sp + 64), L_AT_PAGESZ);
	KTAP_EQUAL(word_at(sp + 72), 4096);
	KTAP_EQUAL(word_at(sp + 80), L_AT_RANDOM);
	KTAP_EQUAL(*string_at(word_at(sp + 88)), 1);
	KTAP_EQUAL(word_at(sp + 96), L_AT_EXECFN);
	KTAP_CHECK(strcmp(string_at(word_at(sp + 104)), "/bin/ls") == 0);
	KTAP_EQUAL(word_at(sp + 112), L_AT_PLATFORM);
	KTAP_EQUAL(word_at(sp + 128), L_AT_NULL);
}

static void
test_stack_too_small_is_refused(void)
{
	static char big[4096];
	struct stack_input in = { .strings = big,
	    .strings_length = sizeof(big), .path = "/x" };

	KTAP_EQUAL(stack_build(memory, LOW, LOW + sizeof(big), &in), 0);
	KTAP_CHECK(stack_size(&in) > sizeof(big));
}

static void
test_script_line_is_split_as_linux_does(void)
{
	struct script_line line;
	static const char plain[] = "#!/bin/sh\n", arg[] =
	    "#! \t/usr/bin/env  -S a b \t\n", none[] = "#!  \n";

	KTAP_REQUIRE(script_parse(plain, sizeof(plain) - 1, &line));
	KTAP_EQUAL(line.interpreter_length, 7);
	KTAP_CHECK(line.argument == NULL);
	KTAP_REQUIRE(script_parse(arg, sizeof(arg) - 1, &line));
	KTAP_EQUAL(line.interpreter_length, 12);
	KTAP_EQUAL(line.argument_length, 6);
	KTAP_CHECK(memcmp(line.argument, "-S a b", 6) == 0);
	KTAP_CHECK(!script_parse(none, sizeof(none) - 1, &line));
	KTAP_CHECK(!script_parse("#", 1, &line));
	KTAP_CHECK(!script_parse("\x7f" "ELF", 4, &line));
	KTAP_CHECK(script_parse("#!/bin/sh", 9, &line));
}

static void
test_endless_script_line_is_refused(void)
{
	struct script_line line;
	char head[4096];

	memset(head, 'a', sizeof(head));
	memcpy(head, "#!", 2);
	KTAP_CHECK(!script_parse(head, sizeof(head), &line));
	head[40] = ' ';
	KTAP_CHECK(script_parse(head, sizeof(head), &line));
	KTAP_EQUAL(line.interpreter_length, 38);
}

static void
test_interpreter_leads_the_arguments(void)
{
	struct args args;

	args_begin(&args, text);
	KTAP_CHECK(args_add(&args, "prog", 4, false));
	KTAP_CHECK(args_add(&args, "x", 1, false));
	KTAP_CHECK(args_add(&args, "E=1", 3, true));
	args_drop_first(&args);
	KTAP_CHECK(args_prepend(&args, "/s", 2));
	KTAP_CHECK(args_prepend(&args, "/bin/sh", 7));
	KTAP_EQUAL(args.argument_count, 3);
	KTAP_EQUAL(args.tail - args.head, 17);
	KTAP_CHECK(memcmp(args.text + args.head, "/bin/sh\0/s\0x\0E=1", 17) ==
	    0);
}

static void
test_too_many_arguments_are_refused(void)
{
	static char string[100000];
	struct args args;
	unsigned count = 0;

	memset(string, 'x', sizeof(string));
	args_begin(&args, text);
	while (args_add(&args, string, sizeof(string), false))
		count++;
	KTAP_EQUAL(count, ARGS_MAX / (sizeof(string) + 1));
	KTAP_CHECK(!args_prepend(&args, string, sizeof(string)));
}

/* Numbers that programs and their C libraries rely on. */
static void
test_signal_frame_has_the_layout_of_linux(void)
{
	KTAP_EQUAL(offsetof(struct linux_sigframe, context), 8);
	KTAP_EQUAL(offsetof(struct linux_sigframe, info), 8 + 304);
	KTAP_EQUAL(offsetof(struct linux_ucontext, registers), 40);
	KTAP_EQUAL(offsetof(struct linux_ucontext, mask), 296);
	KTAP_EQUAL(offsetof(struct linux_sigcontext, rip), 128);
	KTAP_EQUAL(offsetof(struct linux_sigcontext, vector_state), 184);
	KTAP_EQUAL(offsetof(struct linux_siginfo, address), 16);
	KTAP_EQUAL(offsetof(struct linux_siginfo, child.status), 24);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_stack_is_laid_out_as_the_abi_says),
		KTAP_TEST(test_stack_too_small_is_refused),
		KTAP_TEST(test_script_line_is_split_as_linux_does),
		KTAP_TEST(test_endless_script_line_is_refused),
		KTAP_TEST(test_interpreter_leads_the_arguments),
		KTAP_TEST(test_too_many_arguments_are_refused),
		KTAP_TEST(test_signal_frame_has_the_layout_of_linux),
	};
	return KTAP_RUN(tests);
}
