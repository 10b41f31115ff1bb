/* SPDX-License-Identifier: MIT */
/*
 * What a configuration allows. All ports ask here, so that they admit and
 * refuse alike. Nothing is kept; any thread.
 */
#pragma once

#include <lib/channel/channel.h>

#define CHANNEL_TRUST_RAW	0xeu
#define CHANNEL_TRUST_LITE	0x8u

/*
 * Defaults for what is 0. ERR_ARG: what does not go together (channel.h has the
 * table), a ring too small for message_max, numbers that are none.
 */
status_t channel_config_fill(const struct channel_config *config,
    struct channel_config *out_config);

/* 1 to CHANNEL_NAME_MAX bytes, no control bytes. */
bool channel_name_valid(const char *name);

/* What a lane may use at least whose less trusted end has this trust. */
enum channel_serializer channel_serializer_for(unsigned trust);

/*
 * May a member with this trust join, when there are so many receivers?
 * ERR_ARG no role, ERR_TYPE another schema, ERR_RIGHT a serializer weaker than
 * the trust allows, ERR_BUSY a second receiver of a STREAM. config is filled.
 */
status_t channel_config_admits(const struct channel_config *config,
    const struct channel_options *options, unsigned trust,
    uint32_t receivers);

/* TOKEN_* that the roles need. */
unsigned channel_role_rights(unsigned role);
