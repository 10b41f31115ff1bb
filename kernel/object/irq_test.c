/* SPDX-License-Identifier: MIT */
/*
 * No interrupt is lost, whoever shares the line and whenever it fires; and a
 * line whose device waits to be served does not fire again.
 */
#include <kernel/core/call_host.h>
#include <kernel/object/irq.h>

#define LINE	9u
#define SHARERS	3u

static struct notification *notification;
static struct irq *irqs[SHARERS];

static bool
masked(unsigned line)
{
	return (host_machine.irq_masked[line / 64] >> line % 64 & 1) != 0;
}

/* The device asserts the line; the entry stub masks it. */
static void
fire(unsigned line)
{
	arch_irq_mask(line);
	interrupt_entry(line);
}

static uint64_t
take(struct notification *from)
{
	return __atomic_exchange_n(&from->word, 0, __ATOMIC_SEQ_CST);
}

/* Bit i for the i-th object on the line. */
static void
begin_lines(unsigned sharers)
{
	begin(0, 1);
	memset(host_machine.irq_masked, 0xff, sizeof(host_machine.irq_masked));
	EXPECT_EQ(notification_create(&root_container, &notification), OK);
	for (unsigned i = 0; i < sharers; i++)
		EXPECT_EQ(irq_create(&root_container, LINE, notification,
		    1ul << i, &irqs[i]), OK);
}

static void
drop_irq(unsigned i)
{
	object_release(&irqs[i]->object);
	irqs[i] = NULL;
	reap_all();
}

static void
end_lines(void)
{
	for (unsigned i = 0; i < SHARERS; i++)
		if (irqs[i] != NULL)
			drop_irq(i);
	EXPECT(masked(LINE));
	object_release(&notification->object);
	end();
	EXPECT_EQ(object_live(OBJ_IRQ), 0);
	EXPECT_EQ(object_live(OBJ_NOTIFICATION), 0);
}

TEST(test_an_interrupt_signals_and_its_line_waits_for_the_acknowledgement)
{
	begin_lines(1);
	EXPECT(!masked(LINE));
	for (unsigned round = 1; round <= 3; round++) {
		fire(LINE);
		EXPECT_EQ(take(notification), 1);
		EXPECT_EQ(notification->count, round);
		EXPECT_EQ(irqs[0]->count, round);
		EXPECT(masked(LINE));
		irq_acknowledge(irqs[0]);
		EXPECT(!masked(LINE));
	}
	end_lines();
}

TEST(test_an_interrupt_wakes_the_thread_that_waits_for_it)
{
	begin_lines(1);
	cap_t cap = add_cap(&notification->object, OBJ_NOTIFICATION);
	client->frame.rdi = cap;
	client->frame.rsi = WAIT_BITS;
	client->frame.r10 = DEADLINE_NEVER;
	enter(client, SYS_NOTIFY_WAIT);
	EXPECT_EQ(client->state, THREAD_BLOCKED_NOTIFY);
	fire(LINE);
	leave_kernel();
	EXPECT_EQ(client->state, THREAD_RUNNING);
	EXPECT_EQ(client->frame.rax, OK);
	EXPECT_EQ(client->frame.rdi, 1);
	EXPECT_EQ(take(notification), 0);
	EXPECT_EQ(table_delete(table, cap), OK);
	end_lines();
}

/* A driver binds the notification and waits for calls. */
TEST(test_an_interrupt_ends_the_wait_of_the_driver_it_is_bound_to)
{
	begin_lines(1);
	EXPECT_EQ(notification_bind(notification, server), OK);
	for (unsigned early = 0; early < 2; early++) {
		if (early)
			fire(LINE);
		reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
		if (!early) {
			EXPECT_EQ(server->state, THREAD_BLOCKED_RECEIVE);
			fire(LINE);
			leave_kernel();
		}
		EXPECT_EQ(server->state, THREAD_RUNNING);
		EXPECT_EQ(server->frame.rdi, 1);
		EXPECT_EQ(server->frame.rsi, IPC_INFO_NOTIFIED);
		irq_acknowledge(irqs[0]);
	}
	notification_unbind(server);
	end_lines();
}

TEST(test_all_who_share_a_line_are_signalled_and_all_must_acknowledge)
{
	begin_lines(SHARERS);
	for (unsigned last = 0; last < SHARERS; last++) {
		fire(LINE);
		EXPECT_EQ(take(notification), (1ul << SHARERS) - 1);
		for (unsigned i = 0; i < SHARERS; i++)
			if (i != last)
				irq_acknowledge(irqs[i]);
		EXPECT(masked(LINE));
		irq_acknowledge(irqs[last]);
		EXPECT(!masked(LINE));
	}
	for (unsigned i = 0; i < SHARERS; i++)
		EXPECT_EQ(irqs[i]->count, SHARERS);
	end_lines();
}

TEST(test_a_sharer_that_dies_unserved_does_not_hold_the_line)
{
	begin_lines(SHARERS);
	fire(LINE);
	irq_acknowledge(irqs[0]);
	drop_irq(1);
	EXPECT(masked(LINE));		/* the third is still to be served */
	drop_irq(2);
	EXPECT(!masked(LINE));
	fire(LINE);
	EXPECT_EQ(take(notification), 7);
	EXPECT_EQ(irqs[0]->count, 2);
	drop_irq(0);
	EXPECT(masked(LINE));
	end_lines();
}

/* The line fires again before the driver has come to it. */
TEST(test_an_interrupt_before_the_acknowledgement_is_signalled_again)
{
	begin_lines(1);
	fire(LINE);
	EXPECT_EQ(take(notification), 1);
	fire(LINE);
	EXPECT_EQ(notification->word, 1);
	EXPECT_EQ(irqs[0]->count, 2);
	irq_acknowledge(irqs[0]);
	EXPECT(!masked(LINE));
	EXPECT_EQ(take(notification), 1);	/* none was taken back */
	fire(LINE);
	EXPECT_EQ(take(notification), 1);
	EXPECT(masked(LINE));
	end_lines();
}

/* Lines do not mix, nor do their masks. */
TEST(test_lines_are_apart)
{
	struct irq *other = NULL;

	begin_lines(1);
	EXPECT_EQ(irq_create(&root_container, LINE + 64, notification, 1ul << 5,
	    &other), OK);
	fire(LINE);
	EXPECT_EQ(take(notification), 1);
	EXPECT(masked(LINE) && !masked(LINE + 64));
	fire(LINE + 64);
	EXPECT_EQ(take(notification), 1ul << 5);
	irq_acknowledge(other);
	EXPECT(masked(LINE) && !masked(LINE + 64));
	object_release(&other->object);
	reap_all();
	EXPECT(masked(LINE + 64));
	irq_acknowledge(irqs[0]);
	EXPECT(!masked(LINE));
	end_lines();
}

TEST(test_lines_that_do_not_exist_are_refused_and_ignored)
{
	struct irq *irq = NULL;

	begin_lines(0);
	uint64_t objects = root_container.objects_used;
	EXPECT_EQ(irq_create(&root_container, arch_irq_count(), notification, 1,
	    &irq), ERR_RANGE);
	EXPECT_EQ(root_container.objects_used, objects);
	EXPECT_EQ(notification->object.references, 1);
	interrupt_entry(LINE);		/* nobody is there */
	interrupt_entry(100000);
	EXPECT_EQ(notification->word, 0);
	end_lines();
}

TEST_MAIN(setup())
