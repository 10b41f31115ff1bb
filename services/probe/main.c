/* SPDX-License-Identifier: MIT */
/*
 * probe: tells faulty to do wrong and checks what its callers see, by boot
 * option faulty=NAME. It ends in a panic at the first thing that is not as it
 * should be; otherwise the last line in the log is "NAME: as it should be".
 */
#include <idl/faulty_client.h>
#include <idl/phoenix_client.h>
#include <idl/place.h>
#include <lib/base/string.h>
#include <lib/service/service.h>
#include <lib/sys/sys.h>

#define ROUNDS	8u

static cap_t faulty, nobody;

static void
expect(const char *what, bool holds)
{
	if (!holds)
		service_panic("%s", what);
}

static void
pause(uint64_t ns)
{
	sys_wait(nobody, WAIT_BITS, 0, service_now_ns() + ns, NULL, NULL);
}

static struct faulty_add_results
add(uint64_t number)
{
	struct faulty_add_results results = { 0 };

	expect("a call is answered", faulty_add(faulty, number, &results) == 0);
	return results;
}

/* Each way to end, with a spare and without; the sum tells what was lost. */
static void
probe_deaths(void)
{
	uint64_t sum = add(0).sum, before = add(0).incarnation, incarnation = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		sum += i;
		expect("nothing is lost", add(i).sum == sum);
		if (i % 2 == 0)
			pause(20000000);
		expect("who ends its service is answered", faulty_fail(faulty,
		    i % 4 < 2 ? FAULTY_EXCEPTION : FAULTY_PANIC, false,
		    &incarnation) == 0);
		expect("each incarnation has its number",
		    incarnation == before + i + 1);
	}
	expect("nothing is lost", add(0).sum == sum);
}

/* It was started cold after four deaths in a row, and died once more. */
static void
probe_cold(void)
{
	struct faulty_add_results results = add(1);

	expect("it was started cold once", results.cold == 1);
	expect("the sixth incarnation serves", results.incarnation == 6);
	expect("its state is a new one", results.sum == 1);
}

/* What kills it each time is refused; nobody else notices. */
static void
probe_poison(void)
{
	uint64_t sum = add(5).sum, before = add(0).incarnation, ignored;

	for (unsigned i = 1; i <= ROUNDS; i++) {
		expect("poison is refused", faulty_fail(faulty,
		    FAULTY_EXCEPTION, true, &ignored) ==
		    -(long)ERR_CANCELLED);
		expect("two incarnations die of it",
		    add(0).incarnation == before + 2 * i);
	}
	expect("nothing is lost", add(0).sum == sum);
	expect("it was not started cold", add(0).cold == 0);
}

/* One that waits for what never comes, one that computes without end. */
static void
probe_hang(void)
{
	uint64_t sum = add(5).sum, before = add(0).incarnation, answered = 0;

	expect("who hangs is killed and the call answered", faulty_fail(faulty,
	    FAULTY_HANG, false, &answered) == 0 && answered == before + 1);
	expect("who computes too long as well", faulty_fail(faulty,
	    FAULTY_LOOP, false, &answered) == 0 && answered == before + 2);
	expect("nothing is lost", add(0).sum == sum);
	pause(5000000000);
	expect("who has nothing to do is left alone",
	    add(0).incarnation == before + 2);
}

/*
 * Counts while faulty is reloaded by others, until the twelfth incarnation
 * serves. Nobody else adds anything.
 */
static void
probe_reload(void)
{
	struct faulty_add_results results = add(0);
	uint64_t sum = results.sum, later = ROUNDS;

	service_ready();
	while (later > 0) {
		results = add(1);
		expect("nothing is lost or done twice", results.sum == ++sum);
		expect("it was not started cold", results.cold == 0);
		later -= results.incarnation >= 12;
		pause(100000);
	}
}

/*
 * faulty is started cold, at last together with those who need it: the second
 * incarnation finds a new faulty and has lost nothing of its own.
 */
static void
probe_dependent(void)
{
	const struct place_info *info = (const void *)PLACE_INFO;

	if (info->incarnation == 1) {
		add(7);
		service_ready();
		for (;;)
			pause(1000000000);
	}
	struct faulty_add_results results = add(0);
	expect("it was killed once", info->incarnation == 2);
	expect("faulty was started cold twice", results.cold == 2);
	expect("the state of faulty is a new one", results.sum == 0);
	expect("it was started warm itself", info->cold == 0);
}

static const struct {
	const char *name;
	void (*run)(void);
} probes[] = {
	{ "cold", probe_cold },
	{ "deaths", probe_deaths },
	{ "dependent", probe_dependent },
	{ "gone", NULL },
	{ "hang", probe_hang },
	{ "poison", probe_poison },
	{ "reload", probe_reload },
};

int main(void);

int
main(void)
{
	char name[48];
	unsigned i = 0;

	expect("there is an option", service_option("faulty", name) == OK);
	expect("there is memory", sys_object_create(OBJ_NOTIFICATION,
	    PLACE_CONTAINER, 0, 0, &nobody) == OK);
	while (i < sizeof(probes) / sizeof(probes[0]) &&
	    strcmp(probes[i].name, name) != 0)
		i++;
	expect("the name is known", i < sizeof(probes) / sizeof(probes[0]));
	long refused = phoenix_request(PLACE_PHOENIX, "faulty:fail", &faulty);
	if (probes[i].run == NULL)
		expect("who was given up is gone", refused == -(long)ERR_GONE);
	else
		expect("there is faulty", refused == 0);
	if (probes[i].run != NULL)
		probes[i].run();
	service_log("%s: as it should be", name);
	service_ready();
	sys_exit(DEATH_EXIT, 0);
}
