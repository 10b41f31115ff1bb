/* SPDX-License-Identifier: MIT */
/*
 * The key of a file, by which processes that map it find each other: SipHash
 * with 128 bits of output, of the number of its inode. Numbers are not used
 * twice, so neither are keys.
 */
#include <lib/storage/state.h>

#include <lib/token/sip_round.h>

#define MESSAGE_END	(8ul << 56)	/* its length in bytes */

unsigned
storage_set_secret(struct storage *storage, const uint64_t secret[2])
{
	struct storage_root *root = storage->root;

	if (save(storage, root->secret, sizeof(root->secret)) != 0)
		return E_NOSPC;
	root->secret[0] = secret[0];
	root->secret[1] = secret[1];
	return 0;
}

static void
absorb(struct sip_state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

static uint64_t
squeeze(struct sip_state *s)
{
	for (unsigned i = 0; i < 4; i++)
		sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

void
inode_key(const struct storage *storage, const struct inode *inode,
    uint64_t out_key[2])
{
	const uint64_t *secret = storage->root->secret;
	struct sip_state s = {
		secret[0] ^ SIP_START_0, secret[1] ^ SIP_START_1 ^ 0xee,
		secret[0] ^ SIP_START_2, secret[1] ^ SIP_START_3,
	};

	absorb(&s, inode->number);
	absorb(&s, MESSAGE_END);
	s.v2 ^= 0xee;
	out_key[0] = squeeze(&s);
	s.v1 ^= 0xdd;
	out_key[1] = squeeze(&s);
}
