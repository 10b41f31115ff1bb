/* SPDX-License-Identifier: MIT */
/*
 * What the generator made of sample.capnp: the client of it calls its server,
 * through a transport that hands the message over as the kernel would.
 */
#include <idl/names.h>
#include <idl/sample_client.h>
#include <idl/sample_fuzz.h>
#include <idl/sample_server.h>

#include <lib/test/ktap.h>
#include <stdlib.h>
#include <string.h>

#define CAP_OF_CALLER	100u	/* what the server calls 7, we call 107 */
#define RANDOM_MESSAGES	100000u

/* -- the kernel's part -- */

static struct {
	struct service_call call;
	struct window window[2];
	cap_t caps[4];
	service_outcome outcome;
	cap_t dropped[4];
	unsigned drops;
	uint64_t answered[8];
} kernel;

/* Of the arena: both sides in one. */
struct root {
	struct wire_outbox outbox;
	struct wire_kept_table kept;
};

struct sample_context {
	unsigned calls;
	bool	 fail;
	struct sample_open_args open;
	char	 path[4096], second[4096];
	struct modes modes;
	cap_t	 caps[2];
	uint64_t numbers[4];
};

static struct sample_context context;
static const struct sample_operations *serving;

status_t
wire_take(const struct service_call *call, const struct wire_bytes *from,
    void *to)
{
	const struct window *window = &kernel.window[from->window];

	(void)call;
	if (from->window >= kernel.call.windows ||
	    from->length > window->length_access >> 2 ||
	    (window->length_access & WINDOW_READ) == 0)
		return ERR_FAULT;
	memcpy(to, (const void *)window->address, from->length);
	return OK;
}

status_t
wire_give(const struct service_call *call, const struct wire_room *to,
    const void *from, uint64_t length)
{
	const struct window *window = &kernel.window[to->window];

	(void)call;
	if (to->window >= kernel.call.windows ||
	    length > window->length_access >> 2 ||
	    (window->length_access & WINDOW_WRITE) == 0)
		return ERR_FAULT;
	memcpy((void *)window->address, from, length);
	return OK;
}

status_t
wire_take_cap(const struct service_call *call, unsigned index, cap_t *out_cap)
{
	*out_cap = index < call->caps ? kernel.caps[index] + CAP_OF_CALLER :
	    CAP_NONE;
	return index < call->caps ? OK : ERR_RANGE;
}

void
wire_drop_cap(cap_t cap)
{
	if (cap != CAP_NONE)
		kernel.dropped[kernel.drops++] = cap;
}

unsigned
wire_error(status_t status)
{
	return status == OK ? 0 : E_FAULT;
}

status_t
service_answer(struct parked_call id, const struct message *message)
{
	if (id.order != kernel.call.id.order)
		return ERR_NOENT;
	memcpy(kernel.answered, message->word, sizeof(kernel.answered));
	return OK;
}

/* Saves what the service changes; it never dies here. */
struct arena *
service_arena(void)
{
	static uint64_t memory[1 << 13] __attribute__((aligned(4096)));
	static const struct arena_environment environment;
	static struct arena *arena;

	if (arena != NULL)
		return arena;
	if (arena_open(memory, sizeof(memory), 1, &environment, &arena) != OK)
		abort();
	tx_begin(arena);
	void *root = arena_alloc(arena, sizeof(struct root));
	if (root == NULL || arena_set_root(arena, root) != OK)
		abort();
	tx_commit(arena);
	return arena;
}

/* The reply's words; minus an error; 1 for a call that waits. */
long
wire_call(cap_t target, struct message *message, const struct window *window,
    uint64_t transfer, cap_t *caps)
{
	struct service_call *call = &kernel.call;
	unsigned windows = (transfer & IPC_WINDOWS_MASK) >> IPC_WINDOWS_SHIFT;

	*call = (struct service_call){
		.message = *message, .trust = (unsigned)target,
		.windows = windows, .caps = transfer & IPC_CAPS_MASK,
		.badge = 3,
		.id = { 3, 77 },
	};
	for (unsigned i = 0; i < windows; i++)
		kernel.window[i] = window[i];
	for (unsigned i = 0; i < call->caps; i++)
		kernel.caps[i] = caps[i];
	kernel.drops = 0;
	kernel.outcome = sample_dispatch(serving, &context, call);
	if (kernel.outcome == SERVICE_PARK)
		return 1;
	if (kernel.outcome == SERVICE_ERROR)
		return -(long)call->message.word[1];
	*message = call->message;
	for (unsigned i = 0; i < call->reply_caps; i++)
		caps[i] = call->reply_cap[i];
	return 0;
}

/* -- the service -- */

static unsigned
read_(struct sample_context *at, struct service_call *call,
    const struct sample_read_args *in, struct sample_read_results *out)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz";
	uint64_t length = in->data.length < 26 - in->offset ?
	    in->data.length : 26 - in->offset;

	at->calls++;
	*out = (struct sample_read_results){ length, 26, 5 };
	return wire_error(wire_give(call, &in->data, text + in->offset,
	    length));
}

static unsigned
write_(struct sample_context *at, struct service_call *call,
    const struct sample_write_args *in, struct sample_write_results *out)
{
	(void)call;
	at->calls++;
	*out = (struct sample_write_results){ in->data.length,
	    in->offset + in->data.length };
	return 0;
}

static unsigned
seek(struct sample_context *at, struct service_call *call,
    const struct sample_seek_args *in, struct sample_seek_results *out)
{
	(void)call;
	at->calls++;
	out->position = (uint64_t)(in->offset + in->whence);
	return in->offset < -100 ? E_INVAL : 0;
}

static unsigned
open_(struct sample_context *at, struct service_call *call,
    const struct sample_open_args *in, struct sample_open_results *out)
{
	const char *path;

	at->open = *in;
	if (wire_text(call, &in->path, at->second, &path) != OK)
		return E_FAULT;
	memcpy(at->path, path, in->path.length);
	at->path[in->path.length] = '\0';
	wire_give_cap(call, 55);
	*out = (struct sample_open_results){ KIND_REGULAR, 2, 3, 4 };
	return at->fail ? E_NOENT : 0;
}

static unsigned
rename_(struct sample_context *at, struct service_call *call,
    const struct sample_rename_args *in)
{
	memset(at->path, 0, sizeof(at->path));
	memset(at->second, 0, sizeof(at->second));
	at->caps[0] = in->new_base;
	if (wire_take(call, &in->old, at->path) != OK ||
	    wire_take(call, &in->new, at->second) != OK)
		return E_FAULT;
	return at->fail ? E_XDEV : 0;
}

static unsigned
stat_(struct sample_context *at, struct service_call *call,
    struct sample_stat_results *out)
{
	(void)at;
	(void)call;
	*out = (struct sample_stat_results){ .inode = ~0ul,
	    .mode = 0xfffffffe, .links = 0x80000001, .rows = 0xfffd,
	    .columns = -3, .last = true, .nice = -20, .low = -1 };
	return 0;
}

static unsigned
set_modes(struct sample_context *at, struct service_call *call,
    const struct sample_set_modes_args *in)
{
	(void)call;
	at->modes = *in->modes;
	return in->when == 1 ? WIRE_PARKED : 0;
}

static unsigned
get_modes(struct sample_context *at, struct service_call *call,
    const struct sample_get_modes_args *in)
{
	(void)call;
	*in->modes = at->modes;
	return 0;
}

static unsigned
ask(struct sample_context *at, struct service_call *call,
    const struct sample_ask_args *in, struct sample_ask_results *out)
{
	at->calls++;
	memcpy(at->path, in->name, sizeof(in->name));
	wire_text_set(out->name, sizeof(out->name), "0123456789abcdefgh");
	out->count = strlen(in->name);
	wire_give_cap(call, 56);
	return 0;
}

static unsigned
leave(struct sample_context *at, struct service_call *call,
    const struct sample_leave_args *in, struct sample_leave_results *out)
{
	if (wire_take(call, &in->path, at->path) != OK ||
	    in->out.length < 2 * in->path.length)
		return E_RANGE;
	memcpy(at->path + in->path.length, at->path, in->path.length);
	out->out_length = 2 * in->path.length;
	return wire_error(wire_give(call, &in->out, at->path,
	    out->out_length));
}

static unsigned
note(struct sample_context *at, struct service_call *call,
    const struct sample_note_args *in)
{
	(void)call;
	at->numbers[0] = in->names.length;
	at->numbers[1] = (uint64_t)in->signal;
	at->numbers[2] = in->default_;
	return 0;
}

static unsigned
both(struct sample_context *at, struct service_call *call,
    const struct sample_both_args *in)
{
	at->caps[0] = in->first;
	at->caps[1] = in->second;
	at->numbers[0] = in->id;
	wire_give_cap(call, 61);
	wire_give_cap(call, 62);
	return at->fail ? E_NOMEM : 0;
}

static unsigned
wait_(struct sample_context *at, struct service_call *call,
    const struct sample_wait_args *in, struct sample_wait_results *out)
{
	(void)at;
	(void)call;
	*out = (struct sample_wait_results){ in->pid, 0xffffff00, 7, 9 };
	return in->options != 0 ? WIRE_PARKED : 0;
}

static unsigned
symlink_(struct sample_context *at, struct service_call *call,
    const struct sample_symlink_args *in)
{
	memset(at->path, 0, sizeof(at->path));
	memset(at->second, 0, sizeof(at->second));
	return wire_error(wire_take(call, &in->target, at->path)) |
	    wire_error(wire_take(call, &in->in, at->second));
}

static unsigned
register_(struct sample_context *at, struct service_call *call,
    const struct sample_register_args *in, struct sample_register_results *out)
{
	(void)call;
	at->modes = *in->call;
	at->caps[0] = in->error;
	out->out = in->message;
	return 0;
}

static unsigned
struct_(struct sample_context *at, struct service_call *call,
    const struct sample_struct_args *in)
{
	(void)call;
	memcpy(at->path, in->window, sizeof(in->window));
	*in->in = (struct modes){ .input = in->context };
	return 0;
}

static unsigned
pay(struct sample_context *at, struct service_call *call,
    const struct sample_pay_args *in, struct sample_pay_results *out)
{
	(void)call;
	at->numbers[3] += in->amount;
	out->total = at->numbers[3];
	return at->fail ? E_NOSPC : 0;
}

static struct wire_kept_table *
kept(struct sample_context *at)
{
	(void)at;
	return &((struct root *)arena_root(service_arena()))->kept;
}

/* readlink is not there. */
static const struct sample_operations operations = {
	.read = read_, .write = write_, .seek = seek, .open = open_,
	.rename = rename_, .stat = stat_, .set_modes = set_modes,
	.get_modes = get_modes, .ask = ask, .leave = leave, .note = note,
	.both = both, .wait = wait_, .symlink = symlink_,
	.register_ = register_, .struct_ = struct_, .pay = pay, .kept = kept,
};

#define TRUSTED	0xeu

static bool
start(void)
{
	serving = &operations;
	return true;
}

/* -- laws -- */

TEST(test_numbers_arrive_with_their_signs)
{
	struct sample_stat_results stat;
	uint64_t position;

	EXPECT_EQ(sample_seek(0, -5, 2, &position), 0);
	EXPECT_EQ((int64_t)position, -3);
	EXPECT_EQ(sample_stat(0, &stat), 0);
	EXPECT(stat.inode == ~0ul && stat.mode == 0xfffffffe &&
	    stat.links == 0x80000001 && stat.rows == 0xfffd &&
	    stat.columns == -3 && stat.last && stat.nice == -20 &&
	    stat.low == -1);
}

TEST(test_words_are_where_the_schema_puts_them)
{
	struct sample_stat_results stat = { .inode = 1, .mode = 2, .links = 3,
	    .rows = 4, .columns = -1, .last = false, .nice = -2, .low = 5 };
	struct sample_wait_results waited = { -1, 2, 3, 4 };
	struct sample_seek_args seek_args = { -1, 2 };
	struct sample_ask_args ask_args = { "a name" };
	struct message message;

	sample_seek_put(&message, &seek_args);
	EXPECT(message.word[0] == 0x7005 && message.word[1] == ~0ul &&
	    message.word[2] == 2 && message.word[3] == 0);
	sample_stat_reply_put(&message, &stat);
	EXPECT(message.word[0] == TAG_REPLY_OK && message.word[1] == 1 &&
	    message.word[2] == (2 | 3ul << 32) &&
	    message.word[3] == (4 | 0xfffful << 16) &&
	    message.word[4] == (uint64_t)-2 && message.word[5] == 5 &&
	    message.word[6] == 0 && message.word[7] == 0);
	sample_wait_reply_put(&message, &waited);
	EXPECT(message.word[1] == ~0ul && message.word[2] == (2 | 3ul << 32) &&
	    message.word[3] == 4);
	sample_ask_put(&message, &ask_args);
	EXPECT(message.word[1] == 0 &&
	    strcmp((const char *)&message.word[2], "a name") == 0);
}

TEST(test_bytes_arrive_in_windows)
{
	struct sample_read_results got;
	struct sample_write_results put;
	char buffer[32] = "";

	EXPECT_EQ(sample_read(0, 3, buffer, 4, &got), 0);
	EXPECT(got.data_length == 4 && got.size == 26 && got.version == 5);
	EXPECT(strcmp(buffer, "defg") == 0);
	EXPECT_EQ(kernel.call.windows, 1);
	EXPECT_EQ(sample_write(0, 10, buffer, 4, &put), 0);
	EXPECT(put.done == 4 && put.position == 14);
}

TEST(test_length_words_are_those_of_the_windows)
{
	struct sample_read_args in = { 1, { NULL, 4, 0 } };
	struct sample_readlink_args link = { { "abc", 3, 0 },
	    { NULL, 9, 0 } };
	struct message message;
	struct window window[2];

	EXPECT_EQ(sample_read_put(&message, window, &in), 1);
	EXPECT(message.word[2] == 4 && message.word[7] == 4);
	EXPECT_EQ(window[0].length_access, 4 << 2 | WINDOW_WRITE);
	EXPECT_EQ(sample_readlink_put(&message, window, &link), 2);
	EXPECT(message.word[7] == 3 && message.word[6] == 9);
	EXPECT_EQ(window[0].length_access, 3 << 2 | WINDOW_READ);
	EXPECT_EQ(window[1].length_access, 9 << 2 | WINDOW_WRITE);
}

static long
open_path(size_t length, cap_t *out_file)
{
	char path[8192];
	struct sample_open_args in = { 1, 2, { path, length, 0 } };
	struct sample_open_results out;

	memset(path, 'x', sizeof(path));
	long error = sample_open(0, &in, &out, out_file);
	if (error == 0)
		EXPECT(out.kind == KIND_REGULAR && out.device == 2 &&
		    out.size == 3 && out.inode == 4);
	return error;
}

TEST(test_a_short_text_needs_no_window)
{
	cap_t file;

	for (size_t length = 0; length <= 40; length++) {
		EXPECT_EQ(open_path(length, &file), 0);
		EXPECT_EQ(kernel.call.windows, length > WIRE_SHORT_MAX);
		EXPECT_EQ(strlen(context.path), length);
		EXPECT(file == 55 && context.open.flags == 1 &&
		    context.open.mode == 2);
	}
}

TEST(test_more_than_the_maximum_is_refused_as_the_schema_says)
{
	char buffer[32] = "";
	uint64_t position;
	cap_t file;

	EXPECT_EQ(open_path(4095, &file), 0);
	EXPECT_EQ(open_path(4096, &file), -E_NAMETOOLONG);
	EXPECT_EQ(sample_seek(0, 0, 3, &position), -E_INVAL);
	EXPECT_EQ(sample_note(0, buffer, 65, 0, false), -E_INVAL);
}

TEST(test_a_short_text_that_claims_more_is_refused)
{
	struct message message = { { SAMPLE_OPEN, [7] = WIRE_SHORT | 33 } };
	struct sample_open_args in;

	EXPECT_EQ(sample_open_get(&message, 0, &in), E_NAMETOOLONG);
	message.word[7] = WIRE_SHORT | 32;
	EXPECT_EQ(sample_open_get(&message, 0, &in), 0);
	EXPECT(in.path.bytes == &message.word[3]);
	/* With a window the flag is a length, and too long. */
	EXPECT_EQ(sample_open_get(&message, 1, &in), E_NAMETOOLONG);
	message.word[7] = 12;
	EXPECT_EQ(sample_open_get(&message, 0, &in), E_INVAL);
}

TEST(test_clamped_bytes_are_done_in_part)
{
	struct sample_write_results put;

	EXPECT_EQ(sample_write(0, 0, NULL, 1ul << 40, &put), 0);
	EXPECT_EQ(put.done, 65536);
}

TEST(test_windows_that_are_missing_are_refused)
{
	struct message message = { { SAMPLE_READ, 0, 4 } };
	struct sample_note_args noted;
	struct sample_rename_args renamed;
	struct sample_read_args in;

	EXPECT_EQ(sample_read_get(&message, 0, &in), E_INVAL);
	EXPECT_EQ(sample_read_get(&message, 1, &in), 0);
	EXPECT_EQ(sample_rename_get(&message, 1, &renamed), E_INVAL);
	message = (struct message){ { SAMPLE_NOTE, 12 } };
	EXPECT_EQ(sample_note_get(&message, 0, &noted), 0);
	EXPECT_EQ(noted.names.length, 0);
	EXPECT_EQ(sample_note_get(&message, 1, &noted), 0);
	EXPECT_EQ(noted.names.length, 12);
}

TEST(test_two_windows_and_a_capability_that_may_be_missing)
{
	struct sample_rename_args in = { 1, { "old", 3, 0 }, { "newer", 5, 0 },
	    CAP_NONE };

	EXPECT_EQ(sample_rename(0, &in), 0);
	EXPECT(strcmp(context.path, "old") == 0 &&
	    strcmp(context.second, "newer") == 0 &&
	    context.caps[0] == CAP_NONE && kernel.call.caps == 0);
	in.new_base = 9;
	EXPECT_EQ(sample_rename(0, &in), 0);
	EXPECT(context.caps[0] == 9 + CAP_OF_CALLER && kernel.drops == 0);
}

TEST(test_an_error_drops_the_capabilities_of_the_call)
{
	struct sample_both_args in = { 4, 5, 6 };
	cap_t a = 0, b = 0;

	EXPECT_EQ(sample_both(0, &in, &a, &b), 0);
	EXPECT(a == 61 && b == 62 && kernel.drops == 0 &&
	    context.caps[0] == 104 && context.caps[1] == 105 &&
	    context.numbers[0] == 6);
	context.fail = true;
	EXPECT_EQ(sample_both(0, &in, &a, &b), -E_NOMEM);
	context.fail = false;
	EXPECT(kernel.drops == 2 && kernel.dropped[0] == 104 &&
	    kernel.dropped[1] == 105 && kernel.call.reply_caps == 0);
}

/* What the dispatcher drops then is its own memory otherwise, at random. */
TEST(test_a_refused_request_names_no_capability)
{
	struct message message = { { SAMPLE_RENAME } };
	struct sample_rename_args in = { .new_base = 77 };

	EXPECT_EQ(sample_rename_get(&message, 1, &in), E_INVAL);
	EXPECT_EQ(in.new_base, CAP_NONE);
	in.new_base = 77;
	message.word[6] = 4096;
	EXPECT_EQ(sample_rename_get(&message, 2, &in), E_NAMETOOLONG);
	EXPECT_EQ(in.new_base, CAP_NONE);
}

TEST(test_capabilities_that_are_missing_are_refused)
{
	struct message message = { { SAMPLE_BOTH } };
	cap_t caps[2] = { 1, 2 };

	EXPECT_EQ(wire_call(0, &message, NULL, wire_transfer(0, 1), caps),
	    -E_INVAL);
	EXPECT_EQ(wire_call(0, &message, NULL, wire_transfer(0, 2), caps), 0);
}

TEST(test_fixed_structs_are_copied_both_ways)
{
	struct modes modes = { 1, 2, KIND_REGULAR, "abcdef", true }, got;

	EXPECT_EQ(sample_set_modes(0, 0, &modes), 0);
	EXPECT(memcmp(&context.modes, &modes, sizeof(modes)) == 0);
	EXPECT_EQ(sample_get_modes(0, &got), 0);
	EXPECT(memcmp(&got, &modes, sizeof(modes)) == 0);
	/* A window that is too small for one. */
	struct message message = { { SAMPLE_GET_MODES } };
	struct window window = wire_window_room(&got, sizeof(got) - 1);
	EXPECT_EQ(wire_call(0, &message, &window, wire_transfer(1, 0), NULL),
	    -E_FAULT);
}

TEST(test_texts_in_words_end_in_nul)
{
	struct sample_ask_results out;
	struct message message = { { SAMPLE_ASK } };
	struct sample_ask_args in;
	cap_t thing;

	EXPECT_EQ(sample_ask(TRUSTED, "storage:open", &out, &thing), 0);
	EXPECT(strcmp(context.path, "storage:open") == 0 && out.count == 12 &&
	    strcmp(out.name, "0123456789abcde") == 0 && thing == 56);
	memset(&message.word[1], 'x', 56);
	EXPECT_EQ(sample_ask_get(&message, 0, &in), 0);
	EXPECT_EQ(strlen(in.name), 47);
}

TEST(test_who_is_not_trusted_is_refused)
{
	struct sample_ask_results out;
	unsigned calls = context.calls;
	cap_t thing;

	EXPECT_EQ(sample_ask(TRUSTED - 1, "x", &out, &thing), -E_PERM);
	EXPECT_EQ(context.calls, calls);
}

TEST(test_a_result_over_its_parameter)
{
	char buffer[16] = "abc";
	struct sample_leave_args in = { { buffer, 3, 0 },
	    { buffer, sizeof(buffer), 0 } };
	uint64_t length;

	EXPECT_EQ(sample_leave(0, &in, &length), 0);
	EXPECT(length == 6 && memcmp(buffer, "abcabc", 7) == 0);
	in.out.length = 5;
	EXPECT_EQ(sample_leave(0, &in, &length), -E_RANGE);
}

TEST(test_what_nobody_serves_is_refused)
{
	struct sample_readlink_args in = { { "x", 1, 0 }, { NULL, 0, 0 } };
	struct message message = { { 0x70ff } };
	uint64_t length;

	EXPECT_EQ(sample_readlink(0, &in, &length), -E_NOSYS);
	EXPECT_EQ(wire_call(0, &message, NULL, 0, NULL), -E_NOSYS);
}

TEST(test_a_parked_call_is_answered_as_one_at_once)
{
	struct sample_wait_results now, late = { 5, 0xffffff00, 7, 9 };
	struct modes modes = { 0 };

	EXPECT_EQ(sample_wait(0, 5, 0, &now), 0);
	EXPECT(memcmp(&now, &late, sizeof(now)) == 0);
	struct message at_once = kernel.call.message;
	EXPECT_EQ(sample_wait(0, 5, 1, &now), 1);
	EXPECT_EQ(kernel.outcome, SERVICE_PARK);
	EXPECT_EQ(sample_wait_answer(kernel.call.id, &late), OK);
	EXPECT(memcmp(kernel.answered, &at_once, sizeof(at_once)) == 0);
	EXPECT_EQ(sample_set_modes(0, 1, &modes), 1);
	EXPECT_EQ(sample_set_modes_answer(kernel.call.id), OK);
	EXPECT_EQ(kernel.answered[0], TAG_REPLY_OK);
}

TEST(test_names_that_the_code_has_for_itself_are_no_trouble)
{
	struct modes modes = { .input = 8 };
	uint32_t number;

	EXPECT_EQ(sample_symlink(0, "one", 3, "three", 5), 0);
	EXPECT(strcmp(context.path, "one") == 0 &&
	    strcmp(context.second, "three") == 0);
	EXPECT_EQ(sample_register(0, &modes, 4, 17, &number), 0);
	EXPECT(number == 17 && context.modes.input == 8 &&
	    context.caps[0] == 4 + CAP_OF_CALLER);
	EXPECT_EQ(sample_struct(0, "window", 12, &modes), 0);
	EXPECT(modes.input == 12 && strcmp(context.path, "window") == 0);
}

TEST(test_a_keyed_call_is_done_once_for_each_id)
{
	struct sample_pay_args ten = { 10 }, one = { 1 };
	struct sample_pay_results first, again;
	struct root *root = arena_root(service_arena());
	struct wire_outbox_entry entry;

	tx_begin(service_arena());
	EXPECT_EQ(sample_pay_later(service_arena(), &root->outbox, 1000, &ten), OK);
	EXPECT_EQ(sample_pay_later(service_arena(), &root->outbox, 1000, &one), OK);
	entry = *wire_outbox_first(&root->outbox);
	EXPECT(entry.id == 1000 && entry.request.word[WIRE_ID_WORD] == 1000);
	context.fail = true;
	EXPECT_EQ(sample_pay_listed(TRUSTED, &entry, &first), -E_NOSPC);
	context.fail = false;
	context.numbers[3] = 0;
	EXPECT_EQ(sample_pay_listed(TRUSTED, &entry, &first), 0);
	EXPECT_EQ(sample_pay_listed(TRUSTED, &entry, &again), 0);
	EXPECT(first.total == 10 && again.total == 10);
	EXPECT_EQ(wire_outbox_done(service_arena(), &root->outbox, 1000), OK);
	struct wire_outbox_entry next = *wire_outbox_first(&root->outbox);
	EXPECT_EQ(sample_pay_listed(TRUSTED, &next, &again), 0);
	EXPECT(next.id == 1001 && again.total == 11);
	EXPECT_EQ(sample_pay_listed(TRUSTED, &entry, &again), -E_STALE);
	EXPECT_EQ(sample_pay_listed(TRUSTED - 1, &next, &again), -E_PERM);
	EXPECT_EQ(context.numbers[3], 11);
	tx_commit(service_arena());
}

TEST(test_constants_and_names)
{
	EXPECT(OPEN_WRITE == 2 && TIME_OMIT == ~0ul - 1 && LOWEST == -20 &&
	    strcmp(GREETING, "hello") == 0 && SAMPLE_PATH_MAX == 4096);
	EXPECT(strcmp(idl_request_name(0x7005), "sample.seek") == 0);
	EXPECT(strcmp(idl_request_name(0x7020), "sample.set_modes") == 0);
	EXPECT(idl_request_name(0x7fff) == NULL);
}

/* Requests of any words: what is accepted keeps the laws of each decoder. */
TEST(test_random_requests_keep_the_limits)
{
	uint64_t random = 1;

	for (unsigned i = 0; i < RANDOM_MESSAGES; i++) {
		struct message message;

		for (unsigned n = 0; n < 8; n++) {
			random = random * 6364136223846793005ul +
			    1442695040888963407ul;
			message.word[n] = random >> (random >> 58);
		}
		message.word[0] = 0x7000 + (random >> 40) % 0x30;
		if (i % 3 == 0)
			message.word[7] |= WIRE_SHORT;
		EXPECT(sample_fuzz(&message, i % 4 % 3));
	}
}

TEST_MAIN(start())
