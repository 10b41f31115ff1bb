/* SPDX-License-Identifier: MIT */
/* CRC-32C, lite messages, and fixed structs as Cap'n Proto messages. */
#include <lib/test/ktap.h>
#include <lib/wire/crc32c.h>
#include <lib/wire/flat.h>
#include <lib/wire/lite.h>

#include <stdlib.h>
#include <string.h>

#define SCHEMA	0xfeedul

struct note {
	uint64_t number;
	struct lite_tail text;
	struct lite_tail values;	/* uint32_t */
};

static const struct lite_tail_type note_tails[] = {
	{ .at = offsetof(struct note, text), .max = 100, .unit = 1 },
	{ .at = offsetof(struct note, values), .max = 40, .unit = 4 },
};
static const struct lite_type note_type = {
	.schema = SCHEMA, .size = sizeof(struct note), .tails = 2,
	.tail = note_tails,
};

static uint64_t random_state = 1;

static uint64_t
next_random(void)
{
	random_state = random_state * 6364136223846793005ul +
	    1442695040888963407ul;
	return random_state >> 33;
}

/* Bit by bit, as the definition has it. */
static uint32_t
crc_plain(const uint8_t *bytes, size_t length)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1));
	}
	return ~crc;
}

TEST(test_crc_is_that_of_the_standard)
{
	uint8_t bytes[32];

	EXPECT_EQ(crc32c(0, "123456789", 9), 0xe3069283);
	memset(bytes, 0, 32);
	EXPECT_EQ(crc32c_table(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	EXPECT_EQ(crc32c_table(0, bytes, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	EXPECT_EQ(crc32c_table(0, bytes, 32), 0x46dd794e);
}

TEST(test_crc_is_the_same_every_way_and_in_pieces)
{
	uint8_t bytes[300];

	for (unsigned i = 0; i < 2000; i++) {
		size_t length = next_random() % sizeof(bytes);
		size_t cut = length == 0 ? 0 : next_random() % length;

		for (size_t j = 0; j < length; j++)
			bytes[j] = (uint8_t)next_random();
		uint32_t crc = crc_plain(bytes, length);
		EXPECT_EQ(crc32c_table(0, bytes, length), crc);
		EXPECT_EQ(crc32c(crc32c(0, bytes, cut), bytes + cut,
		    length - cut), crc);
		if (crc32c_has_instruction())
			EXPECT_EQ(crc32c_instruction(0, bytes, length), crc);
	}
}

/* A note with tails of these lengths; its length. */
static size_t
build(uint64_t *message, size_t room, size_t text, size_t values)
{
	static const uint8_t bytes[200] = "some text";
	struct note note = { .number = 42 };
	struct lite_builder builder;
	size_t length = 0;

	lite_begin(&builder, &note_type, message, room, &note);
	lite_add(&builder, bytes, text);
	lite_add(&builder, bytes, values);
	return lite_finish(&builder, &length) == OK ? length : 0;
}

TEST(test_lite_message_is_read_as_it_was_built)
{
	uint64_t message[64];

	for (size_t text = 0; text <= 100; text++) {
		size_t length = build(message, sizeof(message), text, 12);
		const struct note *note = lite_struct(message);

		EXPECT(length != 0);
		EXPECT_EQ(lite_check(&note_type, message, length), OK);
		EXPECT_EQ(note->number, 42);
		EXPECT_EQ(note->text.length, text);
		EXPECT_EQ(note->values.length, 12);
		EXPECT(text == 0 || memcmp(lite_tail_bytes(message,
		    &note->text), "some text", text < 9 ? text : 9) == 0);
		EXPECT_EQ(note->values.offset % 8, 0);
	}
}

TEST(test_lite_builder_says_what_does_not_fit)
{
	uint64_t message[64];
	struct note note = { 0 };
	struct lite_builder builder;
	size_t length, whole = build(message, sizeof(message), 50, 20);

	EXPECT_EQ(build(message, whole, 50, 20), whole);
	for (size_t room = 0; room < whole; room++)
		EXPECT_EQ(build(message, room, 50, 20), 0);
	EXPECT_EQ(build(message, sizeof(message), 101, 0), 0);
	EXPECT_EQ(build(message, sizeof(message), 0, 44), 0);
	EXPECT_EQ(build(message, sizeof(message), 0, 3), 0);
	lite_begin(&builder, &note_type, message, sizeof(message), &note);
	EXPECT_EQ(lite_finish(&builder, &length), OK);
	EXPECT_EQ(lite_check(&note_type, message, length), OK);
	lite_begin(&builder, &note_type, message, sizeof(message), &note);
	for (unsigned i = 0; i < 3; i++)
		lite_add(&builder, "", 0);
	EXPECT_EQ(lite_finish(&builder, &length), ERR_RANGE);
}

TEST(test_every_changed_bit_is_found)
{
	uint64_t message[64], copy[64];
	size_t length = build(message, sizeof(message), 30, 8);

	for (size_t bit = 0; bit < length * 8; bit++) {
		memcpy(copy, message, length);
		((uint8_t *)copy)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		EXPECT(lite_check(&note_type, copy, length) != OK);
	}
	for (size_t cut = 0; cut < length; cut++)
		EXPECT(lite_check(&note_type, message, cut) != OK);
}

/* Makes the CRC right again: only the bounds are left to find it. */
static status_t
check_resealed(uint64_t *message, size_t length)
{
	lite_seal(message, (uint32_t)length, SCHEMA);
	return lite_check(&note_type, message, length);
}

TEST(test_tails_out_of_place_are_found_whatever_the_crc)
{
	uint64_t message[64];
	struct note *note = (struct note *)(message + 2);
	size_t length = build(message, sizeof(message), 30, 8);

	EXPECT_EQ(check_resealed(message, length), OK);
	note->text.offset += 8;
	EXPECT_EQ(check_resealed(message, length), ERR_RANGE);
	note->text.offset -= 8;
	note->text.length = ~0u;
	EXPECT_EQ(check_resealed(message, length), ERR_RANGE);
	note->text.length = 30;
	note->values.length = 12;
	EXPECT_EQ(check_resealed(message, length), ERR_RANGE);
	note->values.length = 4;
	EXPECT_EQ(check_resealed(message, length), ERR_RANGE);
	note->values.length = 8;
	note->values.offset = note->text.offset;
	EXPECT_EQ(check_resealed(message, length), ERR_RANGE);
	note->values.offset = note->text.offset + 32;
	EXPECT_EQ(check_resealed(message, length), OK);
	lite_seal(message, (uint32_t)length, SCHEMA + 1);
	EXPECT_EQ(lite_check(&note_type, message, length), ERR_TYPE);
}

TEST(test_take_copies_only_what_fits)
{
	uint64_t message[64], copy[64];
	size_t length = build(message, sizeof(message), 30, 8);

	EXPECT_EQ(lite_take(&note_type, message, length, copy, length), OK);
	EXPECT_EQ(lite_take(&note_type, message, length, copy, length - 1),
	    ERR_FULL);
}

TEST(test_sealed_struct_opens_as_it_was)
{
	uint64_t message[8] = { 0 }, value[2] = { 5, 6 }, got[2];
	uint32_t length = LITE_HEADER + sizeof(value);

	memcpy(message + 2, value, sizeof(value));
	lite_seal(message, length, SCHEMA);
	EXPECT_EQ(lite_open(message, length, SCHEMA, got, 16), OK);
	EXPECT(memcmp(value, got, 16) == 0);
	EXPECT_EQ(lite_open(message, length, SCHEMA + 1, got, 16), ERR_TYPE);
	EXPECT_EQ(lite_open(message, length - 1, SCHEMA, got, 16), ERR_RANGE);
	EXPECT_EQ(lite_open(message, length, SCHEMA, got, 8), ERR_RANGE);
	message[3] ^= 1;
	EXPECT_EQ(lite_open(message, length, SCHEMA, got, 16), ERR_CORRUPT);
}

TEST(test_flat_struct_opens_as_it_was)
{
	uint8_t value[40], got[40];
	uint64_t message[8];

	for (uint32_t size = 0; size <= 40; size++) {
		for (uint32_t i = 0; i < size; i++)
			value[i] = (uint8_t)next_random();
		memset(message, 0xff, sizeof(message));
		memcpy(message + 2, value, size);
		flat_seal(message, size);
		EXPECT_EQ(flat_open(message, flat_length(size), got, size),
		    OK);
		EXPECT(memcmp(value, got, size) == 0);
		for (uint32_t cut = 0; cut < flat_length(size); cut++)
			EXPECT(flat_open(message, cut, got, size) != OK);
	}
}

TEST(test_flat_struct_may_grow_and_shrink)
{
	uint64_t message[8] = { 0, 0, 1, 2, 3 }, got[4] = { 9, 9, 9, 9 };

	flat_seal(message, 24);
	EXPECT_EQ(flat_open(message, flat_length(24), got, 32), OK);
	EXPECT(got[0] == 1 && got[2] == 3 && got[3] == 0);
	EXPECT_EQ(flat_open(message, flat_length(24), got, 8), OK);
	EXPECT(got[0] == 1);
}

TEST_MAIN(0)
