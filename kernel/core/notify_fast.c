/* SPDX-License-Identifier: MIT */
/*
 * The fast paths of notifications: a signal that nobody waits for, and a wait
 * that is over before it begins.
 *
 * As in ipc_fast.c: cheap checks that change nothing, then a point of no return;
 * whatever does not fit takes the general path. No reference is held: the object
 * stays in memory until this CPU has left the kernel, and to change one that is
 * on its way out harms nobody, as nobody waits.
 */
#include <kernel/core/syscall.h>

#include <kernel/object/notification.h>
#include <kernel/object/thread.h>

#include <abi/syscall.h>

/* Locked; NULL if it is not that simple. */
static inline struct notification *
find(const struct thread *thread, unsigned right)
{
	struct cap cap;

	if (table_lookup(thread->table, thread->frame.rdi, &cap) != OK ||
	    (cap.meta & (0xf000 | right)) != (OBJ_NOTIFICATION << 12 | right))
		return NULL;

	struct notification *n = (struct notification *)cap.object;

	return lock_try(&n->lock) ? n : NULL;
}

static inline bool
signal_fast(struct thread *thread)
{
	struct notification *n = find(thread, RIGHT_WRITE);

	if (n == NULL)
		return false;

	bool alone = list_is_empty(&n->waiters) && n->bound == NULL;

	/* Who waits or binds itself later looks at the word under the lock. */
	if (alone) {
		__atomic_or_fetch(&n->word, thread->frame.rsi,
		    __ATOMIC_SEQ_CST);
		n->count++;
		thread->frame.rax = OK;
	}
	lock_release(&n->lock);
	return alone;
}

static inline bool
wait_fast(struct thread *thread)
{
	uint64_t mode = thread->frame.rsi;

	if (mode != WAIT_POLL && mode != WAIT_BITS)
		return false;

	struct notification *n = find(thread, RIGHT_READ);

	if (n == NULL)
		return false;

	uint64_t word = __atomic_load_n(&n->word, __ATOMIC_SEQ_CST);

	/* The endpoint of a bound thread takes them without the lock. */
	if (mode == WAIT_BITS && word != 0)
		word = __atomic_exchange_n(&n->word, 0, __ATOMIC_SEQ_CST);

	bool over = mode == WAIT_POLL || word != 0;

	if (over) {
		thread->frame.rdi = word;
		thread->frame.rsi = n->count;
		thread->frame.rax = OK;
	}
	lock_release(&n->lock);
	return over;
}

bool
notify_fast(struct thread *thread, uint64_t number)
{
	return number == SYS_NOTIFY_SIGNAL ? signal_fast(thread) :
	    wait_fast(thread);
}
