/* SPDX-License-Identifier: MIT */
/*
 * The same bytes, modes and calls for a pseudo-terminal of Linux and for
 * lib/terminal: what the slave reads, what the master sees, what both say of
 * bytes that wait.
 *
 * Linux hands typed bytes on from a queue of its own. Each step therefore waits
 * until both sides agree, and a case that differs runs again with long pauses
 * before it counts. Not compared, because Linux answers by chance of timing or
 * of its buffers: output that nobody has read when it is flushed (the test
 * reads all at once), and echo while output is stopped if modes change or
 * output is flushed before it goes on.
 */
#include <ktap.h>
#include <lib/terminal/terminal_host.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define STEPS		60u
#define CASES		700u
#define PATIENCE	2000u	/* looks at Linux until it must agree */

/* Not in <sys/ioctl.h> under these names. */
#define LINUX_GET_MODES	0x5401
#define LINUX_SET_MODES	0x5402

static uint64_t state_of_chance;
static int master_fd, slave_fd;
static bool slow, packet;
static const char *differs;
static char story[65536];
static size_t story_length;

static uint32_t
draw(uint32_t limit)
{
	state_of_chance ^= state_of_chance << 13;
	state_of_chance ^= state_of_chance >> 7;
	state_of_chance ^= state_of_chance << 17;
	return (uint32_t)(state_of_chance >> 20) % limit;
}

static void
tell(const char *what, const uint8_t *bytes, size_t length)
{
	story_length += (size_t)snprintf(story + story_length,
	    sizeof(story) - story_length, "#  %s", what);
	for (size_t i = 0; i < length; i++)
		story_length += (size_t)snprintf(story + story_length,
		    sizeof(story) - story_length, " %02x", bytes[i]);
	story_length += (size_t)snprintf(story + story_length,
	    sizeof(story) - story_length, "\n");
}

static void
pause_ns(long ns)
{
	nanosleep(&(struct timespec){ 0, ns }, NULL);
}

static bool
linux_open(void)
{
	int number, unlocked = 0;
	char name[32];

	master_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (master_fd < 0 || ioctl(master_fd, TIOCSPTLCK, &unlocked) != 0 ||
	    ioctl(master_fd, TIOCGPTN, &number) != 0)
		return false;
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	slave_fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	return slave_fd >= 0;
}

static void
disagree(const char *why)
{
	if (differs == NULL)
		differs = why;
}

/* What a master reads, status bytes of packet mode apart. */
struct seen {
	uint8_t	 bytes[16384];
	size_t	 length;
	unsigned status;
};

static void
see(struct seen *seen, const uint8_t *bytes, long length)
{
	if (packet && bytes[0] != 0) {
		seen->status |= bytes[0];
		return;
	}
	memcpy(seen->bytes + seen->length, bytes + packet,
	    (size_t)length - packet);
	seen->length += (size_t)length - packet;
}

static void
compare_masters(void)
{
	struct seen ours = { .length = 0 }, theirs = { .length = 0 };
	uint8_t bytes[2048];
	long length;

	while ((length = read_now(TERMINAL_CALL_MASTER_READ, bytes,
	    sizeof(bytes))) > 0)
		see(&ours, bytes, length);
	for (unsigned i = 0; i < PATIENCE; i++) {
		while ((length = read(master_fd, bytes, sizeof(bytes))) > 0)
			see(&theirs, bytes, length);
		if (theirs.length >= ours.length &&
		    theirs.status == ours.status && !(slow && i < 10))
			break;
		pause_ns(slow ? 1000000 : 20000);
	}
	if (ours.length == theirs.length && ours.status == theirs.status &&
	    memcmp(ours.bytes, theirs.bytes, ours.length) == 0)
		return;
	tell("ours  ", ours.bytes, ours.length);
	tell("theirs", theirs.bytes, theirs.length);
	if (ours.status != theirs.status)
		tell("status", (uint8_t[]){ (uint8_t)ours.status,
		    (uint8_t)theirs.status }, 2);
	disagree("what the master sees");
}

static void
compare_waiting(void)
{
	struct terminal_state state;
	int waiting = 0;

	terminal_poll(terminal, false, &state);
	for (unsigned i = 0; i < PATIENCE; i++) {
		ioctl(slave_fd, FIONREAD, &waiting);
		if (waiting == (int)state.readable)
			return;
		pause_ns(20000);
	}
	tell("waiting", (uint8_t[]){ (uint8_t)state.readable,
	    (uint8_t)waiting }, 2);
	disagree("how many bytes wait");
}

/* -- steps -- */

static uint8_t
draw_byte(void)
{
	static const uint8_t keys[] = "\x03\x1c\x7f\x15\x04\x11\x13\x1a\x12"
	    "\x17\x16\r\n\n\n\t\t\b\x7f\x7f\x17 _a;\xff";
	static const uint8_t letters[] = "abcXYZ019 ..";

	switch (draw(8)) {
	case 0:
		return (uint8_t)draw(256);
	case 1: case 2: case 3:
		return keys[draw(sizeof(keys) - 1)];
	case 4:
		return (uint8_t)(0xc2 + draw(4));
	case 5:
		return (uint8_t)(0x80 + draw(64));
	default:
		return letters[draw(sizeof(letters) - 1)];
	}
}

static void
step_type(void)
{
	uint8_t byte = draw_byte();

	tell("type", &byte, 1);
	long ours = write_now(TERMINAL_CALL_MASTER_WRITE, &byte, 1);
	if (ours != write(master_fd, &byte, 1))
		disagree("typing");
	if (slow)
		pause_ns(3000000);
	compare_masters();
	compare_waiting();
	/* What shows nowhere takes its time, too. */
	if (!slow)
		pause_ns(100000);
}

static void
step_write(void)
{
	uint8_t bytes[40];
	size_t length = 1 + draw(sizeof(bytes));

	for (size_t i = 0; i < length; i++)
		bytes[i] = draw_byte();
	tell("write", bytes, length);
	long ours = write_now(TERMINAL_CALL_WRITE, bytes, length);
	long theirs = write(slave_fd, bytes, length);
	if (ours != (theirs < 0 ? -errno : theirs))
		disagree("writing");
	compare_masters();
}

static void
step_read(void)
{
	uint8_t ours[TERMINAL_INPUT], theirs[TERMINAL_INPUT];
	size_t length = draw(3) == 0 ? sizeof(ours) : 1 + draw(8);
	long our = read_now(TERMINAL_CALL_READ, ours, length);
	long their = read(slave_fd, theirs, length);

	if (their < 0)
		their = -errno;
	tell("read", (uint8_t[]){ (uint8_t)length, (uint8_t)our,
	    (uint8_t)their }, 3);
	if (our != their || (our > 0 && memcmp(ours, theirs,
	    (size_t)our) != 0))
		disagree("what the slave reads");
	compare_waiting();
}

static void
step_modes(void)
{
	static const uint32_t input[] = {
		MODE_PARMRK, MODE_ISTRIP, MODE_INLCR, MODE_IGNCR, MODE_ICRNL,
		MODE_IUCLC, MODE_IXON, MODE_IXANY, MODE_IMAXBEL, MODE_IUTF8,
	};
	static const uint32_t output[] = {
		MODE_OPOST, MODE_OPOST, MODE_OLCUC, MODE_ONLCR, MODE_OCRNL,
		MODE_ONOCR, MODE_ONLRET, MODE_XTABS,
	};
	static const uint32_t local[] = {
		MODE_ISIG, MODE_ICANON, MODE_ICANON, MODE_ECHO, MODE_ECHO,
		MODE_ECHOE, MODE_ECHOK, MODE_ECHONL, MODE_NOFLSH,
		MODE_ECHOCTL, MODE_ECHOPRT, MODE_ECHOKE, MODE_IEXTEN,
		MODE_IEXTEN,
	};
	struct terminal_modes modes = terminal->modes, told;

	if (terminal->stopped)
		return;
	modes.input = modes.output = modes.local = 0;
	for (unsigned i = 0; i < sizeof(input) / sizeof(*input); i++)
		modes.input |= draw(3) == 0 ? input[i] : 0;
	for (unsigned i = 0; i < sizeof(output) / sizeof(*output); i++)
		modes.output |= draw(3) == 0 ? output[i] : 0;
	for (unsigned i = 0; i < sizeof(local) / sizeof(*local); i++)
		modes.local |= draw(2) == 0 ? local[i] : 0;
	modes.character[CHARACTER_MINIMUM] = (uint8_t)draw(4);
	modes.character[CHARACTER_LINE] = draw(2) == 0 ? ';' : 0;
	modes.character[CHARACTER_LINE2] = draw(4) == 0 ? 0xff : 0;
	tell("modes", (const uint8_t *)&modes, sizeof(modes));
	set_modes(&modes);
	if (ioctl(slave_fd, LINUX_SET_MODES, &modes) != 0 ||
	    ioctl(slave_fd, LINUX_GET_MODES, &told) != 0 ||
	    memcmp(&told, &terminal->modes, sizeof(told)) != 0)
		disagree("modes");
	compare_masters();
	compare_waiting();
}

static void
step_flush(void)
{
	unsigned which = draw(3);

	if (terminal->stopped)
		return;
	tell("flush", (uint8_t[]){ (uint8_t)which }, 1);
	begin();
	terminal_flush(&core, terminal, which);
	end();
	ioctl(slave_fd, TCFLSH, which);
	compare_masters();
	compare_waiting();
}

static void
step_flow(void)
{
	unsigned action = terminal->stopped_by_call ? TERMINAL_FLOW_OUT_ON :
	    draw(4);

	if (terminal->stopped && action > TERMINAL_FLOW_OUT_ON)
		return;
	tell("flow", (uint8_t[]){ (uint8_t)action }, 1);
	begin();
	terminal_flow(&core, terminal, action);
	end();
	ioctl(slave_fd, TCXONC, action);
	/* Linux shows echo that was held back with the next that it does. */
	if (action == TERMINAL_FLOW_OUT_ON) {
		write_now(TERMINAL_CALL_WRITE, "!", 1);
		if (write(slave_fd, "!", 1) != 1 && errno != EAGAIN)
			disagree("writing");
	}
	compare_masters();
}

static void
step_packet(void)
{
	int on = (int)draw(2);

	tell("packet", (uint8_t[]){ (uint8_t)on }, 1);
	begin();
	terminal_set_packet(&core, terminal, on != 0);
	end();
	if (ioctl(master_fd, TIOCPKT, &on) != 0)
		disagree("packet mode");
	packet = on != 0;
	compare_masters();
}

static void
run_case(uint64_t seed)
{
	state_of_chance = seed * 0x9e3779b97f4a7c15u + 1;
	story_length = 0;
	differs = NULL;
	packet = false;
	make(1);
	if (!linux_open()) {
		disagree("no pseudo-terminal");
		return;
	}
	if (seed % 4 != 0)
		step_modes();
	for (unsigned i = 0; i < STEPS && differs == NULL; i++) {
		uint32_t choice = draw(100);

		if (choice < 70)
			step_type();
		else if (choice < 80)
			step_write();
		else if (choice < 90)
			step_read();
		else if (choice < 95)
			step_modes();
		else if (choice < 97)
			step_flush();
		else if (choice < 99)
			step_flow();
		else
			step_packet();
	}
	close(slave_fd);
	close(master_fd);
}

static void
test_linux_does_the_same(void)
{
	if (access("/dev/ptmx", R_OK | W_OK) != 0)
		KTAP_SKIP("no /dev/ptmx");
	for (uint64_t seed = 1; seed <= CASES; seed++) {
		slow = false;
		run_case(seed);
		if (differs != NULL) {
			slow = true;
			run_case(seed);
		}
		if (differs == NULL)
			continue;
		printf("# seed %lu: %s\n%s", (unsigned long)seed, differs,
		    story_length > 4000 ? story + story_length - 4000 : story);
		KTAP_CHECK(differs == NULL);
		return;
	}
}

/* The end of a line that is too long is lost, its newline is not. */
static void
test_linux_cuts_the_same_long_line(void)
{
	static uint8_t line[5000], ours[TERMINAL_INPUT], theirs[TERMINAL_INPUT];
	struct terminal_modes modes;

	make(1);
	if (access("/dev/ptmx", R_OK | W_OK) != 0 || !linux_open())
		KTAP_SKIP("no /dev/ptmx");
	modes = terminal->modes;
	modes.local &= ~MODE_ECHO;
	set_modes(&modes);
	ioctl(slave_fd, LINUX_SET_MODES, &modes);
	for (size_t i = 0; i < sizeof(line); i++)
		line[i] = (uint8_t)('a' + i % 26);
	line[sizeof(line) - 1] = '\n';
	KTAP_EQUAL(write_now(TERMINAL_CALL_MASTER_WRITE, line, sizeof(line)),
	    sizeof(line));
	KTAP_EQUAL(write(master_fd, line, sizeof(line)), sizeof(line));
	long our = read_now(TERMINAL_CALL_READ, ours, sizeof(ours)), their;
	for (unsigned i = 0; i < PATIENCE; i++) {
		their = read(slave_fd, theirs, sizeof(theirs));
		if (their > 0)
			break;
		pause_ns(1000000);
	}
	KTAP_EQUAL(our, TERMINAL_LINE_MAX);
	KTAP_EQUAL(their, our);
	KTAP_CHECK(memcmp(ours, theirs, (size_t)our) == 0);
	close(slave_fd);
	close(master_fd);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_linux_does_the_same),
		KTAP_TEST(test_linux_cuts_the_same_long_line),
	};

	return KTAP_RUN(tests);
}
