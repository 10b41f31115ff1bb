/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory and string functions against those of the host, for all
 * small lengths and offsets; formatting against snprintf.
 */
#include <lib/test/ktap.h>

#include <lib/base/checked.h>
#include <lib/base/format.h>
#include <lib/base/hash.h>
#include <stdio.h>
#include <string.h>

/* The guest's file, under other names. */
#define memcpy guest_memcpy
#define memmove guest_memmove
#define memset guest_memset
#define memcmp guest_memcmp
#define memchr guest_memchr
#define strlen guest_strlen
#define strnlen guest_strnlen
#define strcmp guest_strcmp
#define strncmp guest_strncmp
#define strchr guest_strchr
#define strrchr guest_strrchr
#undef BENNU_HOSTED
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
void *memcpy(void *restrict, const void *restrict, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
void *memchr(const void *, int, size_t);
size_t strlen(const char *);
size_t strnlen(const char *, size_t);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
char *strchr(const char *, int);
char *strrchr(const char *, int);
#include "string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

#define AREA 512u

static int
sign(int value)
{
	return (value > 0) - (value < 0);
}

static void
fill(uint8_t *area, unsigned seed)
{
	for (unsigned i = 0; i < AREA; i++)
		area[i] = (uint8_t)(i * 7 + seed);
}

TEST(test_memcpy_and_memset_touch_what_they_should)
{
	uint8_t a[AREA], b[AREA], source[AREA];
	bool same = true;

	fill(source, 99);
	for (unsigned length = 0; length < 200; length++) {
		for (unsigned to = 0; to < 9; to++) {
			fill(a, 1);
			fill(b, 1);
			guest_memcpy(a + to, source + length % 11, length);
			memcpy(b + to, source + length % 11, length);
			same = same && memcmp(a, b, AREA) == 0;
			guest_memset(a + to, (int)length, length);
			memset(b + to, (int)length, length);
			same = same && memcmp(a, b, AREA) == 0;
		}
	}
	EXPECT(same);
}

TEST(test_memmove_handles_every_overlap)
{
	uint8_t a[AREA], b[AREA];
	bool same = true;

	for (unsigned length = 0; length < 150; length++) {
		for (unsigned from = 90; from < 110; from++) {
			fill(a, length);
			fill(b, length);
			guest_memmove(a + 100, a + from, length);
			memmove(b + 100, b + from, length);
			same = same && memcmp(a, b, AREA) == 0;
		}
	}
	EXPECT(same);
}

TEST(test_comparisons_have_the_sign_of_the_library)
{
	static const char *const words[] = { "", "a", "ab", "abcdefgh",
		"abcdefgi", "abcdefgh1", "\xff", "b" };
	bool same = true;

	for (unsigned i = 0; i < 8; i++) {
		for (unsigned j = 0; j < 8; j++) {
			const char *l = words[i], *r = words[j];
			size_t both = strlen(l) < strlen(r) ?
			    strlen(l) : strlen(r);

			same = same && sign(guest_strcmp(l, r)) ==
			    sign(strcmp(l, r));
			for (size_t n = 0; n < 10; n++)
				same = same && sign(guest_strncmp(l, r, n)) ==
				    sign(strncmp(l, r, n));
			same = same && sign(guest_memcmp(l, r, both + 1)) ==
			    sign(memcmp(l, r, both + 1));
		}
	}
	EXPECT(same);
}

TEST(test_searches_find_the_right_place)
{
	static const char text[] = "/usr/lib/x";

	EXPECT_EQ(guest_strlen(text), 10);
	EXPECT_EQ(guest_strnlen(text, 4), 4);
	EXPECT_EQ(guest_strnlen(text, 40), 10);
	EXPECT(guest_strchr(text, 'l') == text + 5);
	EXPECT(guest_strchr(text, 0) == text + 10);
	EXPECT(guest_strchr(text, 'q') == NULL);
	EXPECT(guest_strrchr(text, '/') == text + 8);
	EXPECT(guest_strrchr(text, 'q') == NULL);
	EXPECT(guest_memchr(text, 'x', 10) == text + 9);
	EXPECT(guest_memchr(text, 'x', 9) == NULL);
}

#define SAME_AS_PRINTF(...) \
	do { \
		char mine[64], theirs[64]; \
		size_t n = format_text(mine, sizeof(mine), __VA_ARGS__); \
		EXPECT_EQ(n, (size_t)snprintf(theirs, sizeof(theirs), \
		    __VA_ARGS__)); \
		if (strcmp(mine, theirs) != 0) \
			printf("# '%s' against '%s'\n", mine, theirs); \
		EXPECT(strcmp(mine, theirs) == 0); \
	} while (0)

TEST(test_format_agrees_with_printf)
{
	SAME_AS_PRINTF("plain 100%%");
	SAME_AS_PRINTF("%s|%8s|%-8s|%.2s|%.*s|", "abc", "abc", "abc", "abc",
	    1, "xyz");
	SAME_AS_PRINTF("%d %d %i", 0, -2147483647 - 1, 2147483647);
	SAME_AS_PRINTF("%ld %ld", INT64_MIN, INT64_MAX);
	SAME_AS_PRINTF("%u %lu %zu", 4294967295u, UINT64_MAX, (size_t)7);
	SAME_AS_PRINTF("%x %lx %08x %16lx", 0xbeefu, UINT64_MAX, 0x12u, 1ul);
	SAME_AS_PRINTF("%5d|%-5d|%05d|%05d", 42, 42, 42, -42);
	SAME_AS_PRINTF("%*d|%3d", 6, 9, 12345);
	SAME_AS_PRINTF("%c%c%3c", 'a', 'b', 'c');
	SAME_AS_PRINTF("%p", (void *)0x1234);
}

TEST(test_format_cuts_at_the_buffer_and_tells_the_length)
{
	char small[6] = "zzzzz";

	EXPECT_EQ(format_text(small, sizeof(small), "%s", "0123456789"), 10);
	EXPECT(strcmp(small, "01234") == 0);
	EXPECT_EQ(format_text(small, 1, "abc"), 3);
	EXPECT_EQ(small[0], 0);
	EXPECT_EQ(format_text(NULL, 0, "%d", 12345), 5);
}

TEST(test_mix_is_a_bijection_and_bytes_depend_on_all)
{
	uint64_t low = 0;
	char text[] = "a name of some length";
	uint64_t hash = hash_bytes(1, text, sizeof(text));

	for (uint64_t i = 0; i < 64; i++)
		low |= 1ul << (hash_mix(i) & 63);
	EXPECT(__builtin_popcountl(low) > 30);
	EXPECT(hash != hash_bytes(2, text, sizeof(text)));
	for (unsigned i = 0; i < sizeof(text); i++) {
		text[i] ^= 1;
		EXPECT(hash != hash_bytes(1, text, sizeof(text)));
		text[i] ^= 1;
	}
	EXPECT(hash_bytes(1, "ab", 2) != hash_bytes(1, "ab\0", 3));
}

TEST(test_checked_arithmetic_refuses_overflow)
{
	uint64_t value = 5;

	EXPECT(checked_add(1, 2, &value) && value == 3);
	EXPECT(!checked_add(UINT64_MAX, 1, &value) && value == 3);
	EXPECT(checked_multiply(1ul << 32, 1ul << 31, &value));
	EXPECT(!checked_multiply(1ul << 32, 1ul << 32, &value));
	EXPECT(checked_round_up(4097, 4096, &value) && value == 8192);
	EXPECT(!checked_round_up(UINT64_MAX - 4094, 4096, &value));
	EXPECT(checked_within(8, 2, 10) && !checked_within(9, 2, 10));
	EXPECT(!checked_within(UINT64_MAX, 2, 10));
}

TEST_MAIN(0)
