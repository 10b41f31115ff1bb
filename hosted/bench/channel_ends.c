/* SPDX-License-Identifier: MIT */
#include "channel_ends.h"

#include <stdlib.h>

#define OBJECTS	16u

static bool
place_token(struct channel_place *place)
{
	/* What nobody shall guess elsewhere is nothing to a benchmark. */
	static const uint8_t key[16] = "benchmark-ipc";
	struct token_config config = { .objects = OBJECTS, .key = key,
		.revoked = channel_domain_private_revoked,
		.context = place->domain };
	struct token_grant grant = { .rights = TOKEN_ALL,
		.trust = TOKEN_TRUST_MAX };
	size_t size = token_authority_size(OBJECTS);

	place->memory = aligned_alloc(TOKEN_ALIGNMENT,
	    (size + TOKEN_ALIGNMENT - 1) / TOKEN_ALIGNMENT * TOKEN_ALIGNMENT);
	return place->memory != NULL &&
	    token_authority_create(place->memory, size, &config,
	    &place->authority) == OK &&
	    token_object_create(place->authority, &grant.object) == OK &&
	    token_mint(place->authority, &grant, &place->token) == OK;
}

void
channel_place_close(struct channel_place *place)
{
	if (place->domain != NULL)
		channel_domain_private_close(place->domain);
	if (place->authority != NULL)
		token_authority_destroy(place->authority);
	free(place->memory);
	free(place);
}

struct channel_place *
channel_place_private(void)
{
	struct channel_place *place = calloc(1, sizeof(*place));

	if (place == NULL)
		return NULL;
	if (channel_domain_private(&place->domain) == OK &&
	    place_token(place)) {
		channel_domain_private_set_authority(place->domain,
		    place->authority);
		return place;
	}
	channel_place_close(place);
	return NULL;
}

static status_t
end_open(struct channel_ends *ends, enum bench_side side, bool sends,
    const char *name)
{
	struct channel_options options = { .domain = ends->domain,
		.role = sends ? CHANNEL_SENDER : CHANNEL_RECEIVER,
		.serializer = CHANNEL_AUTO, .groups = 1 };
	struct channel **out_channel = sends ? &ends->out : &ends->in;

	if (side == BENCH_SERVER)
		return channel_create(name, &ends->config, &options,
		    &ends->token, out_channel);
	return channel_open(name, &options, &ends->token, out_channel);
}

bool
channel_ends_open(struct channel_ends *ends, enum bench_side side)
{
	bool client = side == BENCH_CLIENT;

	if (end_open(ends, side, client, "there") != OK)
		return false;
	if (ends->config.type == CHANNEL_SYNC ||
	    end_open(ends, side, !client, "back") == OK)
		return true;
	channel_ends_close(ends);
	return false;
}

void
channel_ends_close(struct channel_ends *ends)
{
	channel_close(ends->out);
	channel_close(ends->in);
	ends->out = ends->in = NULL;
}
