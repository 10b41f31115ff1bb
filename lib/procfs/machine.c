/* SPDX-License-Identifier: MIT */
/* Files of the machine as a whole. */
#include <lib/procfs/procfs.h>

#define NS		1000000000ul
#define TICK_NS		10000000ul	/* clock ticks are hundredths */
#define PAGE_KB		4u
#define OPEN_FILES_MAX	65536u		/* of storage */

static uint32_t
hundredths(uint64_t ns)
{
	return (uint32_t)(ns / TICK_NS % 100);
}

static void
cpuinfo(struct procfs_text *text, const struct procfs_machine *machine)
{
	uint64_t khz = machine->tsc_hz / 1000;

	for (uint64_t i = 0; i < machine->cpus; i++) {
		procfs_print(text, "processor\t: %lu\nvendor_id\t: %s\n"
		    "cpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n"
		    "stepping\t: %u\n", i, machine->cpu_vendor,
		    machine->cpu_family, machine->cpu_model, machine->cpu_name,
		    machine->cpu_stepping);
		procfs_print(text, "cpu MHz\t\t: %lu.%03lu\n\n", khz / 1000,
		    khz % 1000);
	}
}

static void
meminfo(struct procfs_text *text, const struct procfs_machine *machine)
{
	uint64_t total = machine->pages_total * PAGE_KB;
	uint64_t left = machine->pages_free * PAGE_KB;

	procfs_print(text, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\n"
	    "MemAvailable:   %8lu kB\n", total, left, left);
	procfs_print(text, "Buffers:        %8u kB\nCached:         %8u kB\n"
	    "SwapCached:     %8u kB\nShmem:          %8u kB\n"
	    "SwapTotal:      %8u kB\nSwapFree:       %8u kB\n"
	    "SReclaimable:   %8u kB\n", 0u, 0u, 0u, 0u, 0u, 0u, 0u);
}

static uint64_t
sum_idle(const struct procfs_machine *machine, uint64_t *out_busy)
{
	uint64_t idle = 0;

	*out_busy = 0;
	for (uint64_t i = 0; i < machine->cpus; i++) {
		*out_busy += machine->cpu[i].busy_ns;
		idle += machine->cpu[i].idle_ns;
	}
	return idle;
}

static void
machine_stat(struct procfs_text *text, const struct procfs_machine *machine)
{
	uint64_t busy, idle = sum_idle(machine, &busy);
	uint64_t since = machine->wall_ns < machine->now_ns ? 0 :
	    (machine->wall_ns - machine->now_ns) / NS;

	procfs_print(text, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\n", busy / TICK_NS,
	    idle / TICK_NS);
	for (uint64_t i = 0; i < machine->cpus; i++)
		procfs_print(text, "cpu%lu %lu 0 0 %lu 0 0 0 0 0 0\n", i,
		    machine->cpu[i].busy_ns / TICK_NS,
		    machine->cpu[i].idle_ns / TICK_NS);
	procfs_print(text, "ctxt %lu\nbtime %lu\nprocesses %u\n"
	    "procs_running %u\nprocs_blocked 0\n", machine->switches, since,
	    machine->last_pid, machine->running);
}

/* As random identifiers are written (version 4). */
static void
identifier(struct procfs_text *text, const uint8_t bytes[16])
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned byte = i == 6 ? (bytes[i] & 0x0fu) | 0x40u :
		    i == 8 ? (bytes[i] & 0x3fu) | 0x80u : bytes[i];

		procfs_print(text, i == 4 || i == 6 || i == 8 || i == 10 ?
		    "-%02x" : "%02x", byte);
	}
	procfs_print(text, "\n");
}

static bool
fixed_file(struct procfs_text *text, unsigned kind)
{
	switch (kind) {
	case PROCFS_DEVICES:
		procfs_print(text, "Character devices:\n  1 mem\n"
		    "  5 /dev/console\n\nBlock devices:\n");
		return true;
	case PROCFS_FILESYSTEMS:
		procfs_print(text, "nodev\tproc\nnodev\ttmpfs\n");
		return true;
	case PROCFS_PARTITIONS:
		procfs_print(text, "major minor  #blocks  name\n\n");
		return true;
	case PROCFS_SWAPS:
		procfs_print(text,
		    "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
		return true;
	case PROCFS_FILE_MAX:
		procfs_print(text, "%u\n", OPEN_FILES_MAX);
		return true;
	case PROCFS_HOSTNAME:
		procfs_print(text, "bennu\n");
		return true;
	case PROCFS_OSRELEASE:
		procfs_print(text, "6.1.0\n");
		return true;
	case PROCFS_OSTYPE:
		procfs_print(text, "Linux\n");
		return true;
	case PROCFS_PID_LIMIT:
		procfs_print(text, "%u\n", PROCFS_PID_MAX + 1);
		return true;
	case PROCFS_OVERCOMMIT:
		/* Memory is promised without looking how much there is. */
		procfs_print(text, "1\n");
		return true;
	case PROCFS_VERSION:
		procfs_print(text, "Linux version 6.1.0 (bennu) #1 Bennu\n");
		return true;
	default:
		return false;
	}
}

bool
procfs_machine_file(struct procfs_text *text, unsigned kind,
    const struct procfs_machine *machine)
{
	uint64_t busy, idle;

	switch (kind) {
	case PROCFS_CPUINFO:
		cpuinfo(text, machine);
		return true;
	case PROCFS_LOADAVG:
		/* Nobody measures the load. */
		procfs_print(text, "0.00 0.00 0.00 %u/%u %u\n",
		    machine->running, machine->processes, machine->last_pid);
		return true;
	case PROCFS_MEMINFO:
		meminfo(text, machine);
		return true;
	case PROCFS_MACHINE_STAT:
		machine_stat(text, machine);
		return true;
	case PROCFS_UPTIME:
		idle = sum_idle(machine, &busy);
		procfs_print(text, "%lu.%02u %lu.%02u\n",
		    machine->now_ns / NS, hundredths(machine->now_ns),
		    idle / NS, hundredths(idle));
		return true;
	case PROCFS_VMSTAT:
		procfs_print(text, "nr_free_pages %lu\n", machine->pages_free);
		return true;
	case PROCFS_BOOT_ID:
		identifier(text, machine->boot_id);
		return true;
	case PROCFS_UUID:
		identifier(text, machine->random);
		return true;
	default:
		return fixed_file(text, kind);
	}
}
