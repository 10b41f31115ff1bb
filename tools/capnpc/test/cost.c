/* SPDX-License-Identifier: MIT */
/*
 * The same by hand and generated, to be compared by instructions: a read as the
 * libOS asks for it, and a server's part of it.
 */
#include <idl/sample_client.h>
#include <idl/sample_server.h>

struct sample_context {
	uint64_t size;
};

#define ALONE	__attribute__((noinline)) long

ALONE client_by_hand(cap_t file, uint64_t offset, void *buffer,
    uint64_t length, struct sample_read_results *out);
ALONE client_generated(cap_t file, uint64_t offset, void *buffer,
    uint64_t length, struct sample_read_results *out);
ALONE server_by_hand(struct sample_context *context,
    struct service_call *call);
ALONE server_generated(struct sample_context *context,
    struct service_call *call);
/* What a file system would do. */
unsigned transfer(uint64_t offset, uint64_t length, uint64_t *out_done);

ALONE
client_by_hand(cap_t file, uint64_t offset, void *buffer, uint64_t length,
    struct sample_read_results *out)
{
	struct message message = { { SAMPLE_READ, offset, length,
	    [7] = length } };
	struct window window = { (uint64_t)buffer,
	    length << 2 | WINDOW_WRITE };
	long error = wire_call(file, &message, &window,
	    1ul << IPC_WINDOWS_SHIFT, NULL);

	if (error != 0)
		return error;
	out->data_length = message.word[1];
	out->size = message.word[2];
	out->version = message.word[3];
	return 0;
}

ALONE
client_generated(cap_t file, uint64_t offset, void *buffer, uint64_t length,
    struct sample_read_results *out)
{
	return sample_read(file, offset, buffer, length, out);
}

ALONE
server_by_hand(struct sample_context *context, struct service_call *call)
{
	const struct message in = call->message;
	uint64_t length = in.word[2] < 16777216 ? in.word[2] : 16777216;
	uint64_t done;
	unsigned error;

	if (in.word[0] != SAMPLE_READ) {
		call->reply_caps = 0;
		call->message.word[1] = E_NOSYS;
		return SERVICE_ERROR;
	}
	call->message = (struct message){ { TAG_REPLY_OK } };
	error = call->windows < 1 ? E_INVAL :
	    transfer(in.word[1], length, &done);
	if (error != 0) {
		call->reply_caps = 0;
		call->message.word[1] = error;
		return SERVICE_ERROR;
	}
	call->message.word[1] = done;
	call->message.word[2] = context->size;
	call->message.word[3] = 0;
	return SERVICE_REPLY;
}

static unsigned
handle_read(struct sample_context *context, struct service_call *call,
    const struct sample_read_args *in, struct sample_read_results *out)
{
	(void)call;
	out->size = context->size;
	return transfer(in->offset, in->data.length, &out->data_length);
}

ALONE
server_generated(struct sample_context *context, struct service_call *call)
{
	static const struct sample_operations operations = {
		.read = handle_read };

	if (call->message.word[0] != SAMPLE_READ)
		return wire_refuse(call, E_NOSYS);
	return sample_read_serve(&operations, context, call);
}
