/* SPDX-License-Identifier: MIT */
/*
 * The host's commands in the simulated machine: each has a number and an answer
 * that follows from it. For console_host.h.
 */
#pragma once

#include <lib/cobs/frame.h>
#include <lib/console/console.h>
#include <string.h>

/* `interruptions` is odd while the answer that arrives tells of one. */
static struct {
	uint32_t commands, command_runs, answers, interruptions;
	size_t	 answer_length;
	const char *broken;
} asked;

static void
wrong_answer(const char *why)
{
	if (asked.broken == NULL)
		asked.broken = why;
}

/* The text of command `number`, as long as it is many. */
static size_t
answer_size(uint32_t number)
{
	return number == 2 ? CONSOLE_ANSWER_MAX : number * 37 % 1200;
}

static uint8_t
answer_byte(uint32_t number, size_t at)
{
	return (uint8_t)('a' + (number * 7 + at) % 26);
}

static void
host_answer_ended(bool failed)
{
	uint32_t number = asked.answers;

	if (failed != (asked.interruptions & 1))
		wrong_answer("answer with a wrong flag");
	if (asked.interruptions & 1)
		asked.interruptions++;
	else if (asked.answer_length != answer_size(number))
		wrong_answer("answer cut short");
	else if (asked.command_runs <= number)
		wrong_answer("answer to a command that did not run");
	asked.answer_length = 0;
	asked.answers++;
}

/* Odd `interruptions`: the answer that is arriving tells of one. */
static void
host_answer(const struct frame *frame)
{
	bool failed = (frame->data[0] & CONSOLE_ANSWER_FAILED) != 0;

	if (frame->length == 0) {
		wrong_answer("answer without flags");
		return;
	}
	if (failed && asked.answer_length == 0) {
		if (frame->length < 12 ||
		    memcmp(frame->data + 1, "interrupted", 11) != 0)
			wrong_answer("answer of unknown text");
		asked.interruptions++;
	}
	for (size_t i = 1; i < frame->length && !failed; i++)
		if (frame->data[i] != answer_byte(asked.answers,
		    asked.answer_length++))
			wrong_answer("answer differs");
	if (frame->data[0] & CONSOLE_ANSWER_LAST)
		host_answer_ended(failed);
}

/* A number that ran before must not run again. */
static size_t
command_run(const uint8_t *text, size_t length, uint8_t *answer)
{
	uint32_t number = length == 8 ? frame_get_u32(text + 4) : UINT32_MAX;

	if (length != 8 || memcmp(text, "ping", 4) != 0)
		wrong_answer("command differs");
	else if (number < asked.command_runs)
		wrong_answer("command done twice");
	/* One answer may be in the UART, one in the frame. */
	else if (number > asked.answers + 2)
		wrong_answer("command before the answer to the last");
	asked.command_runs = number + 1;
	size_t size = answer_size(number);
	for (size_t i = 0; i < size; i++)
		answer[i] = answer_byte(number, i);
	return size;
}
