/* SPDX-License-Identifier: MIT */
/* Accounts: what the processes of one user hold together. */
#include "state.h"

#include <stdlib.h>

struct account *
account_take(struct broker *broker, uid_t uid)
{
	struct account *account;

	LIST_EACH(&broker->accounts, link, following) {
		account = LIST_ENTRY(link, struct account, in_broker);
		if (account->uid == uid) {
			account->references++;
			return account;
		}
	}
	account = calloc(1, sizeof(*account));
	if (account == NULL)
		return NULL;
	account->uid = uid;
	account->references = 1;
	list_append(&broker->accounts, &account->in_broker);
	return account;
}

void
account_put(struct account *account)
{
	if (--account->references != 0)
		return;
	list_remove(&account->in_broker);
	free(account);
}

status_t
account_charge(uint64_t *used, uint64_t limit, uint64_t amount)
{
	if (*used > limit || amount > limit - *used)
		return ERR_LIMIT;
	*used += amount;
	return OK;
}
