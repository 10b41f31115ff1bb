/* SPDX-License-Identifier: MIT */
/*
 * Hands of the threads of a process (hand.h). A hand whose thread ended is used
 * for another: another thread may still look at it for an end that it held.
 */
#include <lib/channel/hand.h>

#include <pthread.h>
#include <stdlib.h>

struct kept {
	struct channel_hand hand;	/* first */
	struct kept *next;		/* unused */
};

static __thread struct kept *own;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;			/* set once */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept *unused;		/* lock */

/* The thread ends. */
static void
give_back(void *value)
{
	struct kept *kept = value;

	own = NULL;
	channel_hand_empty(&kept->hand);
	pthread_mutex_lock(&lock);
	kept->next = unused;
	unused = kept;
	pthread_mutex_unlock(&lock);
}

static void
make_key(void)
{
	has_key = pthread_key_create(&key, give_back) == 0;
}

static struct kept *
find_or_make(void)
{
	struct kept *kept;

	pthread_mutex_lock(&lock);
	kept = unused;
	if (kept != NULL)
		unused = kept->next;
	pthread_mutex_unlock(&lock);
	return kept != NULL ? kept : calloc(1, sizeof(*kept));
}

struct channel_hand *
channel_hand_host(struct channel_domain *domain)
{
	struct kept *kept = own;

	if (kept != NULL)
		return &kept->hand;
	pthread_once(&once, make_key);
	if (!has_key)
		return NULL;
	kept = find_or_make();
	if (kept == NULL)
		return NULL;
	if (pthread_setspecific(key, kept) != 0) {
		give_back(kept);
		return NULL;
	}
	own = kept;
	return &kept->hand;
}
