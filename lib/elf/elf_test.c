/* SPDX-License-Identifier: MIT */
#include <lib/elf/elf.h>
#include <lib/ktap/ktap.h>

#include <stdlib.h>
#include <string.h>

struct file_header {
	uint8_t	 identity[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, program_headers, section_headers;
	uint32_t flags;
	uint16_t size, ph_size, ph_count, sh_size, sh_count, sh_names;
};

struct ph {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, file_size, memory_size, align;
};

struct sample {
	struct file_header header;
	struct ph ph[4];
};

#define FILE_SIZE 0x5000u

static struct sample
good(void)
{
	return (struct sample){
		.header = {
			.identity = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
			.type = 2, .machine = 62, .version = 1,
			.entry = 0x401010, .program_headers = 64,
			.size = 64, .ph_size = 56, .ph_count = 3,
		},
		.ph = {
			{ 1, 4, 0, 0x400000, 0, 0x1000, 0x1000, 0x1000 },
			{ 1, 5, 0x1000, 0x401000, 0, 0x2345, 0x2345, 0x1000 },
			{ 1, 6, 0x3ff0, 0x404ff0, 0, 0x100, 0x3000, 0x1000 },
		},
	};
}

static enum elf_error
parse(const struct sample *sample, struct elf_image *out)
{
	return elf_parse_head(sample, sizeof(*sample), FILE_SIZE, out);
}

static void
test_good_image_is_described_exactly(void)
{
	struct sample s = good();
	struct elf_image image;

	KTAP_EQUAL(parse(&s, &image), ELF_OK);
	KTAP_EQUAL(image.entry, 0x401010);
	KTAP_EQUAL(image.segment_count, 3);
	KTAP_EQUAL(image.low, 0x400000);
	KTAP_EQUAL(image.high, 0x407ff0);
	KTAP_EQUAL(image.headers, 0x400040);
	KTAP_EQUAL(image.header_count, 3);
	KTAP_EQUAL(image.segments[1].flags, ELF_READ | ELF_EXEC);
	KTAP_EQUAL(image.segments[2].file_size, 0x100);
	KTAP_EQUAL(image.segments[2].memory_size, 0x3000);
	KTAP_CHECK(!image.relocatable);
	KTAP_EQUAL(image.interpreter, 0);
}

static void
test_every_truncation_is_refused(void)
{
	struct sample s = good();
	struct elf_image image;

	for (size_t n = 0; n < 64 + 3 * 56; n++) {
		/* A copy of exactly n bytes lets the sanitizer look. */
		uint8_t *copy = malloc(n + 1);
		memcpy(copy, &s, n);
		KTAP_CHECK(elf_parse_head(copy, n, FILE_SIZE, &image) != ELF_OK);
		free(copy);
	}
}

static void
test_wrong_identity_is_named(void)
{
	struct elf_image image;
	struct sample s = good();

	s.header.identity[0] = 0;
	KTAP_EQUAL(parse(&s, &image), ELF_NOT_ELF);
	s = good();
	s.header.identity[4] = 1;
	KTAP_EQUAL(parse(&s, &image), ELF_WRONG_CLASS);
	s = good();
	s.header.machine = 40;
	KTAP_EQUAL(parse(&s, &image), ELF_WRONG_MACHINE);
	s = good();
	s.header.type = 1;
	KTAP_EQUAL(parse(&s, &image), ELF_WRONG_TYPE);
	s = good();
	s.header.ph_size = 32;
	KTAP_EQUAL(parse(&s, &image), ELF_BAD_HEADER);
	s = good();
	s.header.ph_count = 65535;
	KTAP_EQUAL(parse(&s, &image), ELF_TOO_MANY);
	s = good();
	s.header.program_headers = ~0ul - 20;
	KTAP_EQUAL(parse(&s, &image), ELF_TRUNCATED);
	s = good();
	s.header.ph_count = 0;
	KTAP_EQUAL(parse(&s, &image), ELF_NO_SEGMENT);
}

static void
check_segment(unsigned index, struct ph ph, enum elf_error expected)
{
	struct elf_image image;
	struct sample s = good();

	s.ph[index] = ph;
	KTAP_EQUAL(parse(&s, &image), expected);
}

static void
test_inconsistent_segments_are_refused(void)
{
	/* More in the file than in memory. */
	check_segment(2, (struct ph){ 1, 6, 0x3ff0, 0x404ff0, 0, 0x100, 0xff,
	    0x1000 }, ELF_BAD_SEGMENT);
	/* Beyond the file, and wrapping. */
	check_segment(2, (struct ph){ 1, 6, 0x4ff0, 0x404ff0, 0, 0x100, 0x100,
	    0x1000 }, ELF_BAD_SEGMENT);
	check_segment(2, (struct ph){ 1, 6, ~0xffful, 0x405000, 0, 0x2000,
	    0x2000, 0x1000 }, ELF_BAD_SEGMENT);
	/* Memory wrapping or in the kernel half. */
	check_segment(2, (struct ph){ 1, 6, 0x3ff0, 0x404ff0, 0, 0x100,
	    ~0x404ff0ul + 1, 0x1000 }, ELF_BAD_SEGMENT);
	check_segment(2, (struct ph){ 1, 6, 0, 0xffff800000000000, 0, 0x100,
	    0x100, 0x1000 }, ELF_BAD_SEGMENT);
	check_segment(2, (struct ph){ 1, 6, 0, 0x7fffffffe000, 0, 0x100,
	    0x1001, 0x1000 }, ELF_BAD_SEGMENT);
	/* Offset and address differ inside the page. */
	check_segment(2, (struct ph){ 1, 6, 0x3ff0, 0x404ff8, 0, 0x100, 0x100,
	    0x1000 }, ELF_BAD_SEGMENT);
	/* Alignment is no power of two. */
	check_segment(2, (struct ph){ 1, 6, 0x3ff0, 0x404ff0, 0, 0x100, 0x100,
	    0x1001 }, ELF_BAD_SEGMENT);
	/* Bytes without memory. */
	check_segment(2, (struct ph){ 1, 6, 0x3ff0, 0x404ff0, 0, 1, 0, 0x1000 },
	    ELF_BAD_SEGMENT);
}

static void
test_overlap_and_disorder_are_refused(void)
{
	check_segment(2, (struct ph){ 1, 6, 0x3ff0, 0x402ff0, 0, 0x100, 0x100,
	    0x1000 }, ELF_OVERLAP);
	check_segment(2, (struct ph){ 1, 6, 0x3ff0, 0x300ff0, 0, 0x100, 0x100,
	    0x1000 }, ELF_OVERLAP);
}

static void
test_entry_must_be_executable(void)
{
	struct elf_image image;
	struct sample s = good();

	s.header.entry = 0x400010;
	KTAP_EQUAL(parse(&s, &image), ELF_BAD_ENTRY);
	s.header.entry = 0x403345;
	KTAP_EQUAL(parse(&s, &image), ELF_BAD_ENTRY);
	s.header.entry = ~0ul;
	KTAP_EQUAL(parse(&s, &image), ELF_BAD_ENTRY);
}

static void
test_interpreter_is_found_and_bounded(void)
{
	struct elf_image image;
	struct sample s = good();

	s.header.ph_count = 4;
	s.ph[3] = (struct ph){ 3, 4, 0x200, 0x400200, 0, 28, 28, 1 };
	KTAP_EQUAL(parse(&s, &image), ELF_OK);
	KTAP_EQUAL(image.interpreter, 0x200);
	KTAP_EQUAL(image.interpreter_length, 28);
	s.ph[3].offset = FILE_SIZE - 27;
	KTAP_EQUAL(parse(&s, &image), ELF_BAD_INTERPRETER);
	s.ph[3].offset = 0x200;
	s.ph[3].file_size = 5000;
	KTAP_EQUAL(parse(&s, &image), ELF_BAD_INTERPRETER);
}

static void
test_empty_segment_is_ignored(void)
{
	struct elf_image image;
	struct sample s = good();

	s.header.ph_count = 4;
	s.ph[3] = (struct ph){ 1, 6, 0, 0, 0, 0, 0, 0x1000 };
	KTAP_EQUAL(parse(&s, &image), ELF_OK);
	KTAP_EQUAL(image.segment_count, 3);
}

static void
test_unaligned_image_is_read(void)
{
	uint8_t buffer[sizeof(struct sample) + 1];
	struct elf_image image;
	struct sample s = good();

	memcpy(buffer + 1, &s, sizeof(s));
	KTAP_EQUAL(elf_parse_head(buffer + 1, sizeof(s), FILE_SIZE, &image), ELF_OK);
}

/* A note behind the headers, as a linker places it. */
struct noted {
	struct sample sample;
	struct {
		uint32_t name_size, size, type;
		char	 name[8];
		uint32_t word;
	} note[2];
};

static struct noted
with_notes(void)
{
	struct noted n = { .sample = good(), .note = {
		{ 4, 4, 1, "GNU", 7 }, { 6, 4, 1, "Bennu", 3 } } };

	/* The first one's name takes four bytes: its word follows at once. */
	memcpy(n.note[0].name + 4, &(uint32_t){ 7 }, 4);
	n.note[0].size = 8;
	n.sample.header.ph_count = 4;
	n.sample.ph[3] = (struct ph){ .type = 4, .flags = 4,
		.offset = offsetof(struct noted, note),
		.file_size = sizeof(n.note) };
	return n;
}

static bool
finds(const struct noted *n, size_t available, uint32_t *out_word)
{
	return elf_note(n, available, "Bennu", 1, out_word);
}

static void
test_a_note_is_found_by_its_name_and_type(void)
{
	struct noted n = with_notes();
	struct elf_image image;
	uint32_t word = 0;

	KTAP_EQUAL(parse(&n.sample, &image), ELF_OK);
	KTAP_CHECK(finds(&n, sizeof(n), &word));
	KTAP_EQUAL(word, 3);
	KTAP_CHECK(elf_note(&n, sizeof(n), "GNU", 1, &word));
	KTAP_EQUAL(word, 7);
	KTAP_CHECK(!elf_note(&n, sizeof(n), "Bennu", 2, &word));
	KTAP_CHECK(!elf_note(&n, sizeof(n), "Benn", 1, &word));
	KTAP_CHECK(!elf_note(&n, sizeof(n), "Bennus", 1, &word));
}

static void
test_a_note_outside_the_bytes_is_none(void)
{
	struct noted n = with_notes();
	uint32_t word;

	for (size_t size = 0; size < sizeof(n); size++)
		KTAP_CHECK(!finds(&n, size, &word));
	n.note[0].size = 0xffffffff;
	KTAP_CHECK(!finds(&n, sizeof(n), &word));
	n = with_notes();
	n.note[1].name_size = 0xfffffffe;
	KTAP_CHECK(!finds(&n, sizeof(n), &word));
	n = with_notes();
	n.note[1].size = 3;
	KTAP_CHECK(!finds(&n, sizeof(n), &word));
	n = with_notes();
	n.sample.ph[3].offset = ~0ul;
	KTAP_CHECK(!finds(&n, sizeof(n), &word));
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_good_image_is_described_exactly),
		KTAP_TEST(test_every_truncation_is_refused),
		KTAP_TEST(test_wrong_identity_is_named),
		KTAP_TEST(test_inconsistent_segments_are_refused),
		KTAP_TEST(test_overlap_and_disorder_are_refused),
		KTAP_TEST(test_entry_must_be_executable),
		KTAP_TEST(test_interpreter_is_found_and_bounded),
		KTAP_TEST(test_empty_segment_is_ignored),
		KTAP_TEST(test_unaligned_image_is_read),
		KTAP_TEST(test_a_note_is_found_by_its_name_and_type),
		KTAP_TEST(test_a_note_outside_the_bytes_is_none),
	};
	return KTAP_RUN(tests);
}
