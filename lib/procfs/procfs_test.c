/* SPDX-License-Identifier: MIT */
#include <lib/procfs/procfs.h>

#include <idl/errno.h>
#include <lib/ktap/ktap.h>
#include <stdlib.h>
#include <string.h>

#define SELF	42u

static int
resolve(const char *path, bool follow, struct procfs_walk *out)
{
	*out = (struct procfs_walk){ 0 };
	return procfs_resolve(path, strlen(path), SELF, follow, out);
}

/* "KIND PID NUMBER" of a path, for comparing; kind 0: an error. */
static struct procfs_node
node_of(const char *path)
{
	struct procfs_walk walk;

	if (resolve(path, true, &walk) != 0 || walk.leaves)
		return (struct procfs_node){ 0 };
	return walk.node;
}

static bool
is(const char *path, unsigned kind, uint32_t pid)
{
	struct procfs_node node = node_of(path);

	return node.kind == kind && node.pid == pid;
}

static void
test_paths_name_nodes_in_any_spelling(void)
{
	KTAP_CHECK(is("", PROCFS_TOP, 0));
	KTAP_CHECK(is("///", PROCFS_TOP, 0));
	KTAP_CHECK(is("uptime", PROCFS_UPTIME, 0));
	KTAP_CHECK(is("/./1//stat", PROCFS_STAT, 1));
	KTAP_CHECK(is("/stat", PROCFS_MACHINE_STAT, 0));
	KTAP_CHECK(is("/1/../2/task/2/..", PROCFS_TASKS, 2));
	KTAP_CHECK(is("/sys/kernel/random/uuid", PROCFS_UUID, 0));
	KTAP_CHECK(is("/sys/kernel/random/../ostype", PROCFS_OSTYPE, 0));
	KTAP_CHECK(is("/7/task/7/fd/..", PROCFS_THREAD, 7));
	KTAP_CHECK(is("/7/task/7/../../fd", PROCFS_FDS, 7));
	KTAP_CHECK(is("/4194303/comm", PROCFS_COMM, 4194303));
}

static void
test_self_is_who_asks(void)
{
	KTAP_CHECK(is("self", PROCFS_PROCESS, SELF));
	KTAP_CHECK(is("self/", PROCFS_PROCESS, SELF));
	KTAP_CHECK(is("self/maps", PROCFS_MAPS, SELF));
	KTAP_CHECK(is("thread-self/comm", PROCFS_COMM, SELF));
	KTAP_CHECK(node_of("thread-self/comm").thread == 1);
	KTAP_CHECK(is("mounts", PROCFS_MOUNTS, SELF));
}

static void
test_links_at_the_end_stay_when_not_followed(void)
{
	struct procfs_walk walk;
	char text[32];

	KTAP_CHECK(resolve("self", false, &walk) == 0 &&
	    walk.node.kind == PROCFS_SELF && !walk.leaves);
	KTAP_CHECK(procfs_link(&walk.node, SELF, text, sizeof(text)) == 2 &&
	    strcmp(text, "42") == 0);
	KTAP_CHECK(resolve("/3/exe", false, &walk) == 0 &&
	    walk.node.kind == PROCFS_EXE && !walk.leaves);
	KTAP_CHECK(procfs_link(&walk.node, SELF, text, sizeof(text)) == 0);
}

static bool
leaves(const char *path, unsigned kind, const char *rest)
{
	struct procfs_walk walk;

	return resolve(path, true, &walk) == 0 && walk.leaves &&
	    walk.node.kind == kind && strcmp(path + walk.rest, rest) == 0;
}

static void
test_links_and_dots_lead_out_with_the_rest(void)
{
	KTAP_CHECK(leaves("/3/exe", PROCFS_EXE, ""));
	KTAP_CHECK(leaves("/3/cwd/a/../b/", PROCFS_CWD, "/a/../b/"));
	KTAP_CHECK(leaves("/self/root/etc", PROCFS_ROOT, "/etc"));
	KTAP_CHECK(leaves("/3/fd/1023/x", PROCFS_FD, "/x"));
	KTAP_CHECK(leaves("/..", PROCFS_TOP, ""));
	KTAP_CHECK(leaves("/sys/../../tmp/x", PROCFS_TOP, "/tmp/x"));
	KTAP_CHECK(leaves("/exe/../..", PROCFS_TOP, "") == false);
}

static void
test_what_is_no_path_is_refused(void)
{
	static const char *const none[] = { "nosuch", "01", "0", "4194304",
		"99999999999999999999", "1x", "3/task/4", "3/fd/1024",
		"3/fd/01", "3/task/3/task", "self/nosuch", "-1", "3/fd/" };
	struct procfs_walk walk;

	for (unsigned i = 0; i + 1 < sizeof(none) / sizeof(none[0]); i++)
		KTAP_EQUAL(resolve(none[i], true, &walk), E_NOENT);
	KTAP_EQUAL(resolve("uptime/", true, &walk), E_NOTDIR);
	KTAP_EQUAL(resolve("uptime/x", true, &walk), E_NOTDIR);
	KTAP_EQUAL(resolve("3/stat/..", true, &walk), E_NOTDIR);
}

static void
test_every_node_is_found_by_its_path(void)
{
	char path[64];

	for (unsigned kind = PROCFS_TOP; kind < PROCFS_KIND_COUNT; kind++) {
		bool process = kind >= PROCFS_CMDLINE ||
		    (kind >= PROCFS_PROCESS && kind <= PROCFS_FDS) ||
		    (kind >= PROCFS_CWD && kind <= PROCFS_FD);
		struct procfs_node node = { (uint16_t)kind, 0,
		    process ? 9 : 0, kind == PROCFS_FD ? 5 : 0 };
		struct procfs_walk walk;

		procfs_path(&node, path, sizeof(path));
		KTAP_CHECK(resolve(path, false, &walk) == 0);
		KTAP_CHECK(memcmp(&walk.node, &node, sizeof(node)) == 0);
	}
}

/* Names of a directory, read with that much room, separated by blanks. */
static void
list(const char *path, size_t room, const uint32_t *numbers, unsigned count,
    char *out)
{
	static _Alignas(8) uint8_t buffer[4096];
	struct procfs_node node = node_of(path);
	struct procfs_listing listing = { .buffer = buffer, .size = room };

	*out = 0;
	do {
		unsigned first = 0;

		listing.length = 0;
		listing.full = false;
		procfs_list_names(&listing, &node);
		while (first < count && listing.position >
		    PROCFS_NUMBERS + numbers[first])
			first++;
		procfs_list_numbers(&listing, &node, numbers + first,
		    count - first);
		for (size_t at = 0; at < listing.length;) {
			const struct storage_entry *entry =
			    (const struct storage_entry *)(buffer + at);
			strcat(strcat(out, entry->name), " ");
			at += entry->length;
		}
	} while (listing.length != 0);
}

static void
test_listings_are_whole_whatever_the_room(void)
{
	static const uint32_t numbers[] = { 1, 2, 1000, 4194303 };
	char whole[1024], parts[1024];

	list("", 4096, numbers, 4, whole);
	KTAP_CHECK(strncmp(whole, ". .. cpuinfo ", 13) == 0);
	KTAP_CHECK(strstr(whole, " self ") != NULL);
	KTAP_CHECK(strstr(whole, " vmstat 1 2 1000 4194303 ") != NULL);
	for (size_t room = 40; room < 400; room += 24) {
		list("", room, numbers, 4, parts);
		KTAP_CHECK(strcmp(whole, parts) == 0);
	}
	list("/9", 4096, NULL, 0, whole);
	KTAP_CHECK(strstr(whole, " task ") != NULL);
	list("/9/task/9", 4096, NULL, 0, parts);
	KTAP_CHECK(strstr(parts, " task ") == NULL &&
	    strstr(parts, " stat ") != NULL);
	list("/9/fd", 4096, numbers, 2, whole);
	KTAP_CHECK(strcmp(whole, ". .. 1 2 ") == 0);
}

static void
test_inodes_differ(void)
{
	static const char *const paths[] = { "", "self", "/1", "/2", "/1/stat",
		"/1/task", "/1/task/1", "/1/task/1/stat", "/stat", "/1/fd",
		"uptime", "sys" };
	struct storage_stat stat[12];

	for (unsigned i = 0; i < 12; i++) {
		struct procfs_node node = node_of(paths[i]);
		procfs_stat(&node, &stat[i]);
		for (unsigned j = 0; j < i; j++)
			KTAP_CHECK(stat[i].inode != stat[j].inode);
	}
	KTAP_EQUAL(stat[0].mode, KIND_DIRECTORY << 12 | 0555);
	KTAP_EQUAL(stat[0].links, 3);
	KTAP_EQUAL(stat[2].links, 4);
	KTAP_EQUAL(stat[4].mode, KIND_REGULAR << 12 | 0444);
}

static const struct procfs_process sample = {
	.pid = 7, .ppid = 3, .pgid = 5, .sid = 2, .terminal = 0x8801,
	.foreground = 5, .nice = -3, .users = { 10, 11, 12, 13 },
	.groups = { 14, 15, 16, 17 }, .more_group_count = 2,
	.more_groups = (const uint32_t[]){ 5, 7 }, .no_new_privileges = 1,
	.privileges = { 1, 2, 3, 4, 5 }, .state = 'S', .name = "a) (b\nc\\", .start_ns = 1230000000,
	.spent_ns = 450000000, .children_ns = 70000000,
	.virtual_bytes = 8192000, .resident_pages = 33,
	.arguments = { 100, 200 }, .environment = { 200, 300 },
	.pending = 1, .blocked = 2, .ignored = 4, .caught = 8,
	.fd_room = 1024, .limits = { [7] = { 20, ~0ul } },
};

/* The text of a file, in pieces of that size. */
static const char *
text_of(unsigned kind, size_t piece)
{
	static char all[8192];
	struct procfs_text text = { .size = piece };
	size_t total = 0;

	do {
		text.buffer = all + total;
		text.length = 0;
		text.skip = total;
		if (!procfs_process_file(&text, kind, &sample))
			return "";
		total += text.length;
	} while (text.length != 0 && total + piece < sizeof(all));
	all[total] = 0;
	return all;
}

static void
test_stat_has_its_fields_in_place(void)
{
	const char *line = text_of(PROCFS_STAT, 4096);
	const char *at = strrchr(line, ')') + 2;
	uint64_t field[53] = { 0 };
	unsigned count = 3;

	KTAP_CHECK(strncmp(line, "7 (a) (b\nc\\) S 3 5 2 34817 5 ", 29) == 0);
	for (at = strchr(at, ' '); at != NULL; at = strchr(at + 1, ' '))
		field[++count < 53 ? count : 0] = strtoul(at, NULL, 10);
	KTAP_EQUAL(count, 52);
	KTAP_EQUAL(field[14], 45);
	KTAP_EQUAL(field[16], 7);
	KTAP_EQUAL(field[18], 17);
	KTAP_EQUAL((int64_t)field[19], -3);
	KTAP_EQUAL(field[22], 123);
	KTAP_EQUAL(field[23], 8192000);
	KTAP_EQUAL(field[24], 33);
	KTAP_EQUAL(field[34], 8);
	KTAP_EQUAL(field[38], 17);
	KTAP_EQUAL(field[51], 300);
	KTAP_CHECK(line[strlen(line) - 1] == '\n');
}

static void
test_texts_join_from_pieces(void)
{
	static const unsigned kinds[] = { PROCFS_STATUS, PROCFS_LIMITS,
		PROCFS_STAT, PROCFS_MOUNTINFO, PROCFS_COMM };
	char whole[8192];

	for (unsigned i = 0; i < 5; i++) {
		strcpy(whole, text_of(kinds[i], 4096));
		KTAP_CHECK(whole[0] != 0);
		for (size_t piece = 1; piece < 200; piece += 13)
			KTAP_CHECK(strcmp(whole,
			    text_of(kinds[i], piece)) == 0);
	}
}

static void
test_a_name_does_not_make_lines_of_status(void)
{
	const char *text = text_of(PROCFS_STATUS, 4096);

	KTAP_CHECK(strncmp(text, "Name:\ta) (b\\nc\\\\\nState:\tS ", 26) == 0);
	KTAP_CHECK(strstr(text, "\nUid:\t10\t11\t12\t13\n") != NULL);
	KTAP_CHECK(strstr(text, "\nGid:\t14\t15\t16\t17\n") != NULL);
	KTAP_CHECK(strstr(text, "\nGroups:\t5 7 \n") != NULL);
	KTAP_CHECK(strstr(text, "\nCapEff:\t0000000000000003\n") != NULL);
	KTAP_CHECK(strstr(text, "\nNoNewPrivs:\t1\n") != NULL);
	KTAP_CHECK(strstr(text, "\nSigIgn:\t0000000000000004\n") != NULL);
}

static void
test_limits_tell_what_has_none(void)
{
	const char *line = strstr(text_of(PROCFS_LIMITS, 4096),
	    "Max open files");

	KTAP_CHECK(line != NULL && strtoul(line + 14, NULL, 10) == 20 &&
	    strncmp(line + 26 + 21, "unlimited ", 10) == 0);
}

static void
test_maps_are_written_and_counted(void)
{
	static const struct libos_map heap = { 0x400000, 0x403000,
		MAP_READ | MAP_WRITE, LIBOS_MAP_HEAP };
	static const struct libos_map code = { 0x7f0000000000, 0x7f0000001000,
		MAP_READ | MAP_EXEC, LIBOS_MAP_SHARED };
	struct procfs_process process = { 0 };
	char buffer[256];
	struct procfs_text text = { .buffer = buffer, .size = 255 };

	procfs_map_line(&text, &heap);
	procfs_map_line(&text, &code);
	buffer[text.length] = 0;
	KTAP_CHECK(strstr(buffer, "00400000-00403000 rw-p 00000000 00:00 0 ")
	    == buffer);
	KTAP_CHECK(strstr(buffer, " [heap]\n7f0000000000-7f0000001000 r-xs ")
	    != NULL);
	procfs_map_count(&process, &heap);
	procfs_map_count(&process, &code);
	KTAP_EQUAL(process.virtual_bytes, 0x4000);
	KTAP_EQUAL(process.data_bytes, 0x3000);
	KTAP_EQUAL(process.text_bytes, 0x1000);
}

static void
test_files_of_the_machine_say_what_they_are_told(void)
{
	struct procfs_machine machine = {
		.now_ns = 61230000000, .wall_ns = 1700000061230000000,
		.cpu = { { 50000000, 20000000 }, { 10000000, 0 } },
		.pages_total = 1000, .pages_free = 10,
		.cpus = 2, .tsc_hz = 2500123000, .processes = 5, .running = 2,
		.last_pid = 99,
	};
	char buffer[2048];
	struct procfs_text text = { .buffer = buffer, .size = 2047 };

	KTAP_CHECK(procfs_machine_file(&text, PROCFS_UPTIME, &machine));
	KTAP_CHECK(memcmp(buffer, "61.23 0.02\n", 11) == 0);
	text.length = 0;
	KTAP_CHECK(procfs_machine_file(&text, PROCFS_MACHINE_STAT, &machine));
	buffer[text.length] = 0;
	KTAP_CHECK(strstr(buffer, "\nbtime 1700000000\n") != NULL);
	KTAP_CHECK(strncmp(buffer, "cpu  6 0 0 2 ", 13) == 0);
	KTAP_CHECK(strstr(buffer, "\ncpu1 1 0 0 0 ") != NULL);
	text.length = 0;
	KTAP_CHECK(procfs_machine_file(&text, PROCFS_LOADAVG, &machine));
	KTAP_CHECK(memcmp(buffer, "0.00 0.00 0.00 2/5 99\n", 22) == 0);
	text.length = 0;
	KTAP_CHECK(procfs_machine_file(&text, PROCFS_UUID, &machine));
	KTAP_CHECK(memcmp(buffer, "00000000-0000-4000-8000-000000000000\n",
	    37) == 0 && text.length == 37);
	for (unsigned kind = PROCFS_CPUINFO; kind <= PROCFS_OVERCOMMIT;
	    kind++) {
		text.length = 0;
		KTAP_CHECK(procfs_machine_file(&text, kind, &machine));
		KTAP_CHECK(text.length > 0 && buffer[text.length - 1] == '\n');
	}
	KTAP_CHECK(!procfs_machine_file(&text, PROCFS_STAT, &machine));
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_paths_name_nodes_in_any_spelling),
		KTAP_TEST(test_self_is_who_asks),
		KTAP_TEST(test_links_at_the_end_stay_when_not_followed),
		KTAP_TEST(test_links_and_dots_lead_out_with_the_rest),
		KTAP_TEST(test_what_is_no_path_is_refused),
		KTAP_TEST(test_every_node_is_found_by_its_path),
		KTAP_TEST(test_listings_are_whole_whatever_the_room),
		KTAP_TEST(test_inodes_differ),
		KTAP_TEST(test_stat_has_its_fields_in_place),
		KTAP_TEST(test_texts_join_from_pieces),
		KTAP_TEST(test_a_name_does_not_make_lines_of_status),
		KTAP_TEST(test_limits_tell_what_has_none),
		KTAP_TEST(test_maps_are_written_and_counted),
		KTAP_TEST(test_files_of_the_machine_say_what_they_are_told),
	};
	return KTAP_RUN(tests);
}
